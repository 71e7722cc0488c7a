// uses: penalty
// out = D·V.
fn prox_derivative(team: Team) {
    let slot = team.slot;
    if (is_grouped(penalty)) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            let along = penalty_along(g, v, penalty, group, slot);
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                var value = 0.0;
                if (group.moves && own_keeps(j, penalty, slot)) {
                    let direction = penalty_direction(group, j, penalty, slot);
                    value = (1.0 - group.shrink) * real(v, j, slot) + group.shrink * direction * along;
                }
                put(out, j, slot, value);
            }
        }
    }
    for (var j = first_masked(penalty, penalized, team); j < coordinates; j += team.lanes) {
        var value = 0.0;
        if (penalty_keeps(j, penalized, penalty, slot)) {
            value = real(v, j, slot);
        }
        put(out, j, slot, value);
    }
}
