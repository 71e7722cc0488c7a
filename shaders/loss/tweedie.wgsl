// y^a [(exp(au) − 1)/a + (exp(−cu) − 1)/c], a = 2 − p, c = p − 1, u = z − log y: half the Tweedie deviance of
// the mean exp(z), y ≥ 0; p is the shape.

fn tweedie_value(z: f32, y: f32, shape: f32) -> f32 {
    let a = 2.0 - shape;
    let c = shape - 1.0;
    if (y > 0.0) {
        let u = over(z, y);
        let parts = (exponential(a * u) - 1.0) / a + (exponential(-c * u) - 1.0) / c;
        return exponential(a * logarithm(y)) * parts;
    }
    return exponential(a * held(z)) / a;
}

fn tweedie_residual(z: f32, y: f32, shape: f32) -> f32 {
    let at = held(z);
    return exponential((2.0 - shape) * at) - y * exponential((1.0 - shape) * at);
}

fn tweedie_curvature(z: f32, y: f32, shape: f32) -> f32 {
    let a = 2.0 - shape;
    let c = shape - 1.0;
    let at = held(z);
    return a * exponential(a * at) + c * y * exponential(-c * at);
}
