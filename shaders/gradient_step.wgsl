// U = W − γ(G + λ₂(W − c)): the inner map T. λ₂ acts on the first `penalized` coordinates.
fn gradient_step(team: Team) {
    let slot = team.slot;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        var pull = real(g, j, slot);
        if (j < penalized) {
            pull += real(l2, j * ridge_stride, slot) * (real(w, j, slot) - real(prior, j, slot));
        }
        put(u, j, slot, real(w, j, slot) - real(gamma, 0u, slot) * pull);
    }
}
