// Arithmetic that keeps NaN. Comparisons with NaN may be folded away, so it is told by its bits.

var<private> infinity_bits: u32 = 0x7f800000u;

fn infinity() -> f32 {
    return bitcast<f32>(infinity_bits);
}

fn not_a_number() -> f32 {
    return bitcast<f32>(infinity_bits | 1u);
}

fn is_nan(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

// value limited to [lower, upper].
fn clip(value: f32, lower: f32, upper: f32) -> f32 {
    if (is_nan(value)) {
        return value;
    }
    return clamp(value, lower, upper);
}
