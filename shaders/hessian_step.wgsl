// out = Y − γ(G + λ₂Y) + term: ∂₁Tᵀ applied to Y, G being the loss's Hessian times Y.
fn hessian_step(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let rate = real(gamma, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        let value = own(y, j, slot);
        var pull = own(g, j, slot);
        if (j < penalized) {
            pull += real(l2, j * ridge_stride, slot) * value;
        }
        put(out, j, slot, value - rate * pull + real(term, j, slot));
    }
}
