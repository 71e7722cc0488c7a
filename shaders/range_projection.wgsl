// uses: penalty
// out = the projection of V to range(D).
fn range_projection(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const order = 5u;
    const starts = 6u;
    const v = 7u;
    const out = 8u;
    let coordinates = parameter(0u);
    let penalized = parameter(1u);
    let penalty = parameter(2u);
    let slot = team.slot;
    if (penalty == PENALTY_GROUP) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, slot);
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                var value = 0.0;
                if (group.moves) {
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
