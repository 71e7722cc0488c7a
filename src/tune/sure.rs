//! Stein's unbiased risk estimate (Stein 1981) by finite differences, as a criterion.
//!
//! Of targets y = μ + σe with normal e, a fit z(y) of the squared loss, a direction δ ~ N(0, I) and a step
//! ε = 2σ/n^0.3 (Deledalle et al. 2014),
//!
//! ```text
//! Ē = ½ ( ‖y − z(y)‖²/n + 2σ²/(nε) δᵀ(z(y + εδ) − z(y)) ) = ½ (SURE/n + σ²)
//! ```
//!
//! estimates the squared loss on new targets of the same rows. It is a combination of squared losses of two
//! fits: with s = σ²δ/ε and E_a(b) = ½‖z(a) − b‖²/n,
//!
//! ```text
//! Ē = E_y(y + s) + ½ E_{y+εδ}(y − s) − ½ E_{y+εδ}(y + s) − ½ ‖s‖²/n
//! ```
//!
//! so that its derivative is that combination of theirs. It is never negative: z is a proximal map of y.

use crate::data::random::Random;
use crate::error::{Error, Result};
use crate::hypergrad::{Evaluator, Warning, WarningKind};
use crate::kinds::Status;
use crate::linalg::vector::dot;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::problem::{Point, Problem, Sign};
use crate::real::sum_of;

/// Of so many rows one must be left when noise is estimated by least squares.
const LEFT: usize = 4;
/// The stream of the direction's numbers.
const STREAM: u64 = 0x50_5245;

/// Stein's unbiased risk estimate in place of rows that are held out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sure {
    /// The standard deviation σ of the noise; `None` estimates it by least squares on all features, which
    /// takes four rows for every three coefficients at least.
    pub noise: Option<f64>,
    /// The seed of the direction δ.
    pub seed: u64,
}

/// Problems whose criteria make an estimate together.
#[derive(Debug)]
pub(super) struct Estimate {
    pub(super) problems: Vec<Problem>,
    pub(super) combination: Combination,
    /// σ.
    pub(super) noise: f64,
}

/// A combination of the criteria of several problems.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Combination {
    /// The factor of every problem's criterion.
    pub(super) factors: Vec<f64>,
    /// The number that is added.
    pub(super) constant: f64,
}

impl Combination {
    /// The combination of the criteria.
    pub(super) fn value(&self, of: impl Fn(usize) -> f64) -> f64 {
        self.slope(of) + self.constant
    }

    /// That of their derivatives.
    pub(super) fn slope(&self, of: impl Fn(usize) -> f64) -> f64 {
        sum_of(self.factors.len(), |at| self.factors[at] * of(at))
    }
}

impl Sure {
    /// The problems of a problem's training rows for one target.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for losses and criteria that are not squared, weights, and perturbed rows;
    /// [`Error::Value`] for noise that is not greater than zero, or cannot be estimated.
    pub(super) fn of(self, problem: &Problem, target: usize) -> Result<Estimate> {
        check(problem)?;
        let noise = match self.noise {
            Some(noise) => noise,
            None => estimated(problem, target)?,
        };
        if !(noise.is_finite() && noise > 0.0) {
            return Err(Error::value(
                "noise",
                format!("its standard deviation is {noise}"),
                "give a finite number greater than zero",
            ));
        }
        let rows = problem.train().rows();
        let n = rows as f64;
        let mut random = Random::new(self.seed, STREAM);
        let direction: Vec<f64> = (0..rows).map(|_| random.normal()).collect();
        let step = 2.0 * noise / n.powf(0.3);
        let scaled = |factor: f64| -> Vec<f64> { direction.iter().map(|d| factor * d).collect() };
        let shift = noise * noise / step;
        let (still, moved) = (scaled(0.0), scaled(step));
        let (above, below) = (scaled(shift), scaled(-shift));
        let problems = vec![
            problem.retargeted(target, &still, &above),
            problem.retargeted(target, &moved, &below),
            problem.retargeted(target, &moved, &above),
        ];
        Ok(Estimate {
            problems,
            combination: Combination {
                factors: vec![1.0, 0.5, -0.5],
                constant: -0.5 * dot(&above, &above) / n,
            },
            noise,
        })
    }
}

/// Refuses what the estimate is not of.
fn check(problem: &Problem) -> Result<()> {
    let criterion = problem.criterion();
    let is_squared = problem.loss() == Loss::Squared && criterion.loss == Loss::Squared;
    if !is_squared || criterion.sign != Sign::Minimize {
        return Err(Error::unsupported(
            format!(
                "Stein's estimate for a {} loss with a {} criterion",
                problem.loss().name(),
                criterion.loss.name()
            ),
            "use the squared loss, and leave --criterion and --criterion-sign out, or tune on held-out rows",
        ));
    }
    if problem.train().weights.iter().any(|&w| w != 1.0) {
        return Err(Error::unsupported(
            "Stein's estimate with weights of the rows",
            "leave the weights out, or tune on held-out rows",
        ));
    }
    if !problem.perturbed_rows().is_empty() {
        return Err(Error::unsupported(
            "Stein's estimate of perturbed rows",
            "state the problem without its perturbation",
        ));
    }
    Ok(())
}

/// The standard deviation of the residuals of least squares on all features.
fn estimated(problem: &Problem, target: usize) -> Result<f64> {
    let (rows, unknowns) = (problem.train().rows(), problem.coordinates());
    let left = rows.saturating_sub(unknowns);
    if left * LEFT < rows {
        return Err(Error::value(
            "noise",
            format!("{rows} rows are too few to estimate it beside {unknowns} coefficients"),
            "give its standard deviation with --noise",
        ));
    }
    let free = problem.clone().with_penalty(Penalty::ElasticNet)?;
    let free = free.retargeted(target, &vec![0.0; rows], &vec![0.0; rows]);
    let point = Point::new(0.0, 0.0).of_target(target);
    let outcome = Evaluator::new(&free).method(None).run(&[point])?.remove(0);
    let depends = |warning: &Warning| warning.kind == WarningKind::NotUnique;
    if outcome.status != Status::Converged || outcome.warnings.iter().any(depends) {
        return Err(Error::value(
            "noise",
            "it cannot be estimated: columns depend on each other, and least squares is not determined",
            "give its standard deviation with --noise, or drop dependent columns",
        ));
    }
    // The criterion is half the mean square.
    Ok((2.0 * outcome.criterion * rows as f64 / left as f64).sqrt())
}

#[cfg(test)]
mod tests;
