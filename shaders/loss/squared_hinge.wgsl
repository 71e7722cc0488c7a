// ½max(0, 1 − yz)², y ∈ {−1, 1}.

fn squared_hinge_value(z: f32, y: f32, shape: f32) -> f32 {
    let slack = 1.0 - y * z;
    if (!is_nan(slack) && slack <= 0.0) {
        return 0.0;
    }
    return 0.5 * slack * slack;
}

fn squared_hinge_residual(z: f32, y: f32, shape: f32) -> f32 {
    let slack = 1.0 - y * z;
    if (!is_nan(slack) && slack <= 0.0) {
        return 0.0;
    }
    return -y * slack;
}

fn squared_hinge_curvature(z: f32, y: f32, shape: f32) -> f32 {
    return select(0.0, 1.0, y * z < 1.0);
}
