// Z (rows·c) = X·W with X by rows. The adjoint is the same kernel on X by columns.
fn sparse_product(team: Team) {
    let slot = team.slot;
    let entries = rows * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let i = entry / classes;
        let k = entry % classes;
        let end = common_word(starts, i + 1u);
        var sum = 0.0;
        for (var at = common_word(starts, i); at < end; at++) {
            sum += common_real(values, at) * own(w, common_word(indices, at) * classes + k, slot);
        }
        put(z, entry, slot, sum);
    }
}
