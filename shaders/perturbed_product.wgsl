// Z[perturbed] ← Z[perturbed] + Ṗ·W.
// No row is perturbed twice.
fn perturbed_product(team: Team) {
    let slot = team.slot;
    let entries = count * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let first = entry / classes * features;
        let k = entry % classes;
        let to = common_word(perturbed, entry / classes) * classes + k;
        var sum = own(z, to, slot);
        for (var j = 0u; j < features; j++) {
            sum += real(tangent, first + j, slot) * own(w, j * classes + k, slot);
        }
        put(z, to, slot, sum);
    }
}
