// uses: penalty
// out (1) ← out + factor·(∂G/∂strength)ᵀ V for the strength that grouped coordinates share:
// γ Σ slope_j (DV)_j.
fn shared_strength_vjp(team: Team) {
    let slot = team.slot;
    var part = 0.0;
    let groups = penalty_groups();
    if (is_grouped(penalty) && own_strengths(penalty) != 0u) {
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            if (!group.moves) {
                continue;
            }
            let along = penalty_along(g, v, penalty, group, slot);
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                if (own_keeps(j, penalty, slot)) {
                    let direction = penalty_direction(group, j, penalty, slot);
                    let image = (1.0 - group.shrink) * real(v, j, slot) + group.shrink * direction * along;
                    part += own_slope(j, penalty, slot) * image;
                }
            }
        }
    }
    let total = team_sum(part);
    if (team.lane == 0u) {
        put(out, 0u, slot, own(out, 0u, slot) + real(factor, 0u, slot) * total);
    }
}
