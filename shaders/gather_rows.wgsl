// out (batch·c) = factor·full[rows].
fn gather_rows(team: Team) {
    let slot = team.slot;
    let entries = batch * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let start = word(counter, 0u, slot) % ring * batch;
        let row = word(rows, start + entry / classes, slot);
        let value = real(full, row * classes + entry % classes, slot);
        put(out, entry, slot, real(factor, 0u, slot) * value);
    }
}
