// uses: loss
// R (rows·c) = scale∘r(Z, y).
fn residual(team: Team) {
    let slot = team.slot;
    let form = common_real(shape, 0u);
    if (loss != LOSS_MULTINOMIAL) {
        for (var i = team.lane; i < rows; i += team.lanes) {
            let slope = row_residual(loss, own(z, i, slot), real(y, i, slot), form);
            put(r, i, slot, real(scale, i, slot) * slope);
        }
        return;
    }
    for (var i = team.lane; i < rows; i += team.lanes) {
        let first = i * classes;
        let largest = largest_of(z, first, classes, slot);
        var total = 0.0;
        for (var k = 0u; k < classes; k++) {
            let power = exponential(own(z, first + k, slot) - largest);
            put(r, first + k, slot, power);
            total += power;
        }
        let label = u32(real(y, i, slot));
        let factor = real(scale, i, slot);
        for (var k = 0u; k < classes; k++) {
            var slope = own(r, first + k, slot) / total;
            if (k == label) {
                slope -= 1.0;
            }
            put(r, first + k, slot, slope * factor);
        }
    }
}
