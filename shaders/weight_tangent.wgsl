// R (rows·c) ← R + ṡ∘r, r the residual over n.
fn weight_tangent(team: Team) {
    const r = 0u;
    const tangent = 1u;
    const out = 2u;
    let rows = parameter(0u);
    let classes = parameter(1u);
    let slot = team.slot;
    let entries = rows * classes;
    for (var at = team.lane; at < entries; at += team.lanes) {
        put(out, at, slot, own(out, at, slot) + real(tangent, at / classes, slot) * own(r, at, slot));
    }
}
