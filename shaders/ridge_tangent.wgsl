// out ← out − γ(λ̇₂(W − c) − λ₂ċ) over the penalised coordinates.
fn ridge_tangent(team: Team) {
    let slot = team.slot;
    if (team.lane >= penalized) {
        return;
    }
    let rate = real(gamma, 0u, slot);
    for (var j = team.lane; j < penalized; j += team.lanes) {
        let ridge = real(l2, j * ridge_stride, slot);
        let change = real(l2_tangent, j * ridge_stride, slot);
        let pull = change * (own(w, j, slot) - real(prior, j, slot)) - ridge * real(prior_tangent, j, slot);
        put(out, j, slot, own(out, j, slot) - rate * pull);
    }
}
