// ½e² for |e| ≤ δ, δ|e| − ½δ² beyond; e = z − y. δ is the shape.

fn huber_value(z: f32, y: f32, shape: f32) -> f32 {
    let e = abs(z - y);
    if (is_nan(e) || e <= shape) {
        return 0.5 * e * e;
    }
    return shape * e - 0.5 * shape * shape;
}

fn huber_residual(z: f32, y: f32, shape: f32) -> f32 {
    return clip(z - y, -shape, shape);
}

fn huber_curvature(z: f32, y: f32, shape: f32) -> f32 {
    return select(0.0, 1.0, abs(z - y) <= shape);
}
