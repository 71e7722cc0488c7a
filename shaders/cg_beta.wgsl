// β = ρ'/ρ (0 where ρ = 0), then ρ ← ρ'.
fn cg_beta(team: Team) {
    let slot = team.slot;
    if (team.lane != 0u) {
        return;
    }
    let now = real(rho_new, 0u, slot);
    let before = own(rho, 0u, slot);
    var ratio = 0.0;
    if (before != 0.0) {
        ratio = now / before;
    }
    put(beta, 0u, slot, ratio);
    put(rho, 0u, slot, now);
}
