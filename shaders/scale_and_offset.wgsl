// W' = W∘σ⁻¹ and the offset m·W' (c).
fn scale_and_offset(team: Team) {
    let slot = team.slot;
    for (var k = 0u; k < classes; k++) {
        var sum = 0.0;
        for (var j = team.lane; j < columns; j += team.lanes) {
            let value = own(w, j * classes + k, slot) * common_real(inverse_scale, j);
            put(scaled, j * classes + k, slot, value);
            sum += common_real(center, j) * value;
        }
        let total = team_sum(sum);
        if (team.lane == 0u) {
            put(offset, k, slot, total);
        }
    }
}
