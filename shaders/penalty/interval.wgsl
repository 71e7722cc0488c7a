// lower ≤ w ≤ upper: prox clip(u, lower, upper).

fn interval_prox(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return clip(u, bounds.x, bounds.y);
}

fn interval_keeps(u: f32, t: f32, bounds: vec2<f32>) -> bool {
    return bounds.x < u && u < bounds.y;
}

fn interval_slope(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return 0.0;
}

fn interval_side(u: f32, bounds: vec2<f32>) -> u32 {
    if (u >= bounds.y) {
        return SIDE_UPPER;
    }
    if (u <= bounds.x) {
        return SIDE_LOWER;
    }
    return SIDE_INSIDE;
}
