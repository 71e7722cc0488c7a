// G (columns·c) = X[rows]ᵀ·R, dense.
fn sampled_adjoint(team: Team) {
    const design = 0u;
    const rows = 1u;
    const counter = 2u;
    const r = 3u;
    const g = 4u;
    let batch = parameter(0u);
    let ring = parameter(1u);
    let columns = parameter(2u);
    let classes = parameter(3u);
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
