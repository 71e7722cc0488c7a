// G ← G + Ṗᵀ·R[perturbed].
fn perturbed_adjoint(team: Team) {
    let slot = team.slot;
    let entries = features * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let j = entry / classes;
        let k = entry % classes;
        var sum = own(g, entry, slot);
        for (var at = 0u; at < count; at++) {
            let row = common_word(perturbed, at);
            sum += real(tangent, at * features + j, slot) * own(r, row * classes + k, slot);
        }
        put(g, entry, slot, sum);
    }
}
