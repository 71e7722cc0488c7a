// uses: penalty
// out (one per strength) ← out + factor·(∂G/∂strength)ᵀ V; for grouped penalties those of the groups.
fn strength_vjp(team: Team) {
    let slot = team.slot;
    if (is_grouped(penalty)) {
        let groups = penalty_groups();
        for (var g = team.lane; g < groups; g += team.lanes) {
            let group = penalty_group(g, penalty, slot);
            if (group.moves) {
                let along = penalty_along(g, v, penalty, group, slot);
                let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
                let entry = own_strengths(penalty) + g;
                put(out, entry, slot, own(out, entry, slot) - share * along);
            }
        }
        return;
    }
    for (var j = team.lane; j < penalized; j += team.lanes) {
        let share = real(factor, 0u, slot) * own_slope(j, penalty, slot);
        put(out, j, slot, own(out, j, slot) + share * real(v, j, slot));
    }
}
