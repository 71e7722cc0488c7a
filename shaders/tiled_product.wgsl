// C (rows × N) = A (rows × inner) · B (inner × N) for the whole batch at once, N = classes·stride: the
// matrix form of dense_product (A the page of the design) and dense_adjoint (A its transpose). A
// workgroup owns a tile of TILE_ROWS × TILE_COLUMNS, an invocation 8 × 8 of it in registers; slices of
// A and B that are TILE_DEPTH deep pass through workgroup memory. With several parts the inner
// dimension is split along z, and sum_parts adds them up.

override TILE_ROWS: u32 = 64u;
override TILE_COLUMNS: u32 = 64u;
override TILE_DEPTH: u32 = 16u;
override TRANSPOSED: bool = false;

// Four rows an entry, k outermost; a vector more per k, so that neighbouring k lie in other banks.
var<workgroup> slice_a: array<vec4<f32>, TILE_DEPTH * (TILE_ROWS / 4u + 1u)>;
var<workgroup> slice_b: array<vec4<f32>, TILE_DEPTH * TILE_COLUMNS / 4u>;
var<workgroup> tile_running: u32;

@compute @workgroup_size(TILE_ROWS * TILE_COLUMNS / 64u)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
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

    let first_row = group.x * TILE_ROWS;
    let first_column = group.y * TILE_COLUMNS;
    let invocations = TILE_ROWS * TILE_COLUMNS / 64u;

    // A tile without a problem that runs has nothing to do.
    if (index == 0u) {
        tile_running = 0u;
    }
    workgroupBarrier();
    for (var at = index; at < TILE_COLUMNS; at += invocations) {
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

    let tiles_across = TILE_COLUMNS / 8u;
    let my_row = index / tiles_across * 8u;
    let my_column = index % tiles_across * 2u;
    var sums: array<vec4<f32>, 16>;
    for (var depth = begin; depth < end; depth += TILE_DEPTH) {
        let deep = min(TILE_DEPTH, end - depth);
        for (var at = index; at < TILE_ROWS / 4u * TILE_DEPTH; at += invocations) {
            // Neighbouring invocations read neighbouring entries of the row-major design.
            var block = at / TILE_DEPTH;
            var k = at % TILE_DEPTH;
            if (TRANSPOSED) {
                block = at % (TILE_ROWS / 4u);
                k = at / (TILE_ROWS / 4u);
            }
            let row = first_row + 4u * block;
            var from_ = row * design_columns + depth + k;
            var skip = design_columns;
            if (TRANSPOSED) {
                from_ = (depth + k) * design_columns + row;
                skip = 1u;
            }
            var value = vec4<f32>();
            if (k < deep) {
                if (row < rows) {
                    value.x = design_entry(from_);
                }
                if (row + 1u < rows) {
                    value.y = design_entry(from_ + skip);
                }
                if (row + 2u < rows) {
                    value.z = design_entry(from_ + 2u * skip);
                }
                if (row + 3u < rows) {
                    value.w = design_entry(from_ + 3u * skip);
                }
            }
            slice_a[k * (TILE_ROWS / 4u + 1u) + block] = value;
        }
        for (var at = index; at < TILE_DEPTH * TILE_COLUMNS / 4u; at += invocations) {
            let column = at % (TILE_COLUMNS / 4u) * 4u;
            let k = at / (TILE_COLUMNS / 4u);
            var value = vec4<f32>();
            if (k < deep) {
                let from_ = b_start + (depth + k) * columns + first_column + column;
                let left = columns - min(columns, first_column + column);
                if (left > 3u) {
                    value = vec4<f32>(reals[from_], reals[from_ + 1u], reals[from_ + 2u], reals[from_ + 3u]);
                } else {
                    if (left > 0u) {
                        value.x = reals[from_];
                    }
                    if (left > 1u) {
                        value.y = reals[from_ + 1u];
                    }
                    if (left > 2u) {
                        value.z = reals[from_ + 2u];
                    }
                }
            }
            slice_b[at] = value;
        }
        workgroupBarrier();
        for (var k = 0u; k < deep; k++) {
            let b_0 = slice_b[k * (TILE_COLUMNS / 4u) + my_column];
            let b_1 = slice_b[k * (TILE_COLUMNS / 4u) + my_column + 1u];
            let a_0 = slice_a[k * (TILE_ROWS / 4u + 1u) + my_row / 4u];
            let a_1 = slice_a[k * (TILE_ROWS / 4u + 1u) + my_row / 4u + 1u];
            for (var r = 0u; r < 4u; r++) {
                sums[2u * r] += a_0[r] * b_0;
                sums[2u * r + 1u] += a_0[r] * b_1;
                sums[2u * r + 8u] += a_1[r] * b_0;
                sums[2u * r + 9u] += a_1[r] * b_1;
            }
        }
        workgroupBarrier();
    }

    // Past the first page the adjoint adds to what is there; a split product leaves that to sum_parts.
    let adds = TRANSPOSED && !split && (*job).page_start > 0u;
    for (var r = 0u; r < 8u; r++) {
        let row = first_row + my_row + r;
        if (row >= rows) {
            break;
        }
        for (var half = 0u; half < 2u; half++) {
            let value = sums[2u * r + half];
            let column = first_column + (my_column + half) * 4u;
            for (var e = 0u; e < 4u; e++) {
                if (column + e < columns) {
                    let to = c_start + row * columns + column + e;
                    if (adds) {
                        reals[to] += value[e];
                    } else {
                        reals[to] = value[e];
                    }
                }
            }
        }
    }
}
