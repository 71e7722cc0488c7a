// ½e² for |e| ≤ δ, δ|e| − ½δ² beyond; e = z − y.

fn huber_value(z: f32, y: f32, delta: f32) -> f32 {
    let e = abs(z - y);
    if (is_nan(e) || e <= delta) {
        return 0.5 * e * e;
    }
    return delta * e - 0.5 * delta * delta;
}

fn huber_residual(z: f32, y: f32, delta: f32) -> f32 {
    return clip(z - y, -delta, delta);
}

fn huber_curvature(z: f32, y: f32, delta: f32) -> f32 {
    return select(0.0, 1.0, abs(z - y) <= delta);
}
