// Where everything lies. Per-problem buffers are blocks of rows of two arenas, reals and words; entry
// j of the problem in slot s of a buffer is at its offset + j·stride + s, so that neighbouring
// invocations (problems) read neighbouring words. Shared buffers lie in two arenas of their own, and
// the dense design has a binding for itself (lib/design_*.wgsl).

// One command: what a kernel is called with. Binding k is input k, outputs follow the inputs.
struct Job {
    // Problems in the batch; the slots from here to stride hold none.
    slots: u32,
    // Words from one row of a per-problem buffer to the next.
    stride: u32,
    // Bit k: binding k is shared by the batch.
    shared_bindings: u32,
    // Offset of the flags of the problems that still run, or NONE.
    active_: u32,
    offsets: array<vec4<u32>, 4>,
    parameters: array<vec4<u32>, 2>,
    // Rows of the design that lie on this page: the first, and how many.
    page_start: u32,
    page_rows: u32,
    // 1 where the page holds the rows of the minibatches, in the order of the ring; 2 where it holds
    // those of every problem.
    streamed: u32,
    // Which kernel of the module this command calls.
    kernel: u32,
    // Of a resident program: how often, and how many commands.
    times: u32,
    commands: u32,
    // Of a product split over its inner dimension: where the parts lie, and how many.
    parts_offset: u32,
    parts: u32,
    // Entries of the last shared table of words among the bindings.
    last_table: u32,
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
}

const NONE: u32 = 0xffffffffu;

@group(0) @binding(0) var<storage, read_write> reals: array<f32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@group(0) @binding(2) var<storage, read> shared_reals: array<f32>;
@group(0) @binding(3) var<storage, read> shared_words: array<u32>;

// The command at hand.
var<private> current: u32 = 0u;

fn stride() -> u32 {
    return jobs[current].stride;
}

fn offset(k: u32) -> u32 {
    return jobs[current].offsets[k >> 2u][k & 3u];
}

fn is_shared(k: u32) -> bool {
    return ((jobs[current].shared_bindings >> k) & 1u) != 0u;
}

// Parameter k of the kernel.
fn parameter(k: u32) -> u32 {
    return jobs[current].parameters[k >> 2u][k & 3u];
}

// Entry j of a per-problem binding.
fn own(k: u32, j: u32, slot: u32) -> f32 {
    return reals[offset(k) + j * stride() + slot];
}

// Entry j of a shared binding.
fn common_real(k: u32, j: u32) -> f32 {
    return shared_reals[offset(k) + j];
}

// Entry j of a binding of either scope.
fn real(k: u32, j: u32, slot: u32) -> f32 {
    if (is_shared(k)) {
        return common_real(k, j);
    }
    return own(k, j, slot);
}

fn put(k: u32, j: u32, slot: u32, value: f32) {
    reals[offset(k) + j * stride() + slot] = value;
}

fn own_word(k: u32, j: u32, slot: u32) -> u32 {
    return words[offset(k) + j * stride() + slot];
}

fn common_word(k: u32, j: u32) -> u32 {
    return shared_words[offset(k) + j];
}

fn word(k: u32, j: u32, slot: u32) -> u32 {
    if (is_shared(k)) {
        return common_word(k, j);
    }
    return own_word(k, j, slot);
}

fn put_word(k: u32, j: u32, slot: u32, value: u32) {
    words[offset(k) + j * stride() + slot] = value;
}
