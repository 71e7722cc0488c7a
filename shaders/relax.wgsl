// X ← (1 − η)X + η·Y with one η per problem.
fn relax(team: Team) {
    const y = 0u;
    const eta = 1u;
    const x = 2u;
    let coordinates = parameter(0u);
    let slot = team.slot;
    if (team.lane >= coordinates) {
        return;
    }
    let rate = real(eta, 0u, slot);
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        put(x, j, slot, (1.0 - rate) * own(x, j, slot) + rate * own(y, j, slot));
    }
}
