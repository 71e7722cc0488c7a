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

fn non_negative_side(u: f32, t: f32, bounds: vec2<f32>) -> u32 {
    return SIDE_INSIDE;
}

fn non_negative_value(w: f32, tau: f32, bounds: vec2<f32>) -> f32 {
    return tau * w;
}

fn non_negative_distance(w: f32, g: f32, tau: f32, bounds: vec2<f32>) -> f32 {
    return select(min(g + tau, 0.0), g + tau, w > 0.0 || is_nan(g));
}

fn non_negative_excess(g: f32, tau: f32) -> f32 {
    return -g - tau;
}

fn non_negative_kink(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return abs(u - t);
}

fn non_negative_in_support(w: f32, bounds: vec2<f32>) -> bool {
    return w != 0.0;
}

fn non_negative_feasible(w: f32, bounds: vec2<f32>) -> f32 {
    return max(w, 0.0);
}

fn non_negative_gap(w: f32, g: f32, d: f32, tau: f32, excess: f32, bounds: vec2<f32>) -> f32 {
    return (1.0 - excess) * w * d + excess * tau * w;
}

fn non_negative_is_free(tau: f32) -> bool {
    return false;
}
