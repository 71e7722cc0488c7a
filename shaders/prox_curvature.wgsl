// uses: penalty
// out ← out + (D⁺ − I)Z/γ on range(D): zero for masks, the curvature of the norms for groups.
// D⁺ − I = t/(1 − t)·(I − ûûᵀ) on a group that moves.
fn prox_curvature(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const order = 5u;
    const starts = 6u;
    const z = 7u;
    const out = 8u;
    let penalized = parameter(1u);
    let penalty = parameter(2u);
    let slot = team.slot;
    if (penalty != PENALTY_GROUP) {
        return;
    }
    let groups = penalty_groups();
    for (var g = team.lane; g < groups; g += team.lanes) {
        let group = penalty_group(g, slot);
        if (!group.moves) {
            continue;
        }
        let along = penalty_along(g, z, group, slot);
        let bend = group.shrink / (1.0 - group.shrink);
        let end = common_word(starts, g + 1u);
        for (var at = common_word(starts, g); at < end; at++) {
            let j = common_word(order, at);
            let direction = penalty_direction(group, real(u, j, slot));
            let value = bend * real(z, j, slot) - bend * direction * along;
            put(out, j, slot, own(out, j, slot) + value / real(gamma, 0u, slot));
        }
    }
}
