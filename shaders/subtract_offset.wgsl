// Z ← Z − 1·offset.
fn subtract_offset(team: Team) {
    const offset = 0u;
    const z = 1u;
    let rows = parameter(0u);
    let classes = parameter(1u);
    let slot = team.slot;
    let entries = rows * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        put(z, entry, slot, own(z, entry, slot) - own(offset, entry % classes, slot));
    }
}
