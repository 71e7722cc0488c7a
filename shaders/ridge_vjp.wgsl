// out ← out − factor·γ(W − c)·Z over the penalised coordinates: one sum, or with a stride of λ₂ of 1
// one share for each.
fn ridge_vjp(team: Team) {
    let slot = team.slot;
    if (ridge_stride > 0u) {
        for (var j = team.lane; j < penalized; j += team.lanes) {
            let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
            let along = (own(w, j, slot) - real(prior, j, slot)) * own(z, j, slot);
            put(out, j, slot, own(out, j, slot) - share * along);
        }
        return;
    }
    var sum = 0.0;
    for (var j = team.lane; j < penalized; j += team.lanes) {
        sum += (own(w, j, slot) - real(prior, j, slot)) * own(z, j, slot);
    }
    let total = team_sum(sum);
    if (team.lane == 0u) {
        let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
        put(out, 0u, slot, own(out, 0u, slot) - share * total);
    }
}
