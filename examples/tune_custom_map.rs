//! Tuning a map of one's own with the tuner's optimiser, by ask and tell.
//!
//! A noisy picture y is smoothed along its rows and along its columns, with a strength each: the result is
//! the fixed point of
//!
//! ```text
//! w_i = (y_i + a Σ_{j beside i} w_j + b Σ_{j above, below i} w_j)/(1 + a·(neighbours) + b·(neighbours))
//! ```
//!
//! and the criterion is its squared distance from a second noisy picture of the same scene. Both strengths
//! are tuned on a logarithmic scale, from two starts at once.
//!
//! Run it with `cargo run --example tune_custom_map`.

use proxdiff::hypergrad::host::{HostCriterion, HostProblem, HostSettings};
use proxdiff::prelude::*;
use proxdiff::tune::{BoxBounds, Search, Value};
use proxdiff::{Control, HostMap};

const SIDE: usize = 24;

/// The smoothing of one picture.
struct Smoother {
    picture: Vec<f64>,
}

impl Smoother {
    /// The neighbours of a pixel along the rows (axis 0) or the columns (axis 1).
    fn neighbours(pixel: usize, axis: usize) -> impl Iterator<Item = usize> {
        let (at, step) = if axis == 0 {
            (pixel % SIDE, 1)
        } else {
            (pixel / SIDE, SIDE)
        };
        let before = (at > 0).then(|| pixel - step);
        let after = (at + 1 < SIDE).then(|| pixel + step);
        before.into_iter().chain(after)
    }

    fn denominator(pixel: usize, strengths: &[f64]) -> f64 {
        let along = |axis: usize| strengths[axis] * Self::neighbours(pixel, axis).count() as f64;
        1.0 + along(0) + along(1)
    }

    /// ∂Φ_i/∂ strength of an axis.
    fn slope(&self, pixel: usize, axis: usize, w: &[f64], strengths: &[f64]) -> f64 {
        let mut value = self.picture[pixel];
        for axis in 0..2 {
            let sum: f64 = Self::neighbours(pixel, axis).map(|j| w[j]).sum();
            value += strengths[axis] * sum;
        }
        let denominator = Self::denominator(pixel, strengths);
        let image = value / denominator;
        let difference: f64 = Self::neighbours(pixel, axis).map(|j| w[j] - image).sum();
        difference / denominator
    }
}

impl HostMap for Smoother {
    fn coordinates(&self) -> usize {
        SIDE * SIDE
    }

    fn hyperparameters(&self) -> usize {
        2
    }

    fn apply(&self, w: &[f64], strengths: &[f64], out: &mut [f64]) {
        for (pixel, out) in out.iter_mut().enumerate() {
            let mut value = self.picture[pixel];
            for axis in 0..2 {
                let sum: f64 = Self::neighbours(pixel, axis).map(|j| w[j]).sum();
                value += strengths[axis] * sum;
            }
            *out = value / Self::denominator(pixel, strengths);
        }
    }

    fn jvp(&self, w: &[f64], strengths: &[f64], dw: &[f64], direction: &[f64], out: &mut [f64]) {
        for (pixel, out) in out.iter_mut().enumerate() {
            let denominator = Self::denominator(pixel, strengths);
            *out = 0.0;
            for axis in 0..2 {
                let sum: f64 = Self::neighbours(pixel, axis).map(|j| dw[j]).sum();
                *out += strengths[axis] * sum / denominator;
                *out += direction[axis] * self.slope(pixel, axis, w, strengths);
            }
        }
    }

    fn vjp(&self, w: &[f64], strengths: &[f64], v: &[f64], dw: &mut [f64], slopes: &mut [f64]) {
        dw.fill(0.0);
        slopes.fill(0.0);
        for (pixel, v) in v.iter().enumerate() {
            let denominator = Self::denominator(pixel, strengths);
            for axis in 0..2 {
                for j in Self::neighbours(pixel, axis) {
                    dw[j] += strengths[axis] * v / denominator;
                }
                slopes[axis] += v * self.slope(pixel, axis, w, strengths);
            }
        }
    }
}

/// Half the squared distance from another picture, as a mean over pixels.
struct Distance {
    picture: Vec<f64>,
}

impl HostCriterion for Distance {
    fn value(&self, w: &[f64], _: &[f64]) -> f64 {
        let squares = w.iter().zip(&self.picture).map(|(w, y)| (w - y).powi(2));
        squares.sum::<f64>() / (2.0 * w.len() as f64)
    }

    fn gradient(&self, w: &[f64], _: &[f64], out: &mut [f64]) {
        for (out, (w, y)) in out.iter_mut().zip(w.iter().zip(&self.picture)) {
            *out = (w - y) / (SIDE * SIDE) as f64;
        }
    }
}

/// Stripes along the rows with noise, so that smoothing along them pays and across them does not.
fn noisy(seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let stripe = |pixel: usize| (pixel as f64 / SIDE as f64 * 0.9).sin();
    (0..SIDE * SIDE)
        .map(|pixel| stripe(pixel) + 0.8 * noise())
        .collect()
}

fn main() -> Result<()> {
    let problem = HostProblem::new(
        Smoother { picture: noisy(1) },
        Distance { picture: noisy(2) },
    )?;
    let bounds = BoxBounds::new(vec![1e-3f64.ln(); 2], vec![1e2f64.ln(); 2])?;
    let mut search = Search::new(bounds, 100)
        .from(&[0.0, 0.0])?
        .from(&[-4.0, 2.0])?;
    loop {
        let asked = search.ask();
        if asked.is_empty() {
            break;
        }
        // All starts are one batch.
        let strengths: Vec<Vec<f64>> = asked
            .iter()
            .map(|asked| asked.place.iter().map(|x| x.exp()).collect())
            .collect();
        let settings = HostSettings::default();
        let outcomes =
            problem.solve_and_differentiate(&strengths, &settings, None, &Control::new())?;
        let value = |(outcome, strengths): (_, &Vec<f64>)| {
            let outcome: &proxdiff::hypergrad::host::HostOutcome = outcome;
            // Logarithms of criterion and strengths: d log E/d log λ = λ/E · dE/dλ.
            let slope = outcome.hypergradient.iter().zip(strengths);
            (outcome.status == Status::Converged).then(|| Value {
                value: outcome.criterion.ln(),
                slope: slope.map(|(g, s)| g * s / outcome.criterion).collect(),
            })
        };
        search.tell(outcomes.iter().zip(&strengths).map(value).collect())?;
    }
    let Some(found) = search.outcome() else {
        println!("no start has a value");
        return Ok(());
    };
    for (number, start) in found.starts.iter().enumerate() {
        println!(
            "start {}: {} after {} evaluations, criterion {:.6}",
            number + 1,
            start.status.name(),
            start.evaluations,
            start.criterion.exp()
        );
    }
    println!(
        "along rows {:.3}, along columns {:.3}: {}, slope {:.1e}",
        found.place[0].exp(),
        found.place[1].exp(),
        found.status.name(),
        found.projected_slope
    );
    Ok(())
}
