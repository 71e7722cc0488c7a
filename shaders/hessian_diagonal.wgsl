// diagonal (columns·c) = Σ_i h_i x̂_ij² + λ₂, multinomial with h = scale·p(1 − p); dense.
// Page after page of the design: the first starts from zero, the last adds λ₂.
fn hessian_diagonal(team: Team) {
    let slot = team.slot;
    let page_start = jobs[current].page_start;
    let page_rows = jobs[current].page_rows;
    let is_last = page_start + page_rows == rows;
    let entries = columns * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let j = entry / classes;
        let k = entry % classes;
        var sum = 0.0;
        if (page_start > 0u) {
            sum = own(diagonal, entry, slot);
        }
        for (var i = 0u; i < page_rows; i++) {
            let row = page_start + i;
            var weight = own(h, row * classes + k, slot);
            if (multinomial != 0u) {
                weight = real(scale, row, slot) * weight * (1.0 - weight);
            }
            let x = design_entry(i * columns + j);
            sum += weight * (x * x);
        }
        if (is_last && entry < penalized) {
            sum += real(l2, entry * ridge_stride, slot);
        }
        put(diagonal, entry, slot, sum);
    }
}
