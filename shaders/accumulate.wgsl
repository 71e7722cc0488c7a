// out ← out + factor·A, one factor for all.
fn accumulate(team: Team) {
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let share = real(factor, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(out, j, slot, own(out, j, slot) + share * own(a, j, slot));
    }
}
