// uses: loss
// value (1) = Σ scale·ℓ(Z, y).
fn loss_value(team: Team) {
    let slot = team.slot;
    let form = common_real(shape, 0u);
    var sum = 0.0;
    for (var i = team.lane; i < rows; i += team.lanes) {
        var cost = 0.0;
        if (loss == LOSS_MULTINOMIAL) {
            let first = i * classes;
            let largest = largest_of(z, first, classes, slot);
            var total = 0.0;
            for (var k = 0u; k < classes; k++) {
                total += exponential(own(z, first + k, slot) - largest);
            }
            let label = u32(real(y, i, slot));
            cost = largest + natural_logarithm(total) - own(z, first + label, slot);
        } else {
            cost = row_value(loss, own(z, i, slot), real(y, i, slot), form);
        }
        sum += real(scale, i, slot) * cost;
    }
    let all_rows = team_sum(sum);
    if (team.lane == 0u) {
        put(value, 0u, slot, all_rows);
    }
}
