// uses: penalty
// out (one per strength) ← out + factor·(∂G/∂strength)ᵀ V.
fn strength_vjp(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const order = 5u;
    const starts = 6u;
    const v = 7u;
    const factor = 8u;
    const out = 9u;
    let penalized = parameter(1u);
    let penalty = parameter(2u);
    let slot = team.slot;
    if (penalty == PENALTY_GROUP) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, slot);
            if (group.moves) {
                let along = penalty_along(g, v, group, slot);
                let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
                put(out, g, slot, own(out, g, slot) - share * along);
            }
        }
        return;
    }
    for (var j = team.lane; j < penalized; j += team.lanes) {
        let share = real(factor, 0u, slot) * strength_derivative(j, penalty, slot);
        put(out, j, slot, own(out, j, slot) + share * real(v, j, slot));
    }
}
