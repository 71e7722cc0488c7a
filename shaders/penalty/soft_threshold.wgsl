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

fn soft_threshold_side(u: f32, t: f32, bounds: vec2<f32>) -> u32 {
    return SIDE_INSIDE;
}

fn soft_threshold_value(w: f32, tau: f32, bounds: vec2<f32>) -> f32 {
    return tau * abs(w);
}

fn soft_threshold_distance(w: f32, g: f32, tau: f32, bounds: vec2<f32>) -> f32 {
    let at_zero = g - clip(g, -tau, tau);
    return select(select(at_zero, g - tau, w < 0.0), g + tau, w > 0.0);
}

fn soft_threshold_excess(g: f32, tau: f32) -> f32 {
    return abs(g) - tau;
}

fn soft_threshold_kink(u: f32, t: f32, bounds: vec2<f32>) -> f32 {
    return abs(abs(u) - t);
}

fn soft_threshold_in_support(w: f32, bounds: vec2<f32>) -> bool {
    return w != 0.0;
}

fn soft_threshold_feasible(w: f32, bounds: vec2<f32>) -> f32 {
    return w;
}

fn soft_threshold_gap(w: f32, g: f32, d: f32, tau: f32, excess: f32, bounds: vec2<f32>) -> f32 {
    return (1.0 - excess) * w * d + excess * tau * abs(w);
}

fn soft_threshold_is_free(tau: f32) -> bool {
    return tau == 0.0;
}
