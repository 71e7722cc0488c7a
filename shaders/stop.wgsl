// Updates `active`, `status` and `steps` from this step's residual; the rule is that of the twin.
fn stop(team: Team) {
    let slot = team.slot;
    if (team.lane != 0u || own_word(active_, 0u, slot) == 0u) {
        return;
    }
    let now = real(residual, 0u, slot);
    let reference = real(scale, 0u, slot);
    let tolerance = common_real(rule, 0u);
    let rounding = common_real(rule, 1u);
    let improvement = common_real(rule, 2u);
    let end = common_real(rule, 3u) * reference;
    let taken = own_word(steps, 0u, slot) + 1u;
    put_word(steps, 0u, slot, taken);
    if (taken == 1u) {
        put(history, 0u, slot, now);
        put(history, 1u, slot, infinity());
    }
    let first = own(history, 0u, slot);
    var resting = own_word(idle, 0u, slot) + 1u;
    if (now < improvement * own(history, 1u, slot)) {
        put(history, 1u, slot, now);
        resting = 0u;
    }
    let best = own(history, 1u, slot);
    put_word(idle, 0u, slot, resting);
    var ending = 0u;
    if (!is_finite(now)) {
        ending = 5u; // non-finite
    } else if (tolerance >= 0.0 && now <= tolerance * reference) {
        ending = 1u; // converged
    } else if (tolerance >= 0.0 && best <= end && now > 1e2 * best && now <= 1e3 * end) {
        ending = 1u;
    } else if (now > 1e8 * first && first > 0.0) {
        ending = 4u; // diverged
    } else if (resting >= window && resting >= taken / 4u && best <= rounding * reference) {
        ending = 1u;
    } else if (resting >= patience) {
        ending = 3u; // stalled
    } else if (taken >= word(limit, 0u, slot)) {
        ending = 2u; // budget spent
    }
    if (ending != 0u) {
        put_word(active_, 0u, slot, 0u);
        put_word(status, 0u, slot, ending);
    }
}
