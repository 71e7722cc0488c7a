// out (penalized) ← out + factor·γλ₂Z.
fn prior_vjp(team: Team) {
    let slot = team.slot;
    if (team.lane >= penalized) {
        return;
    }
    let share = real(factor, 0u, slot) * real(gamma, 0u, slot);
    for (var j = team.lane; j < penalized; j += team.lanes) {
        put(out, j, slot, own(out, j, slot) + share * real(l2, j * ridge_stride, slot) * own(z, j, slot));
    }
}
