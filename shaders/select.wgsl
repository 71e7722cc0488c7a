// X ← active ? Y : X.
fn select_kernel(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates || word(active_, 0u, slot) == 0u) {
        return;
    }
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(x, j, slot, own(y, j, slot));
    }
}
