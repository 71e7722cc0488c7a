// G ← σ⁻¹∘(G − m·(1ᵀR)).
fn center_adjoint(team: Team) {
    const center = 0u;
    const inverse_scale = 1u;
    const r = 2u;
    const g = 3u;
    let rows = parameter(0u);
    let columns = parameter(1u);
    let classes = parameter(2u);
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
