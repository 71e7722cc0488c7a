// out (rows from `first` on) ← the sum of the parts of a split product, added to what is there where
// `adds` is 1.
fn sum_parts(team: Team) {
    const out = 0u;
    let rows = parameter(0u);
    let adds = parameter(1u);
    let first = parameter(2u);
    let parts = jobs[current].parts;
    let start = jobs[current].parts_offset;
    let slot = team.slot;
    for (var j = team.lane; j < rows; j += team.lanes) {
        var sum = 0.0;
        if (adds == 1u) {
            sum = own(out, first + j, slot);
        }
        for (var part = 0u; part < parts; part++) {
            sum += reals[start + (part * rows + j) * stride() + slot];
        }
        put(out, first + j, slot, sum);
    }
}
