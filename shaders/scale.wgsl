// X ← factor·X, one factor for all.
fn scale(team: Team) {
    const factor = 0u;
    const x = 1u;
    let coordinates = parameter(0u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let share = real(factor, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(x, j, slot, own(x, j, slot) * share);
    }
}
