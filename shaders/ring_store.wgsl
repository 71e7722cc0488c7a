// ring[counter mod slots] ← X.
fn ring_store(team: Team) {
    const x = 0u;
    const counter = 1u;
    const ring = 2u;
    let coordinates = parameter(0u);
    let slots = parameter(1u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let start = word(counter, 0u, slot) % slots * coordinates;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(ring, start + j, slot, own(x, j, slot));
    }
}
