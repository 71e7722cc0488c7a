// U = W − γ(G + λ₂(W − c)): the inner map T. λ₂ acts on the first `penalized` coordinates.
fn gradient_step(team: Team) {
    const w = 0u;
    const g = 1u;
    const prior = 2u;
    const l2 = 3u;
    const gamma = 4u;
    const u = 5u;
    let coordinates = parameter(0u);
    let penalized = parameter(1u);
    let slot = team.slot;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        var pull = real(g, j, slot);
        if (j < penalized) {
            pull += real(l2, 0u, slot) * (real(w, j, slot) - real(prior, j, slot));
        }
        put(u, j, slot, real(w, j, slot) - real(gamma, 0u, slot) * pull);
    }
}
