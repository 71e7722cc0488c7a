// exp(−u) − 1 + u, u = z − log y: half the Gamma deviance of the mean exp(z), y > 0.

fn gamma_value(z: f32, y: f32, shape: f32) -> f32 {
    let u = over(z, y);
    return exponential(-u) - 1.0 + u;
}

fn gamma_residual(z: f32, y: f32, shape: f32) -> f32 {
    return 1.0 - y * exponential(-held(z));
}

fn gamma_curvature(z: f32, y: f32, shape: f32) -> f32 {
    return y * exponential(-held(z));
}
