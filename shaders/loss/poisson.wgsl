// y(exp(u) − 1 − u), u = z − log y: half the Poisson deviance of the mean exp(z), y ≥ 0.

fn poisson_value(z: f32, y: f32, shape: f32) -> f32 {
    if (y > 0.0) {
        let u = over(z, y);
        return y * (exponential(u) - 1.0 - u);
    }
    return exponential(held(z));
}

fn poisson_residual(z: f32, y: f32, shape: f32) -> f32 {
    return exponential(held(z)) - y;
}

fn poisson_curvature(z: f32, y: f32, shape: f32) -> f32 {
    return exponential(held(z));
}
