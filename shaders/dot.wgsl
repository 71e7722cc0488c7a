// value (1) = A·B.
fn dot_kernel(team: Team) {
    let slot = team.slot;
    var sum = 0.0;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        sum += real(a, j, slot) * real(b, j, slot);
    }
    let total = team_sum(sum);
    if (team.lane == 0u) {
        put(value, 0u, slot, total);
    }
}
