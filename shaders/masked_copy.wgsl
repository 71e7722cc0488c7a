// X ← active ? X : 0 in out.
fn masked_copy(team: Team) {
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
