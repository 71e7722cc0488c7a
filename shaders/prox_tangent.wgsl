// uses: penalty
// out ← out + (∂G/∂strength)·tangent + (∂G/∂bounds)·bound_tangent.
fn prox_tangent(team: Team) {
    let slot = team.slot;
    if (is_grouped(penalty)) {
        let first = own_strengths(penalty);
        var own_tangent = 0.0;
        if (first != 0u) {
            own_tangent = real(tangent, 0u, slot);
        }
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            if (!group.moves) {
                continue;
            }
            let end = common_word(starts, g + 1u);
            // ŝ·(slope∘tangent of the coordinates' strength).
            var along = 0.0;
            if (first != 0u) {
                for (var at = common_word(starts, g); at < end; at++) {
                    let j = common_word(order, at);
                    along += penalty_direction(group, j, penalty, slot) * own_slope(j, penalty, slot);
                }
                along *= own_tangent;
            }
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                let direction = penalty_direction(group, j, penalty, slot);
                let pull = real(gamma, 0u, slot) * direction;
                var change = -pull * real(tangent, first + g, slot);
                if (first != 0u) {
                    let moved = own_slope(j, penalty, slot) * own_tangent;
                    change += (1.0 - group.shrink) * moved + group.shrink * direction * along;
                }
                put(out, j, slot, own(out, j, slot) + change);
            }
        }
        return;
    }
    for (var j = team.lane; j < penalized; j += team.lanes) {
        let side = own_side(j, penalty, slot);
        var change = 0.0;
        if (side == SIDE_UPPER) {
            change = real(bound_tangent, 2u * bound_pair(j, penalty) + 1u, slot);
        } else if (side == SIDE_LOWER) {
            change = real(bound_tangent, 2u * bound_pair(j, penalty), slot);
        } else {
            change = own_slope(j, penalty, slot) * real(tangent, j, slot);
        }
        put(out, j, slot, own(out, j, slot) + change);
    }
}
