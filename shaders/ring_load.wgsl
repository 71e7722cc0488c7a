// X ← ring[counter mod slots].
fn ring_load(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let start = word(counter, 0u, slot) % slots * coordinates;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(x, j, slot, own(ring, start + j, slot));
    }
}
