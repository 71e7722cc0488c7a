//! Rows of losses with a log link against what defines them.

use super::{Loss, RowLoss, ScalarLoss};

/// Losses with a log link, with targets that they take.
fn rows() -> Vec<(ScalarLoss, f64, f64)> {
    let mut all = Vec::new();
    let powers = [1.001, 1.1, 1.5, 1.9, 1.999].map(|power| (Loss::Tweedie { power }, power));
    for (loss, power) in [(Loss::Poisson, 1.0), (Loss::Gamma, 2.0)]
        .into_iter()
        .chain(powers)
    {
        for y in [0.0, 1e-3, 0.4, 1.0, 7.0, 2.5e4] {
            if y > 0.0 || loss != Loss::Gamma {
                all.push((loss.scalar().unwrap(), power, y));
            }
        }
    }
    all
}

/// Predictors around that of the target.
fn predictors(y: f64) -> impl Iterator<Item = f64> {
    let middle = if y > 0.0 { y.ln() } else { 0.0 };
    (-12..=12).map(move |step| middle + 0.37 * f64::from(step))
}

/// 2 ∫ (y − m)/mᵖ dm from the mean to the target is the unit deviance; the value is half of it, in closed form
/// by the book (Jørgensen 1997).
fn half_deviance(power: f64, z: f64, y: f64) -> f64 {
    let mean = z.exp();
    if power == 1.0 {
        let own = if y > 0.0 { y * (y / mean).ln() } else { 0.0 };
        return own - (y - mean);
    }
    if power == 2.0 {
        return (mean / y).ln() + y / mean - 1.0;
    }
    let (a, b) = (2.0 - power, 1.0 - power);
    y.powf(a) / (a * b) - y * mean.powf(b) / b + mean.powf(a) / a
}

#[test]
fn values_are_half_deviances() {
    for (row, power, y) in rows() {
        for z in predictors(y) {
            let (found, expected) = (row.value(z, y), half_deviance(power, z, y));
            // Where the terms of the closed form cancel it is the less accurate.
            let terms = (1.0 + y + z.exp())
                / ((power - 1.0).abs().max(0.01) * (2.0 - power).abs().max(0.01));
            let error = (found - expected).abs();
            assert!(
                error <= 1e-14 * terms,
                "{row:?} y = {y}, z = {z}: {found} for {expected}"
            );
            assert!(found >= 0.0, "{row:?} y = {y}, z = {z}: {found}");
        }
    }
}

#[test]
fn residual_and_curvature_are_derivatives() {
    let h = 1e-5;
    for (row, _, y) in rows() {
        for z in predictors(y) {
            let difference = |f: &dyn Fn(f64) -> f64| (f(z + h) - f(z - h)) / (2.0 * h);
            // With the rounding of the difference, in units of the tolerance.
            let rounding = 2.0 * f64::EPSILON * row.value(z, y) / h / 1e-8;
            let size = row.curvature(z, y) + row.residual(z, y).abs() + rounding + 1e-9;
            let slope = difference(&|z| row.value(z, y));
            let error = (slope - row.residual(z, y)).abs() / size;
            assert!(
                error < 1e-8,
                "{row:?} y = {y}, z = {z}: residual {error:.1e}"
            );
            let second = difference(&|z| row.residual(z, y));
            let error = (second - row.curvature(z, y)).abs() / size;
            assert!(
                error < 1e-8,
                "{row:?} y = {y}, z = {z}: curvature {error:.1e}"
            );
        }
    }
}

/// ℓ*(t) ≥ tz − ℓ(z) for all z, with equality where t = r(z).
#[test]
fn conjugates_are_suprema() {
    for (row, _, y) in rows() {
        for z in predictors(y) {
            let t = row.residual(z, y);
            let conjugate = row.conjugate(t, y);
            let reached = t * z - row.value(z, y);
            let size = (t * z).abs() + row.value(z, y) + y + 1.0;
            let error = (conjugate - reached).abs() / size;
            assert!(
                error < 1e-12,
                "{row:?} y = {y}, z = {z}: {conjugate} for {reached}"
            );
            for other in predictors(y) {
                let below = t * other - row.value(other, y);
                assert!(
                    below <= conjugate + 1e-12 * size,
                    "{row:?} y = {y}: {other} beats {z}"
                );
            }
        }
    }
}

