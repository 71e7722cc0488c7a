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
    let is_streamed = jobs[current].streamed == 1u;
    let entries = columns * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let start = word(counter, 0u, slot) % ring * batch;
        let j = entry / classes;
        let k = entry % classes;
        var sum = 0.0;
        for (var i = 0u; i < batch; i++) {
            // A streamed page holds the rows in the order of the ring.
            var row = start + i;
            if (!is_streamed) {
                row = word(rows, start + i, slot) - page_start;
            }
            sum += design_entry(row * columns + j) * own(r, i * classes + k, slot);
        }
        put(g, entry, slot, sum);
    }
}
