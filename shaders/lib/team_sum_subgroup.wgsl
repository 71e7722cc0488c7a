// Sums over a team: inside a subgroup by shuffles, across subgroups through workgroup memory, always
// in the same order. An invocation's neighbours in its team are WIDTH apart.
var<private> subgroup_size: u32 = 1u;


// The sum of `value` over the team, given to all of it.
fn team_sum(value: f32) -> f32 {
    var sum = value;
    var reach = WIDTH;
    while (reach < subgroup_size && reach < WIDTH * LANES) {
        sum += subgroupShuffleXor(sum, reach);
        reach <<= 1u;
    }
    // Lanes below this distance have the same sum; what is left is a sum over the others.
    workgroupBarrier();
    partial_sums[local_index] = sum;
    for (var half = WIDTH * LANES / 2u; half >= reach; half >>= 1u) {
        workgroupBarrier();
        if (local_index < half) {
            partial_sums[local_index] += partial_sums[local_index + half];
        }
    }
    workgroupBarrier();
    return partial_sums[local_index % WIDTH];
}
