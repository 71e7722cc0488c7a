// value (1) = ‖A − B‖/γ, the scaled residual.
fn distance_kernel(team: Team) {
    let slot = team.slot;
    var squares = 0.0;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        let difference = real(a, j, slot) - real(b, j, slot);
        squares += difference * difference;
    }
    let total = team_sum(squares);
    if (team.lane == 0u) {
        put(value, 0u, slot, sqrt(total) / real(gamma, 0u, slot));
    }
}
