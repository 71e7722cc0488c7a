// R (rows·c) ← R + ṡ∘r, r the residual over n.
fn weight_tangent(team: Team) {
    let slot = team.slot;
    let entries = rows * classes;
    for (var at = team.lane; at < entries; at += team.lanes) {
        put(out, at, slot, own(out, at, slot) + real(tangent, at / classes, slot) * own(r, at, slot));
    }
}
