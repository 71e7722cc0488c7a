// η = β/(κ + i) at step i; a constant step has β = η and a negative κ.
fn schedule(team: Team) {
    let slot = team.slot;
    if (team.lane != 0u) {
        return;
    }
    let first = real(beta, 0u, slot);
    let shift = real(kappa, 0u, slot);
    if (shift < 0.0) {
        put(eta, 0u, slot, first);
    } else {
        put(eta, 0u, slot, first / (shift + f32(word(counter, 0u, slot))));
    }
}
