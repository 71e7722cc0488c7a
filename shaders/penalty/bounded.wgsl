// τ|w| with lower ≤ w ≤ upper: prox clip(s, lower, upper), s = S(u, t), t = γτ.

fn bounded_threshold(u: f32, t: f32) -> f32 {
    return u - clip(u, -t, t);
}

// True where the slope holds u at zero.
fn bounded_is_held(u: f32, t: f32) -> bool {
    return t > 0.0 && abs(u) <= t;
}

fn bounded_prox(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return clip(bounded_threshold(u, t), bounds.x, bounds.y);
}

fn bounded_keeps(u: f32, t: f32, bounds: vec2<f32>) -> bool {
    let s = bounded_threshold(u, t);
    return bounds.x < s && s < bounds.y && !bounded_is_held(u, t);
}

fn bounded_slope(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    let s = bounded_threshold(u, t);
    if (!(bounds.x < s && s < bounds.y)) {
        return 0.0;
    }
    if (u > t) {
        return -1.0;
    }
    if (u < -t) {
        return 1.0;
    }
    return 0.0;
}

fn bounded_side(u: f32, t: f32, bounds: vec2<f32>) -> u32 {
    let s = bounded_threshold(u, t);
    let is_held = bounded_is_held(u, t);
    if (s >= bounds.y && (bounds.y != 0.0 || !is_held)) {
        return SIDE_UPPER;
    }
    if (s <= bounds.x && (bounds.x != 0.0 || !is_held)) {
        return SIDE_LOWER;
    }
    return SIDE_INSIDE;
}
