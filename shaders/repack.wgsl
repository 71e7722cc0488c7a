// Moves problems between slots of two arenas: target slot s holds problem table[s] of the source, or,
// backwards, source slot s goes to table[s] of the target. Arenas are rows × stride words.

struct Repack {
    rows: u32,
    slots: u32,
    source_stride: u32,
    target_stride: u32,
    backwards: u32,
    // The rows from here on; one dispatch reaches so many.
    first_row: u32,
    padding_0: u32,
    padding_1: u32,
}

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> destination: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<uniform> repack: Repack;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let slot = (group.x + group.z * groups.x) * 64u + index;
    if (slot >= repack.slots) {
        return;
    }
    let problem = table[slot];
    for (var row = repack.first_row + group.y; row < repack.rows; row += groups.y) {
        if (repack.backwards == 0u) {
            destination[row * repack.target_stride + slot] = source[row * repack.source_stride + problem];
        } else {
            destination[row * repack.target_stride + problem] = source[row * repack.source_stride + slot];
        }
    }
}
