// out (perturbed rows × features) ← out − factor·γ Σ_k (z_jk r_ik + w_jk (hq)_ik).
fn perturbation_vjp(team: Team) {
    let slot = team.slot;
    let entries = count * features;
    if (team.lane >= entries) {
        return;
    }
    let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let first = common_word(perturbed, entry / features) * classes;
        let j = entry % features;
        var value = own(out, entry, slot);
        for (var k = 0u; k < classes; k++) {
            let along = own(z, j * classes + k, slot) * own(r, first + k, slot);
            let across = own(w, j * classes + k, slot) * own(hq, first + k, slot);
            value -= share * (along + across);
        }
        put(out, entry, slot, value);
    }
}
