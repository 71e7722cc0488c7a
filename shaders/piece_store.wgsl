// uses: penalty
// ring[counter mod slots] ← the piece of every coordinate of u: 0 flat (D = 0), 1 above, 2 below, 3
// D = 1 without a sign; for the box 0 free, 1 at the upper, 2 at the lower bound.
// A lane packs the coordinates that share a word.
fn piece_store(team: Team) {
    const u = 0u;
    const strengths = 1u;
    const l1 = 2u;
    const gamma = 3u;
    const bounds = 4u;
    const counter = 5u;
    const ring = 6u;
    let penalized = parameter(0u);
    let slots = parameter(1u);
    let penalty = parameter(2u);
    let slot = team.slot;
    let per_word = 16u;
    let blocks = (penalized + per_word - 1u) / per_word;
    if (team.lane >= blocks) {
        return;
    }
    let start = word(counter, 0u, slot) % slots * blocks;
    for (var block = team.lane; block < blocks; block += team.lanes) {
        let first = block * per_word;
        let end = min(first + per_word, penalized);
        var packed = 0u;
        for (var j = first; j < end; j++) {
            let value = real(u, j, slot);
            var piece = 0u;
            if (penalty == PENALTY_BOX) {
                if (value >= common_real(bounds, 1u)) {
                    piece = 1u;
                } else if (value <= common_real(bounds, 0u)) {
                    piece = 2u;
                }
            } else {
                let threshold = penalty_threshold(j, slot);
                if (value > threshold) {
                    piece = 1u;
                } else if (penalty == PENALTY_SOFT) {
                    if (value < -threshold) {
                        piece = 2u;
                    } else if (abs(value) > threshold || threshold == 0.0) {
                        piece = 3u;
                    }
                }
            }
            packed |= piece << (2u * (j - first));
        }
        put_word(ring, start + block, slot, packed);
    }
}
