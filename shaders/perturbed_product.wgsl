// Z[perturbed] ← Z[perturbed] + Ṗ·W.
// No row is perturbed twice.
fn perturbed_product(team: Team) {
    const perturbed = 0u;
    const tangent = 1u;
    const w = 2u;
    const z = 3u;
    let count = parameter(0u);
    let features = parameter(1u);
    let classes = parameter(2u);
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
