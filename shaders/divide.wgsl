// out = X/diagonal.
fn divide(team: Team) {
    let slot = team.slot;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        var value = own(x, j, slot);
        let divisor = own(diagonal, j, slot);
        // A coordinate without curvature is left as it is: its right-hand side is zero.
        if (divisor > 0.0) {
            value = value / divisor;
        }
        put(out, j, slot, value);
    }
}
