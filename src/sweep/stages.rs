//! Fits in two stages: the adaptive lasso, whose weights come from a first fit, and the relaxed lasso, which
//! fits what a lasso has chosen once more.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::hypergrad::{Evaluator, Outcome, Settings};
use crate::model::penalty::Penalty;
use crate::problem::{Point, Problem, Strengths};

/// The strength of a coefficient that is left out: no slope comes near it at any l1 in use.
pub(super) const LEFT_OUT: f64 = 1e30;

/// The stages of a fit beside its own.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stages {
    /// Weights of the l1 strengths from a first fit to the same rows.
    pub adaptive: Option<Adaptive>,
    /// The share φ of the fit itself in w(φ) = φ·w + (1 − φ)·w_S, where w_S is without l1 on the support of w.
    pub relax: Option<f64>,
}

/// The adaptive lasso: coefficient j has the strength l1/|w_j|^γ, w being a first fit to the training rows.
/// (H. Zou, The adaptive lasso and its oracle properties, 2006.) Coefficients that are zero there are left
/// out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptive {
    /// γ.
    pub gamma: f64,
    /// The first fit.
    pub first: FirstFit,
}

/// A first fit, with the loss of the problem.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FirstFit {
    /// A ridge of this strength λ₂, without l1.
    Ridge(f64),
    /// A lasso without ridge, l1 being this share of the smallest at which all coefficients are zero.
    Lasso(f64),
}

impl Default for FirstFit {
    fn default() -> Self {
        Self::Ridge(0.01)
    }
}

impl FromStr for FirstFit {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let explain = || {
            "give ridge:L2 with L2 greater than zero, or lasso:SHARE with a share of the largest l1 between 0 and 1"
                .to_string()
        };
        let (name, value) = text.trim().split_once(':').ok_or_else(explain)?;
        let value: f64 = value.trim().parse().map_err(|_| explain())?;
        match name.trim() {
            "ridge" if value > 0.0 && value.is_finite() => Ok(Self::Ridge(value)),
            "lasso" if value > 0.0 && value < 1.0 => Ok(Self::Lasso(value)),
            _ => Err(explain()),
        }
    }
}

impl fmt::Display for FirstFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ridge(l2) => write!(f, "ridge:{l2}"),
            Self::Lasso(share) => write!(f, "lasso:{share}"),
        }
    }
}

impl Adaptive {
    /// The problem with the strengths that its first fit gives.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another penalty than the elastic net and for several targets;
    /// [`Error::Value`] for a γ that is no exponent, and for a first fit that does not converge or whose
    /// coefficients are all zero.
    pub fn adapted(&self, problem: Problem) -> Result<Problem> {
        self.check(problem.penalty(), problem.train().targets.len())?;
        let point = match self.first {
            FirstFit::Ridge(l2) => Point::new(0.0, l2),
            FirstFit::Lasso(share) => Point::new(share * problem.at_zero(0).l1_max(0.0), 0.0),
        };
        let outcomes = Evaluator::new(&problem).method(None).run(&[point])?;
        // infallible: one point has one outcome
        let first = outcomes.into_iter().next().expect("an outcome");
        if !first.is_solved() {
            return Err(Error::value(
                "adaptive weights",
                format!("the first fit ended {}", first.status.name()),
                "give another one with --first-fit, such as ridge:0.1",
            ));
        }
        let coefficients = &first.solution[..problem.penalized()];
        let strength = |w: &f64| w.abs().powf(-self.gamma).min(LEFT_OUT);
        let strengths: Vec<f64> = coefficients.iter().map(strength).collect();
        if coefficients.iter().all(|&w| w == 0.0) {
            return Err(Error::value(
                "adaptive weights",
                "all coefficients of the first fit are zero",
                "give another one with --first-fit, such as ridge:0.01",
            ));
        }
        if strengths.iter().all(|&strength| strength == LEFT_OUT) {
            return Err(Error::value(
                "adaptive weights",
                format!(
                    "all coefficients of the first fit are so small that |w|^-{} is beyond 1e30",
                    self.gamma
                ),
                "give a smaller exponent, or larger units of the target",
            ));
        }
        let weighted = problem.penalty().weighted_by(strengths);
        // infallible: `check` has seen the penalty
        problem.with_penalty(weighted.expect("a penalty of absolute values"))
    }

    fn check(&self, penalty: &Penalty, targets: usize) -> Result<()> {
        if !(self.gamma > 0.0 && self.gamma.is_finite()) {
            return Err(Error::value(
                "adaptive weights",
                format!("their exponent is {}", self.gamma),
                "give a finite number greater than zero, such as 1",
            ));
        }
        if !matches!(
            penalty,
            Penalty::ElasticNet
                | Penalty::Bounded {
                    strengths: None,
                    ..
                }
        ) {
            return Err(Error::unsupported(
                format!("adaptive weights of the {} penalty", penalty.name()),
                "they are those of the elastic net: use --penalty elastic-net",
            ));
        }
        if targets != 1 {
            return Err(Error::unsupported(
                format!("adaptive weights of {targets} targets"),
                "each target has weights of its own: name one with --target",
            ));
        }
        Ok(())
    }
}

impl Stages {
    /// Checks the stages for a penalty and a number of targets, with settings of the solutions.
    ///
    /// # Errors
    /// Those of [`Adaptive::adapted`]; [`Error::Unsupported`] for a relaxed fit with another penalty than
    /// absolute values, or with a hypergradient; [`Error::Value`] for a share that is none.
    pub fn check(&self, penalty: &Penalty, targets: usize, settings: &Settings) -> Result<()> {
        if let Some(adaptive) = &self.adaptive {
            adaptive.check(penalty, targets)?;
        }
        let Some(share) = self.relax else {
            return Ok(());
        };
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::value(
                "relaxed fit",
                format!("the share is {share}"),
                "give shares from 0 (without l1 on the support) to 1 (the lasso)",
            ));
        }
        if penalty.weighted_by(Vec::new()).is_none() {
            return Err(Error::unsupported(
                format!("a relaxed fit of the {} penalty", penalty.name()),
                "use --penalty elastic-net or weighted",
            ));
        }
        if settings.method.is_some() {
            return Err(Error::unsupported(
                "the hypergradient of a relaxed fit",
                "its support jumps with the strengths: only solve it, with --method none",
            ));
        }
        Ok(())
    }

    /// Outcomes of an adaptive fit with the derivative in their factor l1, the weights held fixed, in place
    /// of one for each coefficient.
    pub(crate) fn in_factor(&self, problem: &Problem, outcomes: &mut [Outcome]) {
        if self.adaptive.is_none() {
            return;
        }
        for outcome in outcomes {
            let point = outcome.point.clone();
            if let Some(slopes) = outcome.hypergradient.as_mut().and_then(|h| h.l1.as_mut())
                && point.l1 > 0.0
            {
                *slopes = Strengths::Common(problem.along_log_l1(&point, slopes) / point.l1);
            }
        }
    }
}
