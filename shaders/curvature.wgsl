// uses: loss
// H (rows·c) = scale∘h(Z, y); multinomial: softmax(Z).
fn curvature(team: Team) {
    let slot = team.slot;
    let form = common_real(shape, 0u);
    if (loss != LOSS_MULTINOMIAL) {
        for (var i = team.lane; i < rows; i += team.lanes) {
            let second = row_curvature(loss, own(z, i, slot), real(y, i, slot), form);
            put(h, i, slot, real(scale, i, slot) * second);
        }
        return;
    }
    for (var i = team.lane; i < rows; i += team.lanes) {
        let first = i * classes;
        let largest = largest_of(z, first, classes, slot);
        var total = 0.0;
        for (var k = 0u; k < classes; k++) {
            let power = exponential(own(z, first + k, slot) - largest);
            put(h, first + k, slot, power);
            total += power;
        }
        for (var k = 0u; k < classes; k++) {
            put(h, first + k, slot, own(h, first + k, slot) / total);
        }
    }
}
