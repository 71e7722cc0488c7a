// active ← 1 where first ≤ counter < last, else 0.
fn window(team: Team) {
    let slot = team.slot;
    if (team.lane != 0u) {
        return;
    }
    let now = word(counter, 0u, slot);
    if (word(first, 0u, slot) <= now && now < word(last, 0u, slot)) {
        put_word(active_, 0u, slot, 1u);
    } else {
        put_word(active_, 0u, slot, 0u);
    }
}
