// out = G + λ₂Y over the penalised coordinates, G elsewhere.
fn add_ridge(team: Team) {
    const y = 0u;
    const g = 1u;
    const l2 = 2u;
    const out = 3u;
    let coordinates = parameter(0u);
    let penalized = parameter(1u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let ridge = real(l2, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        var value = own(g, j, slot);
        if (j < penalized) {
            value += ridge * own(y, j, slot);
        }
        put(out, j, slot, value);
    }
}
