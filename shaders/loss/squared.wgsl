// ½(z − y)²; residual and curvature are those of the quadratic form as well.

fn squared_value(z: f32, y: f32, shape: f32) -> f32 {
    let e = abs(z - y);
    return 0.5 * e * e;
}

fn squared_residual(z: f32, y: f32, shape: f32) -> f32 {
    return z - y;
}

fn squared_curvature(z: f32, y: f32, shape: f32) -> f32 {
    return 1.0;
}
