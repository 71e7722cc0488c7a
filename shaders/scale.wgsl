// X ← factor·X, one factor for all.
fn scale(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let share = real(factor, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(x, j, slot, own(x, j, slot) * share);
    }
}
