// G (columns·c) = X[rows]ᵀ·R, dense.
fn sampled_adjoint(team: Team) {
    let slot = team.slot;
    let page_start = jobs[current].page_start;
    let streamed = jobs[current].streamed;
    let entries = columns * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let start = word(counter, 0u, slot) % ring * batch;
        let j = entry / classes;
        let k = entry % classes;
        var sum = 0.0;
        for (var i = 0u; i < batch; i++) {
            // A streamed page holds the rows in the order of the ring: shared, or each problem's own.
            var row = start + i;
            if (streamed == 0u) {
                row = word(rows, start + i, slot) - page_start;
            } else if (streamed == 2u) {
                row = (start + i) * stride() + slot;
            }
            sum += design_entry(row * columns + j) * own(r, i * classes + k, slot);
        }
        put(g, entry, slot, sum);
    }
}
