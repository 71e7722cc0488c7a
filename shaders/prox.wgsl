// uses: penalty
// W = G(U).
fn prox(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const order = 5u;
    const starts = 6u;
    const w = 7u;
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
                let value = real(u, j, slot);
                var kept = 0.0;
                // NaN: the group does not move, but u is no zero either.
                if (group.moves) {
                    kept = (1.0 - group.shrink) * value;
                } else if (is_nan(value)) {
                    kept = value;
                }
                put(w, j, slot, kept);
            }
        }
    } else {
        for (var j = team.lane; j < penalized; j += team.lanes) {
            let value = real(u, j, slot);
            if (penalty == PENALTY_BOX) {
                put(w, j, slot, clip(value, common_real(bounds, 0u), common_real(bounds, 1u)));
                continue;
            }
            let threshold = penalty_threshold(j, slot);
            if (penalty == PENALTY_SOFT) {
                put(w, j, slot, value - clip(value, -threshold, threshold));
            } else {
                let shifted = value - threshold;
                put(w, j, slot, shifted - clip(shifted, -infinity(), 0.0));
            }
        }
    }
    for (var j = penalized + team.lane; j < coordinates; j += team.lanes) {
        put(w, j, slot, real(u, j, slot));
    }
}
