// Sums over a team through workgroup memory, always in the same order.

// The sum of `value` over the team, given to all of it.
fn team_sum(value: f32) -> f32 {
    workgroupBarrier();
    partial_sums[local_index] = value;
    for (var half = LANES / 2u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if (local_index < half * WIDTH) {
            partial_sums[local_index] += partial_sums[local_index + half * WIDTH];
        }
    }
    workgroupBarrier();
    return partial_sums[local_index % WIDTH];
}
