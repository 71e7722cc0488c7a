// Z (batch·c) = X[rows]·W, dense.
fn sampled_product(team: Team) {
    let slot = team.slot;
    let page_start = jobs[current].page_start;
    let streamed = jobs[current].streamed;
    let entries = batch * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let member = word(counter, 0u, slot) % ring * batch + entry / classes;
        let k = entry % classes;
        // A streamed page holds the rows in the order of the ring: shared, or each problem's own.
        var row = member;
        if (streamed == 0u) {
            row = word(rows, member, slot) - page_start;
        } else if (streamed == 2u) {
            row = member * stride() + slot;
        }
        var sum = 0.0;
        for (var j = 0u; j < columns; j++) {
            sum += design_entry(row * columns + j) * own(w, j * classes + k, slot);
        }
        put(z, entry, slot, sum);
    }
}
