// uses: penalty
// V = D⁺Z on range(D), rest elsewhere.
fn lift(team: Team) {
    let slot = team.slot;
    if (is_grouped(penalty)) {
        // D⁺ = (I − tŝŝᵀ)/(1 − t) on a group that moves.
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            let along = penalty_along(g, z, penalty, group, slot);
            let left = 1.0 - group.shrink;
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                var value = real(rest, j, slot);
                if (group.moves && own_keeps(j, penalty, slot)) {
                    let direction = penalty_direction(group, j, penalty, slot);
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
