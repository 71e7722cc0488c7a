// Momentum of FISTA with the gradient restart of O'Donoghue and Candès (2015): Y ← W + ((t −
// 1)/t')(W − W_old), t' = (1 + √(1 + 4t²))/2, and t' = 1 after a restart; then W_old ← W. Only
// where active.
fn momentum(team: Team) {
    let slot = team.slot;
    var ascent = 0.0;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        let here = own(w, j, slot);
        ascent += (own(y, j, slot) - here) * (here - own(old, j, slot));
    }
    var before = 1.0;
    var runs = false;
    if (team.lane < team.lanes) {
        before = own(t, 0u, slot);
        runs = word(active_, 0u, slot) != 0u;
    }
    let total = team_sum(ascent);
    // All have read t before lane 0 writes it.
    team_barrier();
    if (!runs) {
        return;
    }
    var next = 1.0;
    var factor = 0.0;
    if (is_nan(total) || total <= 0.0) {
        next = 0.5 * (1.0 + sqrt(1.0 + 4.0 * before * before));
        factor = (before - 1.0) / next;
    }
    if (team.lane == 0u) {
        put(t, 0u, slot, next);
    }
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        let here = own(w, j, slot);
        put(y, j, slot, here + factor * (here - own(old, j, slot)));
        put(old, j, slot, here);
    }
}
