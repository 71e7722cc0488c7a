// out (perturbed rows × features) ← out − factor·γ Σ_k (z_jk r_ik + w_jk (hq)_ik).
fn perturbation_vjp(team: Team) {
    const perturbed = 0u;
    const r = 1u;
    const hq = 2u;
    const z = 3u;
    const w = 4u;
    const gamma = 5u;
    const factor = 6u;
    const out = 7u;
    let count = parameter(0u);
    let features = parameter(1u);
    let classes = parameter(2u);
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
