// uses: penalty
// diagonal ← diagonal + diag((D⁺ − I)/γ) on range(D), and 1 off it.
fn prox_diagonal(team: Team) {
    let slot = team.slot;
    if (is_grouped(penalty)) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            let bend = group.shrink / (1.0 - group.shrink) / real(gamma, 0u, slot);
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                var value = 1.0;
                if (group.moves && own_keeps(j, penalty, slot)) {
                    let direction = penalty_direction(group, j, penalty, slot);
                    value = own(diagonal, j, slot) + bend * (1.0 - direction * direction);
                }
                put(diagonal, j, slot, value);
            }
        }
    }
    for (var j = first_masked(penalty, penalized, team); j < coordinates; j += team.lanes) {
        if (!penalty_keeps(j, penalized, penalty, slot)) {
            put(diagonal, j, slot, 1.0);
        }
    }
}
