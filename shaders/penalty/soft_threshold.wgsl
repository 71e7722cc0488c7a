// τ|w|: prox S(u, t), t = γτ.

fn soft_threshold_prox(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return u - clip(u, -t, t);
}

fn soft_threshold_keeps(u: f32, t: f32, bounds: vec2<f32>) -> bool {
    return abs(u) > t || t == 0.0;
}

fn soft_threshold_slope(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    if (u > t) {
        return -1.0;
    }
    if (u < -t) {
        return 1.0;
    }
    return 0.0;
}

fn soft_threshold_side(u: f32, bounds: vec2<f32>) -> u32 {
    return SIDE_INSIDE;
}
