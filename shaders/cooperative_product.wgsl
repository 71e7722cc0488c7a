// tiled_product on the device's matrix units: both factors are rounded to f16 (2⁻¹¹ of each entry, and
// nothing above 65 504), the sums are f32. A workgroup owns a tile of 64 × 64 in four quadrants of 2 × 2
// cooperative matrices; a subgroup takes the quadrant of its number, and where there are fewer than
// four subgroups the tile takes several rounds.

override TRANSPOSED: bool = false;
override INVOCATIONS: u32 = 128u;

const TILE: u32 = 64u;
const DEPTH: u32 = 32u;

// 64 × 32, 32 × 64 and 64 × 64, all row-major.
var<workgroup> slice_a: array<f16, 2048>;
var<workgroup> slice_b: array<f16, 2048>;
var<workgroup> corner: array<f32, 4096>;
var<workgroup> tile_running: u32;

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let job = &jobs[0];
    let design_columns = (*job).parameters[0].y;
    let classes = (*job).parameters[0].z;
    let page_rows = (*job).page_rows;
    let stride = (*job).stride;
    let columns = classes * stride;
    let rows = select(page_rows, design_columns, TRANSPOSED);
    let inner = select(design_columns, page_rows, TRANSPOSED);
    // B and C are whole buffers: this page's rows of the design start at page_start.
    let page_shift = (*job).page_start * columns;
    let b_start = (*job).offsets[0].y + select(0u, page_shift, TRANSPOSED);
    var c_start = (*job).offsets[0].z + select(page_shift, 0u, TRANSPOSED);

    let first_row = group.x * TILE;
    let first_column = group.y * TILE;

    // A tile without a problem that runs has nothing to do.
    if (index == 0u) {
        tile_running = 0u;
    }
    workgroupBarrier();
    for (var at = index; at < TILE; at += INVOCATIONS) {
        let column = first_column + at;
        if (column < columns) {
            let slot = column % stride;
            var runs = slot < (*job).slots;
            if (runs && (*job).active_ != NONE) {
                runs = words[(*job).active_ + slot] != 0u;
            }
            if (runs) {
                tile_running = 1u;
            }
        }
    }
    if (workgroupUniformLoad(&tile_running) == 0u) {
        return;
    }

    // The part of the inner dimension that is ours.
    let parts = (*job).parts;
    let share = (inner + parts - 1u) / parts;
    let begin = group.z * share;
    let end = min(inner, begin + share);
    let split = parts > 1u;
    if (split) {
        c_start = (*job).parts_offset + group.z * rows * columns;
    }

    for (var round = 0u; round < 4u; round += subgroups) {
        // Past the last quadrant the work is done twice rather than by some subgroups only.
        let quadrant = min(round + subgroup, 3u);
        let top = quadrant / 2u * 32u;
        let left = quadrant % 2u * 32u;
        var c_00: coop_mat16x16<f32, C>;
        var c_01: coop_mat16x16<f32, C>;
        var c_10: coop_mat16x16<f32, C>;
        var c_11: coop_mat16x16<f32, C>;
        for (var depth = begin; depth < end; depth += DEPTH) {
            let deep = min(DEPTH, end - depth);
            for (var at = index; at < TILE * DEPTH; at += INVOCATIONS) {
                // Neighbouring invocations read neighbouring entries of the row-major design.
                var row = at / DEPTH;
                var k = at % DEPTH;
                if (TRANSPOSED) {
                    row = at % TILE;
                    k = at / TILE;
                }
                var value = 0.0;
                if (first_row + row < rows && k < deep) {
                    if (TRANSPOSED) {
                        value = design_entry((depth + k) * design_columns + first_row + row);
                    } else {
                        value = design_entry((first_row + row) * design_columns + depth + k);
                    }
                }
                slice_a[row * DEPTH + k] = f16(value);
            }
            for (var at = index; at < DEPTH * TILE; at += INVOCATIONS) {
                let column = at % TILE;
                let k = at / TILE;
                var value = 0.0;
                if (k < deep && first_column + column < columns) {
                    value = reals[b_start + (depth + k) * columns + first_column + column];
                }
                slice_b[at] = f16(value);
            }
            workgroupBarrier();
            for (var k = 0u; k < DEPTH; k += 16u) {
                let a_0 = coopLoadT<coop_mat16x16<f16, A>>(&slice_a[top * DEPTH + k], DEPTH);
                let a_1 = coopLoadT<coop_mat16x16<f16, A>>(&slice_a[(top + 16u) * DEPTH + k], DEPTH);
                let b_0 = coopLoadT<coop_mat16x16<f16, B>>(&slice_b[k * TILE + left], TILE);
                let b_1 = coopLoadT<coop_mat16x16<f16, B>>(&slice_b[k * TILE + left + 16u], TILE);
                c_00 = coopMultiplyAdd(a_0, b_0, c_00);
                c_01 = coopMultiplyAdd(a_0, b_1, c_01);
                c_10 = coopMultiplyAdd(a_1, b_0, c_10);
                c_11 = coopMultiplyAdd(a_1, b_1, c_11);
            }
            workgroupBarrier();
        }
        coopStoreT(c_00, &corner[top * TILE + left], TILE);
        coopStoreT(c_01, &corner[top * TILE + left + 16u], TILE);
        coopStoreT(c_10, &corner[(top + 16u) * TILE + left], TILE);
        coopStoreT(c_11, &corner[(top + 16u) * TILE + left + 16u], TILE);
        workgroupBarrier();
    }

    // Past the first page the adjoint adds to what is there; a split product leaves that to sum_parts.
    let adds = TRANSPOSED && !split && (*job).page_start > 0u;
    for (var at = index; at < TILE * TILE; at += INVOCATIONS) {
        let row = first_row + at / TILE;
        let column = first_column + at % TILE;
        if (row < rows && column < columns) {
            let to = c_start + row * columns + column;
            if (adds) {
                reals[to] += corner[at];
            } else {
                reals[to] = corner[at];
            }
        }
    }
}
