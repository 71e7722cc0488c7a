// Z ← Z − 1·offset.
fn subtract_offset(team: Team) {
    let slot = team.slot;
    let entries = rows * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        put(z, entry, slot, own(z, entry, slot) - own(offset, entry % classes, slot));
    }
}
