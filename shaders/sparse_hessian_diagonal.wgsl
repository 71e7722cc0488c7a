// diagonal (columns·c) = Σ_i h_i x̂_ij² + λ₂ for a sparse design by rows with its centre m and inverse scale.
// Σ h(x − m)² = Σ h(x² − 2mx) + m²Σh over stored entries. Rows share columns: every lane walks
// through all of them and minds the columns that are its own.
fn sparse_hessian_diagonal(team: Team) {
    let slot = team.slot;
    if (team.lane >= min(columns, team.lanes)) {
        return;
    }
    for (var k = 0u; k < classes; k++) {
        for (var j = team.lane; j < columns; j += team.lanes) {
            put(diagonal, j * classes + k, slot, 0.0);
        }
        var total = 0.0;
        for (var i = 0u; i < rows; i++) {
            var weight = own(h, i * classes + k, slot);
            if (multinomial != 0u) {
                weight = real(scale, i, slot) * weight * (1.0 - weight);
            }
            total += weight;
            let end = common_word(starts, i + 1u);
            for (var at = common_word(starts, i); at < end; at++) {
                let j = common_word(indices, at);
                if (j % team.lanes == team.lane) {
                    let x = common_real(values, at);
                    let m = common_real(center, j);
                    let entry = j * classes + k;
                    put(diagonal, entry, slot, own(diagonal, entry, slot) + weight * (x * (x - m - m)));
                }
            }
        }
        for (var j = team.lane; j < columns; j += team.lanes) {
            let entry = j * classes + k;
            let m = common_real(center, j);
            let inverse = common_real(inverse_scale, j);
            var sum = (own(diagonal, entry, slot) + total * m * m) * inverse * inverse;
            if (entry < penalized) {
                sum += real(l2, entry * ridge_stride, slot);
            }
            put(diagonal, entry, slot, sum);
        }
    }
}
