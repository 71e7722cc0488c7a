// G (columns·c) = Xᵀ · R (rows·c).
// Past the first page of the design the sum goes on from what is there.
fn dense_adjoint(team: Team) {
    let slot = team.slot;
    let page_start = jobs[current].page_start;
    let page_rows = jobs[current].page_rows;
    let entries = columns * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let j = entry / classes;
        let k = entry % classes;
        var sum = 0.0;
        if (page_start > 0u) {
            sum = own(g, entry, slot);
        }
        for (var i = 0u; i < page_rows; i++) {
            sum += design_entry(i * columns + j) * own(r, (page_start + i) * classes + k, slot);
        }
        put(g, entry, slot, sum);
    }
}
