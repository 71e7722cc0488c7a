// X ← active ? Y : X.
fn select_kernel(team: Team) {
    const y = 0u;
    const active_ = 1u;
    const x = 2u;
    let coordinates = parameter(0u);
    let slot = team.slot;
    if (team.lane >= coordinates || word(active_, 0u, slot) == 0u) {
        return;
    }
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(x, j, slot, own(y, j, slot));
    }
}
