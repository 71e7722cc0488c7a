// G (columns·c) = X[rows]ᵀ·R, X sparse by rows.
// Rows share columns: every lane walks through all of them and minds the columns that are its own.
fn sampled_sparse_adjoint(team: Team) {
    let slot = team.slot;
    if (team.lane >= min(columns, team.lanes)) {
        return;
    }
    for (var j = team.lane; j < columns; j += team.lanes) {
        for (var k = 0u; k < classes; k++) {
            put(g, j * classes + k, slot, 0.0);
        }
    }
    let start = word(counter, 0u, slot) % ring * batch;
    for (var i = 0u; i < batch; i++) {
        let row = word(rows, start + i, slot);
        let end = common_word(starts, row + 1u);
        for (var at = common_word(starts, row); at < end; at++) {
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
