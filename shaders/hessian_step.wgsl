// out = Y − γ(G + λ₂Y) + term: ∂₁Tᵀ applied to Y, G being the loss's Hessian times Y.
fn hessian_step(team: Team) {
    const y = 0u;
    const g = 1u;
    const term = 2u;
    const l2 = 3u;
    const gamma = 4u;
    const out = 5u;
    let coordinates = parameter(0u);
    let penalized = parameter(1u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let ridge = real(l2, 0u, slot);
    let rate = real(gamma, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        let value = own(y, j, slot);
        var pull = own(g, j, slot);
        if (j < penalized) {
            pull += ridge * value;
        }
        put(out, j, slot, value - rate * pull + real(term, j, slot));
    }
}
