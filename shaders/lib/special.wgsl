// Special functions of losses, to the rounding of f32.

// exp(x) to rounding: drivers' own is off by up to 4e-6, and may lose a NaN. With n the whole number
// nearest to x/log 2 and r = x − n·log 2, |r| ≤ 0.35, it is 2ⁿ·exp(r), the latter by its series. The
// first part of log 2 has so few bits that its product with n is exact; 2ⁿ comes in two factors, as it
// may itself be past the range.
fn exponential(x: f32) -> f32 {
    if (is_nan(x)) {
        return x;
    }
    if (x > 89.0) {
        return infinity();
    }
    if (x < -104.0) {
        return 0.0;
    }
    let n = round(x * 1.4426950408889634);
    let r = (x - n * 0.693359375) + n * 2.1219444005469058e-4;
    var series = 1.0 / 5040.0;
    series = series * r + 1.0 / 720.0;
    series = series * r + 1.0 / 120.0;
    series = series * r + 1.0 / 24.0;
    series = series * r + 1.0 / 6.0;
    series = series * r + 0.5;
    let value = 1.0 + (r + r * r * series);
    let half = i32(n) >> 1u;
    return value * power_of_two(half) * power_of_two(i32(n) - half);
}

// 2ⁿ for |n| < 127.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// log((1 + s)/(1 − s)) = 2 artanh(s) for |s| ≤ 1/3. A series, for two reasons: log(1 + x) cancels for
// small x, and near one a driver's logarithm is exact to 2⁻²¹ only.
fn log_of_ratio(s: f32) -> f32 {
    let q = s * s;
    var series = 1.0 / 15.0;
    series = series * q + 1.0 / 13.0;
    series = series * q + 1.0 / 11.0;
    series = series * q + 1.0 / 9.0;
    series = series * q + 1.0 / 7.0;
    series = series * q + 1.0 / 5.0;
    series = series * q + 1.0 / 3.0;
    return 2.0 * s + 2.0 * s * q * series;
}

// log x for a normal x ≥ 1; what is not finite is returned.
fn natural_logarithm(x: f32) -> f32 {
    if (!is_finite(x)) {
        return x;
    }
    // x = mantissa·2^exponent, 1 ≤ mantissa < 2.
    let bits = bitcast<u32>(x);
    let exponent = f32(bits >> 23u) - 127.0;
    let mantissa = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
    return exponent * 0.6931471805599453 + log_of_ratio((mantissa - 1.0) / (mantissa + 1.0));
}

// σ(t) = 1/(1 + exp(−t)), without overflow.
fn sigmoid(t: f32) -> f32 {
    let tail = exponential(-abs(t));
    if (t >= 0.0) {
        return 1.0 / (1.0 + tail);
    }
    return tail / (1.0 + tail);
}

// log(1 + exp(t)), without overflow and without cancellation.
fn softplus(t: f32) -> f32 {
    if (is_nan(t)) {
        return t;
    }
    let tail = exponential(-abs(t));
    return max(t, 0.0) + log_of_ratio(tail / (2.0 + tail));
}

// log x for a normal x > 0.
fn logarithm(x: f32) -> f32 {
    if (x < 1.0) {
        return -natural_logarithm(1.0 / x);
    }
    return natural_logarithm(x);
}

// z within the range in which exp(±z), and its product with a target, are finite; a NaN stays.
fn held(z: f32) -> f32 {
    if (is_nan(z)) {
        return z;
    }
    return clamp(z, -40.0, 40.0);
}

// z − log y of a z that is held.
fn over(z: f32, y: f32) -> f32 {
    return held(z) - logarithm(y);
}
