// out = G + λ₂Y over the penalised coordinates, G elsewhere.
fn add_ridge(team: Team) {
    let slot = team.slot;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        var value = own(g, j, slot);
        if (j < penalized) {
            value += real(l2, j * ridge_stride, slot) * own(y, j, slot);
        }
        put(out, j, slot, value);
    }
}
