// value = √value.
fn square_root(team: Team) {
    let slot = team.slot;
    if (team.lane == 0u) {
        put(value, 0u, slot, sqrt(own(value, 0u, slot)));
    }
}
