// G ← σ⁻¹∘(G − m·(1ᵀR)).
fn center_adjoint(team: Team) {
    let slot = team.slot;
    for (var k = 0u; k < classes; k++) {
        var sum = 0.0;
        for (var i = team.lane; i < rows; i += team.lanes) {
            sum += own(r, i * classes + k, slot);
        }
        let total = team_sum(sum);
        for (var j = team.lane; j < columns; j += team.lanes) {
            let entry = j * classes + k;
            let centred = own(g, entry, slot) - common_real(center, j) * total;
            put(g, entry, slot, centred * common_real(inverse_scale, j));
        }
    }
}
