// uses: penalty
// out ← out + (∂G/∂strength)·tangent + (∂G/∂bounds)·bound_tangent.
fn prox_tangent(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const order = 5u;
    const starts = 6u;
    const tangent = 7u;
    const bound_tangent = 8u;
    const out = 9u;
    let penalized = parameter(1u);
    let penalty = parameter(2u);
    let slot = team.slot;
    if (penalty == PENALTY_GROUP) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, slot);
            if (!group.moves) {
                continue;
            }
            let end = common_word(starts, g + 1u);
            for (var at = common_word(starts, g); at < end; at++) {
                let j = common_word(order, at);
                let pull = real(gamma, 0u, slot) * penalty_direction(group, real(u, j, slot));
                put(out, j, slot, own(out, j, slot) - pull * real(tangent, g, slot));
            }
        }
        return;
    }
    for (var j = team.lane; j < penalized; j += team.lanes) {
        var change = 0.0;
        if (penalty == PENALTY_BOX) {
            let value = real(u, j, slot);
            if (value >= common_real(bounds, 1u)) {
                change = real(bound_tangent, 1u, slot);
            } else if (value <= common_real(bounds, 0u)) {
                change = real(bound_tangent, 0u, slot);
            }
        } else {
            change = strength_derivative(j, penalty, slot) * real(tangent, j, slot);
        }
        put(out, j, slot, own(out, j, slot) + change);
    }
}
