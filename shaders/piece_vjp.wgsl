// uses: penalty
// From ring[counter mod slots]: Y = D·α on the pieces, and out ← out + (∂G/∂strength)ᵀα (box: out
// holds the lower and the upper bound).
fn piece_vjp(team: Team) {
    let slot = team.slot;
    let per_word = 16u;
    let blocks = (penalized + per_word - 1u) / per_word;
    let is_box = row_of(penalty) == ROW_INTERVAL;
    var lower = 0.0;
    var upper = 0.0;
    for (var j = team.lane; j < coordinates; j += team.lanes) {
        let value = own(alpha, j, slot);
        if (j >= penalized) {
            put(y, j, slot, value);
            continue;
        }
        let start = word(counter, 0u, slot) % slots * blocks;
        let packed = own_word(ring, start + j / per_word, slot);
        let piece = (packed >> (2u * (j % per_word))) & 3u;
        var passed = 0.0;
        if (is_box == (piece == 0u)) {
            passed = value;
        }
        put(y, j, slot, passed);
        if (is_box) {
            if (piece == 1u) {
                upper += value;
            } else if (piece == 2u) {
                lower += value;
            }
        } else if (piece == 1u) {
            put(out, j, slot, own(out, j, slot) - real(gamma, 0u, slot) * value);
        } else if (piece == 2u) {
            put(out, j, slot, own(out, j, slot) + real(gamma, 0u, slot) * value);
        }
    }
    let lower_total = team_sum(lower);
    let upper_total = team_sum(upper);
    if (is_box && team.lane == 0u) {
        put(out, 0u, slot, own(out, 0u, slot) + lower_total);
        put(out, 1u, slot, own(out, 1u, slot) + upper_total);
    }
}
