// uses: penalty
// ring[counter mod slots] ← the piece of every coordinate of u: 0 flat (D = 0), 1 above, 2 below, 3
// D = 1 without a sign; for the box 0 free, 1 at the upper, 2 at the lower bound.
// A lane packs the coordinates that share a word.
fn piece_store(team: Team) {
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
            var piece = own_side(j, penalty, slot);
            if (row_of(penalty) != ROW_INTERVAL) {
                let slope = own_slope(j, penalty, slot);
                if (slope < 0.0) {
                    piece = 1u;
                } else if (slope > 0.0) {
                    piece = 2u;
                } else if (own_keeps(j, penalty, slot)) {
                    piece = 3u;
                }
            }
            packed |= piece << (2u * (j - first));
        }
        put_word(ring, start + block, slot, packed);
    }
}
