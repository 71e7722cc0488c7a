// uses: penalty
// out = the projection of V to range(D).
fn range_projection(team: Team) {
    let slot = team.slot;
    if (is_grouped(penalty)) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                var value = 0.0;
                if (group.moves && own_keeps(j, penalty, slot)) {
                    value = real(v, j, slot);
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
