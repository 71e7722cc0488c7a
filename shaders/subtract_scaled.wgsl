// out ← out − γG.
fn subtract_scaled(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let rate = real(gamma, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(out, j, slot, own(out, j, slot) - rate * own(g, j, slot));
    }
}
