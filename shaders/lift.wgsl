// uses: penalty
// V = D⁺Z on range(D), rest elsewhere.
fn lift(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const order = 5u;
    const starts = 6u;
    const z = 7u;
    const rest = 8u;
    const v = 9u;
    let coordinates = parameter(0u);
    let penalized = parameter(1u);
    let penalty = parameter(2u);
    let slot = team.slot;
    if (penalty == PENALTY_GROUP) {
        // D⁺ = (I − tûûᵀ)/(1 − t) on a group that moves.
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, slot);
            let along = penalty_along(g, z, group, slot);
            let left = 1.0 - group.shrink;
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                var value = real(rest, j, slot);
                if (group.moves) {
                    let direction = penalty_direction(group, real(u, j, slot));
                    value = 1.0 / left * real(z, j, slot) - group.shrink / left * direction * along;
                }
                put(v, j, slot, value);
            }
        }
    }
    for (var j = first_masked(penalty, penalized, team); j < coordinates; j += team.lanes) {
        if (penalty_keeps(j, penalized, penalty, slot)) {
            put(v, j, slot, real(z, j, slot));
        } else {
            put(v, j, slot, real(rest, j, slot));
        }
    }
}
