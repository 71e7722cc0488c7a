// uses: penalty
// out ← out + (D⁺ − I)Z/γ on range(D): zero for masks, the curvature of the norms for groups.
// D⁺ − I = t/(1 − t)·(I − ŝŝᵀ) on a group that moves.
fn prox_curvature(team: Team) {
    let slot = team.slot;
    if (!is_grouped(penalty)) {
        return;
    }
    let groups = penalty_groups();
    for (var g = team.lane; g < groups; g += team.lanes) {
        let group = penalty_group(g, penalty, slot);
        if (!group.moves) {
            continue;
        }
        let along = penalty_along(g, z, penalty, group, slot);
        let bend = group.shrink / (1.0 - group.shrink);
        let end = common_word(starts, g + 1u);
        for (var at = common_word(starts, g); at < end; at++) {
            let j = common_word(order, at);
            if (own_keeps(j, penalty, slot)) {
                let direction = penalty_direction(group, j, penalty, slot);
                let value = bend * real(z, j, slot) - bend * direction * along;
                put(out, j, slot, own(out, j, slot) + value / real(gamma, 0u, slot));
            }
        }
    }
}
