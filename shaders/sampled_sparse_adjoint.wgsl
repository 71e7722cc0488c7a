// G (columns·c) = X[rows]ᵀ·R, X sparse by rows, over the rows first, …, first + count − 1 of the
// minibatch and the entries skip, …, skip + take − 1 of each; the first part starts from zero.
// Rows share columns: every lane walks through all of them and minds the columns that are its own.
fn sampled_sparse_adjoint(team: Team) {
    let slot = team.slot;
    if (team.lane >= min(columns, team.lanes)) {
        return;
    }
    if (first == 0u && skip == 0u) {
        for (var j = team.lane; j < columns; j += team.lanes) {
            for (var k = 0u; k < classes; k++) {
                put(g, j * classes + k, slot, 0.0);
            }
        }
    }
    let start = word(counter, 0u, slot) % ring * batch;
    let last = min(batch, first + count);
    for (var i = first; i < last; i++) {
        let row = word(rows, start + i, slot);
        let begin = common_word(starts, row) + skip;
        let end = min(common_word(starts, row + 1u), begin + take);
        for (var at = begin; at < end; at++) {
            let j = common_word(indices, at);
            if (j % team.lanes != team.lane) {
                continue;
            }
            let x = common_real(values, at);
            for (var k = 0u; k < classes; k++) {
                let entry = j * classes + k;
                put(g, entry, slot, own(g, entry, slot) + x * own(r, i * classes + k, slot));
            }
        }
    }
}
