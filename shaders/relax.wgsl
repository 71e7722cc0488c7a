// X ← (1 − η)X + η·Y with one η per problem.
fn relax(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let rate = real(eta, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(x, j, slot, (1.0 - rate) * own(x, j, slot) + rate * own(y, j, slot));
    }
}
