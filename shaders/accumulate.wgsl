// out ← out + factor·A, one factor for all.
fn accumulate(team: Team) {
    const a = 0u;
    const factor = 1u;
    const out = 2u;
    let coordinates = parameter(0u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let share = real(factor, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(out, j, slot, own(out, j, slot) + share * own(a, j, slot));
    }
}
