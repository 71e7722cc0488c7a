// log(1 + exp(−yz)), y ∈ {−1, 1}.

fn logistic_value(z: f32, y: f32, shape: f32) -> f32 {
    return softplus(-y * z);
}

fn logistic_residual(z: f32, y: f32, shape: f32) -> f32 {
    return -y * sigmoid(-y * z);
}

fn logistic_curvature(z: f32, y: f32, shape: f32) -> f32 {
    // σ(z)σ(−z) = e/(1 + e)², e = exp(−|z|): one exponential, no overflow.
    let tail = exponential(-abs(z));
    return tail / ((1.0 + tail) * (1.0 + tail));
}
