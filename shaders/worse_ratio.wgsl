// value = max(a/scale_a, b/scale_b), 0/0 being 0.
fn worse_ratio(team: Team) {
    let slot = team.slot;
    if (team.lane != 0u) {
        return;
    }
    var first = real(a, 0u, slot);
    if (first != 0.0) {
        first = first / real(scale_a, 0u, slot);
    }
    var second = real(b, 0u, slot);
    if (second != 0.0) {
        second = second / real(scale_b, 0u, slot);
    }
    // A NaN on either side must come out.
    if (is_nan(first) || (!is_nan(second) && first > second)) {
        put(value, 0u, slot, first);
    } else {
        put(value, 0u, slot, second);
    }
}
