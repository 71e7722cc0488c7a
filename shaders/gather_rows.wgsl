// out (batch·c) = factor·full[rows].
fn gather_rows(team: Team) {
    const full = 0u;
    const rows = 1u;
    const counter = 2u;
    const factor = 3u;
    const out = 4u;
    let batch = parameter(0u);
    let ring = parameter(1u);
    let classes = parameter(2u);
    let slot = team.slot;
    let entries = batch * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let start = word(counter, 0u, slot) % ring * batch;
        let row = word(rows, start + entry / classes, slot);
        let value = real(full, row * classes + entry % classes, slot);
        put(out, entry, slot, real(factor, 0u, slot) * value);
    }
}
