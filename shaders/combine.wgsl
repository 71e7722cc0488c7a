// out = A + a·B with one factor per problem.
fn combine(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let share = real(factor, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(out, j, slot, real(a, j, slot) + share * real(b, j, slot));
    }
}
