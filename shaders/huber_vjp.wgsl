// out (1) ← out − factor·γ Σ r_i q_i over the rows without curvature, which the loss clips.
fn huber_vjp(team: Team) {
    let slot = team.slot;
    var part = 0.0;
    for (var i = team.lane; i < rows; i += team.lanes) {
        if (own(h, i, slot) == 0.0) {
            part += own(r, i, slot) * own(q, i, slot);
        }
    }
    let total = team_sum(part);
    if (team.lane == 0u) {
        let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
        put(out, 0u, slot, own(out, 0u, slot) - share * total);
    }
}
