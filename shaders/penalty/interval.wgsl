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

fn interval_side(u: f32, t: f32, bounds: vec2<f32>) -> u32 {
    if (u >= bounds.y) {
        return SIDE_UPPER;
    }
    if (u <= bounds.x) {
        return SIDE_LOWER;
    }
    return SIDE_INSIDE;
}

fn interval_value(w: f32, tau: f32, bounds: vec2<f32>) -> f32 {
    return 0.0;
}

fn interval_distance(w: f32, g: f32, tau: f32, bounds: vec2<f32>) -> f32 {
    let rests = bounds.x >= bounds.y || (w <= bounds.x && g >= 0.0) || (w >= bounds.y && g <= 0.0);
    return select(g, 0.0, rests);
}

fn interval_excess(g: f32, tau: f32) -> f32 {
    return 0.0;
}

fn interval_kink(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return min(abs(u - bounds.x), abs(u - bounds.y));
}

fn interval_in_support(w: f32, bounds: vec2<f32>) -> bool {
    return bounds.x < w && w < bounds.y;
}

fn interval_feasible(w: f32, bounds: vec2<f32>) -> f32 {
    return clip(w, bounds.x, bounds.y);
}

fn interval_gap(w: f32, g: f32, d: f32, tau: f32, excess: f32, bounds: vec2<f32>) -> f32 {
    if (g > 0.0) {
        return g * (w - bounds.x);
    }
    if (g < 0.0) {
        return g * (w - bounds.y);
    }
    return 0.0;
}

fn interval_is_free(tau: f32) -> bool {
    return false;
}
