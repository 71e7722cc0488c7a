// α = ρ/σ and −α where active and σ > 0, else 0.
fn cg_alpha(team: Team) {
    let slot = team.slot;
    if (team.lane != 0u) {
        return;
    }
    let curvature = real(sigma, 0u, slot);
    var length = 0.0;
    // A NaN must pass, so that the stop rule sees it: only a true σ ≤ 0 stops.
    if (word(active_, 0u, slot) != 0u && (is_nan(curvature) || curvature > 0.0)) {
        length = real(rho, 0u, slot) / curvature;
    }
    put(alpha, 0u, slot, length);
    put(minus_alpha, 0u, slot, -length);
}
