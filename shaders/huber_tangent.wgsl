// R ← R + δ̇·r over the rows without curvature, which the loss clips.
fn huber_tangent(team: Team) {
    let slot = team.slot;
    for (var i = team.lane; i < rows; i += team.lanes) {
        if (own(h, i, slot) == 0.0) {
            put(out, i, slot, own(out, i, slot) + real(tangent, 0u, slot) * own(r, i, slot));
        }
    }
}
