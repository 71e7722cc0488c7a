// The page of the dense design in f16, read as such.

@group(0) @binding(4) var<storage, read> design: array<f16>;

fn design_entry(at: u32) -> f32 {
    return f32(design[at]);
}
