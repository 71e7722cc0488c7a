// ring[counter mod slots] ← X.
fn ring_store(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let start = word(counter, 0u, slot) % slots * coordinates;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(ring, start + j, slot, own(x, j, slot));
    }
}
