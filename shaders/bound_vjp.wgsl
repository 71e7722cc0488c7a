// uses: penalty
// out (pairs of lower and upper) ← out + factor·(∂G/∂bounds)ᵀ V.
fn bound_vjp(team: Team) {
    let slot = team.slot;
    var lower = 0.0;
    var upper = 0.0;
    for (var j = team.lane; j < penalized; j += team.lanes) {
        let side = own_side(j, penalty, slot);
        let term = real(factor, 0u, slot) * real(v, j, slot);
        let at = 2u * bound_pair(j, penalty);
        if (row_of(penalty) == ROW_BOUNDED) {
            if (side == SIDE_UPPER) {
                put(out, at + 1u, slot, own(out, at + 1u, slot) + term);
            } else if (side == SIDE_LOWER) {
                put(out, at, slot, own(out, at, slot) + term);
            }
        } else if (side == SIDE_UPPER) {
            upper += term;
        } else if (side == SIDE_LOWER) {
            lower += term;
        }
    }
    let lower_total = team_sum(lower);
    let upper_total = team_sum(upper);
    if (team.lane == 0u && row_of(penalty) != ROW_BOUNDED) {
        put(out, 0u, slot, own(out, 0u, slot) + lower_total);
        put(out, 1u, slot, own(out, 1u, slot) + upper_total);
    }
}
