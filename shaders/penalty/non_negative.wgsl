// τw with w ≥ 0: prox max(u − t, 0), t = γτ.

fn non_negative_prox(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    let shifted = u - t;
    return shifted - clip(shifted, -infinity(), 0.0);
}

fn non_negative_keeps(u: f32, t: f32, bounds: vec2<f32>) -> bool {
    return u > t;
}

fn non_negative_slope(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return select(0.0, -1.0, u > t);
}

fn non_negative_side(u: f32, bounds: vec2<f32>) -> u32 {
    return SIDE_INSIDE;
}
