// No penalty.

fn free_prox(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return u;
}

fn free_keeps(u: f32, t: f32, bounds: vec2<f32>) -> bool {
    return true;
}

fn free_slope(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return 0.0;
}

fn free_side(u: f32, t: f32, bounds: vec2<f32>) -> u32 {
    return SIDE_INSIDE;
}
