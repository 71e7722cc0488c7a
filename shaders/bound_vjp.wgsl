// uses: penalty
// out (lower, upper) ← out + factor·(∂G/∂bounds)ᵀ V.
fn bound_vjp(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const order = 5u;
    const starts = 6u;
    const v = 7u;
    const factor = 8u;
    const out = 9u;
    let penalized = parameter(1u);
    let penalty = parameter(2u);
    let slot = team.slot;
    let is_box = penalty == PENALTY_BOX;
    var lower = 0.0;
    var upper = 0.0;
    if (is_box) {
        for (var j = team.lane; j < penalized; j += team.lanes) {
            let value = real(u, j, slot);
            let term = real(factor, 0u, slot) * real(v, j, slot);
            if (value >= common_real(bounds, 1u)) {
                upper += term;
            } else if (value <= common_real(bounds, 0u)) {
                lower += term;
            }
        }
    }
    let lower_total = team_sum(lower);
    let upper_total = team_sum(upper);
    if (is_box && team.lane == 0u) {
        put(out, 0u, slot, own(out, 0u, slot) + lower_total);
        put(out, 1u, slot, own(out, 1u, slot) + upper_total);
    }
}
