// out ← out − γG.
fn subtract_scaled(team: Team) {
    const g = 0u;
    const gamma = 1u;
    const out = 2u;
    let coordinates = parameter(0u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let rate = real(gamma, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(out, j, slot, own(out, j, slot) - rate * own(g, j, slot));
    }
}
