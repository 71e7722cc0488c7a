// counter ← counter − 1.
fn retreat(team: Team) {
    let slot = team.slot;
    if (team.lane == 0u) {
        put_word(counter, 0u, slot, own_word(counter, 0u, slot) - 1u);
    }
}
