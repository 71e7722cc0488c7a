// out (rows) ← out − factor·γ Σ_k r_ik q_ik, r the residual over n.
fn weight_vjp(team: Team) {
    let slot = team.slot;
    if (team.lane >= rows) {
        return;
    }
    let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
    for (var i = team.lane; i < rows; i += team.lanes) {
        var value = own(out, i, slot);
        for (var k = 0u; k < classes; k++) {
            let at = i * classes + k;
            value -= share * (own(r, at, slot) * own(q, at, slot));
        }
        put(out, i, slot, value);
    }
}
