// uses: loss
// Q ← scale∘h∘Q with H of curvature.
fn apply_curvature(team: Team) {
    let slot = team.slot;
    for (var i = team.lane; i < rows; i += team.lanes) {
        if (loss != LOSS_MULTINOMIAL) {
            put(q, i, slot, own(q, i, slot) * own(h, i, slot));
            continue;
        }
        // p∘q − p(p·q), then the row's scale.
        let first = i * classes;
        var mean = 0.0;
        for (var k = 0u; k < classes; k++) {
            mean += own(h, first + k, slot) * own(q, first + k, slot);
        }
        let factor = real(scale, i, slot);
        for (var k = 0u; k < classes; k++) {
            let deviation = own(q, first + k, slot) - mean;
            put(q, first + k, slot, factor * (own(h, first + k, slot) * deviation));
        }
    }
}
