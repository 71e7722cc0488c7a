// value (1) = ½W·Z − b·W with Z = QW.
fn quadratic_value(team: Team) {
    let slot = team.slot;
    var sum = 0.0;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        sum += own(w, j, slot) * (0.5 * own(z, j, slot) - real(b, j, slot));
    }
    let total = team_sum(sum);
    if (team.lane == 0u) {
        put(value, 0u, slot, total);
    }
}
