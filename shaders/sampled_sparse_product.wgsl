// Z (batch·c) = X[rows]·W, X sparse by rows.
fn sampled_sparse_product(team: Team) {
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
