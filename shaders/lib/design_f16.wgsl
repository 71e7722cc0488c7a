// The page of the dense design in f16, two entries a word, unpacked to f32.

@group(0) @binding(4) var<storage, read> design: array<u32>;

fn design_entry(at: u32) -> f32 {
    return unpack2x16float(design[at >> 1u])[at & 1u];
}
