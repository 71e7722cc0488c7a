// X ← active ? X : 0 in out.
fn masked_copy(team: Team) {
    const x = 0u;
    const active_ = 1u;
    const out = 2u;
    let coordinates = parameter(0u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let runs = word(active_, 0u, slot) != 0u;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        var value = 0.0;
        if (runs) {
            value = own(x, j, slot);
        }
        put(out, j, slot, value);
    }
}
