// uses: penalty
// W = G(U).
fn prox(team: Team) {
    let slot = team.slot;
    if (is_grouped(penalty)) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                let value = own_prox(j, penalty, slot);
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
            put(w, j, slot, own_prox(j, penalty, slot));
        }
    }
    for (var j = penalized + team.lane; j < coordinates; j += team.lanes) {
        put(w, j, slot, real(u, j, slot));
    }
}
