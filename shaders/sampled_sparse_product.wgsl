// Z (batch·c) = X[rows]·W, X sparse by rows.
fn sampled_sparse_product(team: Team) {
    const starts = 0u;
    const indices = 1u;
    const values = 2u;
    const rows = 3u;
    const counter = 4u;
    const w = 5u;
    const z = 6u;
    let batch = parameter(0u);
    let ring = parameter(1u);
    let classes = parameter(2u);
    let slot = team.slot;
    let entries = batch * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let start = word(counter, 0u, slot) % ring * batch;
        let k = entry % classes;
        let row = word(rows, start + entry / classes, slot);
        let end = common_word(starts, row + 1u);
        var sum = 0.0;
        for (var at = common_word(starts, row); at < end; at++) {
            sum += common_real(values, at) * own(w, common_word(indices, at) * classes + k, slot);
        }
        put(z, entry, slot, sum);
    }
}
