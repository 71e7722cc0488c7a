// The page of the dense design in f32.

@group(0) @binding(4) var<storage, read> design: array<f32>;

fn design_entry(at: u32) -> f32 {
    return design[at];
}