/// h ≤ aℓ + k(a) b(y), and for some z it is near: a bound that is far off would be a step that is too small.
#[test]
fn curvature_is_bounded_by_the_value() {
    for (row, power, y) in rows() {
        let best = row.curvature_at_best(y);
        if y > 0.0 {
            let error = (best / row.curvature(y.ln(), y) - 1.0).abs();
            assert!(error < 1e-14, "{row:?} y = {y}: {error}");
        }
        for a in [1.05, 1.3, 2.0, 4.0] {
            let offset = row.curvature_beyond(a) * best;
            let mut nearest = f64::INFINITY;
            for step in -400..=400 {
                let z = if y > 0.0 { y.ln() } else { 0.0 } + 0.02 * f64::from(step);
                let (h, bound) = (row.curvature(z, y), a * row.value(z, y) + offset);
                let place = format!("{row:?} a = {a}, y = {y}, z = {z}");
                assert!(h <= bound * (1.0 + 1e-9), "{place}: {h} above {bound}");
                nearest = nearest.min(bound / h);
            }
            let is_tight = nearest < 1.0 + 1e-3;
            assert!(
                y == 0.0 || is_tight,
                "{row:?} p = {power}, y = {y}: {nearest}"
            );
        }
    }
}

/// The majorant is at least every curvature on the way to the minimum.
#[test]
fn majorants_hold_up_to_the_minimum() {
    for (row, _, y) in rows().into_iter().filter(|(_, _, y)| *y > 0.0) {
        for z in predictors(y) {
            for share in [0.0, 0.2, 0.5, 0.8, 1.0] {
                let between = z + share * (y.ln() - z);
                let (h, majorant) = (row.curvature(between, y), row.majorant(z, y));
                assert!(
                    h <= majorant * (1.0 + 1e-12),
                    "{row:?} y = {y}, {z} to {between}"
                );
            }
        }
    }
}

/// Rows far from everything have numbers, not infinities, and keep what is not a number.
#[test]
fn nothing_overflows() {
    for (row, _, y) in rows() {
        for z in [-1e9, -800.0, 800.0, 1e9, f64::INFINITY, f64::NEG_INFINITY] {
            for number in [row.value(z, y), row.residual(z, y), row.curvature(z, y)] {
                assert!(number.is_finite(), "{row:?} y = {y}, z = {z}: {number}");
            }
            let (z, y) = (z as f32, y as f32);
            for number in [row.value(z, y), row.residual(z, y), row.curvature(z, y)] {
                assert!(
                    number.is_finite(),
                    "{row:?} y = {y}, z = {z} in f32: {number}"
                );
            }
        }
        for number in [
            row.value(f64::NAN, y),
            row.residual(f64::NAN, y),
            row.curvature(f64::NAN, y),
        ] {
            assert!(number.is_nan(), "{row:?} y = {y}");
        }
    }
}

/// The Tweedie loss lies between those of Poisson and Gamma.
#[test]
fn powers_meet_their_neighbours() {
    for (other, power) in [(Loss::Poisson, 1.0 + 1e-9), (Loss::Gamma, 2.0 - 1e-9)] {
        let (row, other) = (
            Loss::Tweedie { power }.scalar().unwrap(),
            other.scalar().unwrap(),
        );
        for y in [0.3, 1.0, 12.0] {
            for z in predictors(y) {
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + b.abs());
                assert!(
                    near(row.value(z, y), other.value(z, y)),
                    "{other:?} {y} {z}"
                );
                assert!(
                    near(row.residual(z, y), other.residual(z, y)),
                    "{other:?} {y} {z}"
                );
                assert!(
                    near(row.curvature(z, y), other.curvature(z, y)),
                    "{other:?} {y} {z}"
                );
            }
        }
        for a in [1.1, 2.0] {
            let (found, expected): (f64, f64) =
                (row.curvature_beyond(a), other.curvature_beyond(a));
            assert!(
                (found - expected).abs() < 1e-5 * expected,
                "{other:?}: {found} for {expected}"
            );
        }
    }
}
