//! Settings of solving and differentiating: one struct, validated once.

use crate::error::{Error, Result};
use crate::exec::Device;
use crate::iterate::StopRule;
use crate::kinds::{Method, Precision, Preconditioner, Solver, Wrt, setters};
use crate::model::loss::Loss;
use crate::problem::Problem;

/// Settings of solving and differentiating.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// The solver of the fixed point (default: auto).
    pub solver: Solver,
    /// The method of differentiation; `None` only solves (default: AID-CG).
    pub method: Option<Method>,
    /// The hyperparameters to differentiate in (default: l1 and λ₂).
    pub wrt: Vec<Wrt>,
    /// Stop when the scaled residual ‖Φ(w) − w‖/γ is below this times ‖∇loss(0)‖, and the linear
    /// residual below this times ‖∂₁E‖. `None` (default) goes to the rounding of the precision.
    pub tolerance: Option<f64>,
    /// The most steps of the solver, and of the linear solver (default: 100 000).
    pub max_steps: usize,
    /// Reverse ITD through the last k steps only (default: all).
    pub truncate: Option<usize>,
    /// The preconditioner of AID-CG (default: the Cholesky factor where there is one).
    pub preconditioner: Preconditioner,
    /// Estimate the contraction on the support and the error bound that needs it (default: off).
    pub contraction: bool,
    /// Minibatches of NSID, SID and the stochastic solver.
    pub stochastic: StochasticSettings,
    /// Worker threads; 0 takes all cores (default: 0). Results do not depend on it.
    pub threads: usize,
    /// Keep the coefficients and the adjoint of every point (default: on). Off, outcomes of a graphics
    /// device may come without them, which spares bringing them back.
    pub solutions: bool,
    /// The device of recordings (default: the CPU). A graphics device computes in f32; f64 results are
    /// refined from its solutions on the CPU.
    pub device: Device,
    /// The precision of the results (default: f64).
    pub precision: Precision,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            solver: Solver::Auto,
            method: Some(Method::AidCg),
            wrt: vec![Wrt::L1, Wrt::L2],
            tolerance: None,
            max_steps: 100_000,
            truncate: None,
            preconditioner: Preconditioner::default(),
            contraction: false,
            stochastic: StochasticSettings::default(),
            threads: 0,
            solutions: true,
            device: Device::Cpu,
            precision: Precision::F64,
        }
    }
}

/// The drawing of minibatches, and the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct StochasticSettings {
    /// Rows in a minibatch, at most n (default: 100).
    pub batch: usize,
    /// Seed of all draws; the stream depends on the seed and the step alone (default: 0).
    pub seed: u64,
    /// Steps k of NSID and SID (default: 10 000).
    pub steps: usize,
    /// Minibatches J averaged for the frozen outer derivative; `None` takes k + 1 (default).
    pub freeze: Option<usize>,
    /// Draw every minibatch independently instead of without replacement within an epoch
    /// (default: off).
    pub independent: bool,
    /// The step schedule of NSID and SID.
    pub schedule: MinibatchSteps,
}

impl Default for StochasticSettings {
    fn default() -> Self {
        Self {
            batch: 100,
            seed: 0,
            steps: 10_000,
            freeze: None,
            independent: false,
            schedule: MinibatchSteps::Decreasing {
                multiplier: 1.0,
                shift: 2.0,
            },
        }
    }
}

/// The steps η_i of the stochastic linear iterations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MinibatchSteps {
    /// η_i = η.
    Constant {
        /// 0 < η ≤ 1.
        eta: f64,
    },
    /// η_i = β/(κ + i), β = multiplier·2/(1 − q²), κ = shift·2/(1 − q²).
    Decreasing {
        /// m > ½ for the 1/k rate.
        multiplier: f64,
        /// At least the multiplier, so that η ≤ 1.
        shift: f64,
    },
}

impl MinibatchSteps {
    /// β and κ of steps β/(κ + i) at a contraction q; η and −1 of constant ones.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for decreasing steps where the map does not contract.
    pub(super) fn factors(self, l2: f64, q: f64) -> Result<(f64, f64)> {
        match self {
            Self::Constant { eta } => Ok((eta, -1.0)),
            Self::Decreasing { multiplier, shift } if q < 1.0 => {
                let unit = 2.0 / (1.0 - q * q);
                Ok((multiplier * unit, shift * unit))
            }
            Self::Decreasing { .. } => Err(Error::unsupported(
                format!("decreasing steps at l2 = {l2}: the map is not a contraction"),
                "choose a constant step (--eta), or l2 > 0 with --no-intercept",
            )),
        }
    }
}

impl Settings {
    setters! {
        /// Chooses how the fixed point is computed.
        solver: Solver,
        /// Chooses how it is differentiated; `None` only solves.
        method: impl Into<Option<Method>>,
        /// Chooses with respect to what.
        wrt: impl Into<Vec<Wrt>>,
        /// Chooses the tolerance; `None` goes to rounding.
        tolerance: impl Into<Option<f64>>,
        /// Chooses the most steps of the solver, and of the linear solver.
        max_steps: usize,
        /// Chooses through how many last steps reverse ITD goes.
        truncate: impl Into<Option<usize>>,
        /// Chooses the preconditioner of AID-CG.
        preconditioner: Preconditioner,
        /// Chooses whether the contraction on the support is estimated.
        contraction: bool,
        /// Chooses the minibatches of NSID, SID and the stochastic solver.
        stochastic: StochasticSettings,
        /// Chooses the number of worker threads; 0 takes all cores.
        threads: usize,
        /// Chooses whether outcomes keep their coefficients and adjoints.
        solutions: bool,
        /// Chooses where recordings run.
        device: Device,
        /// Chooses the precision of the results.
        precision: Precision,
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`Error::Value`] for a value outside its domain, [`Error::Unsupported`] for ITD with a
    /// solver other than the Picard iteration that it differentiates.
    pub fn validate(&self) -> Result<()> {
        let bad = |name: &str, what: String, remedy: &str| Err(Error::value(name, what, remedy));
        if let Some(t) = self.tolerance
            && !(t.is_finite() && t >= 0.0)
        {
            return bad(
                "tolerance",
                format!("{t}"),
                "give a finite number, zero or more",
            );
        }
        if self.max_steps == 0 || u32::try_from(self.max_steps).is_err() {
            return bad(
                "max steps",
                format!("{}", self.max_steps),
                "give a number from 1 to 4294967295",
            );
        }
        let itd = matches!(self.method, Some(Method::ItdForward | Method::ItdReverse));
        if itd && !matches!(self.solver, Solver::Auto | Solver::Ista) {
            return Err(Error::unsupported(
                "ITD differentiates the Picard iteration and no other solver",
                "use --solver ista (or auto), or an implicit method",
            ));
        }
        if self.truncate == Some(0) {
            return bad("truncate", "0 steps".into(), "give at least 1");
        }
        if self.truncate.is_some() && self.method != Some(Method::ItdReverse) {
            return Err(Error::unsupported(
                "truncation of a method other than reverse ITD",
                "use --method itd-reverse",
            ));
        }
        let s = &self.stochastic;
        if s.batch == 0 || s.steps == 0 || s.freeze == Some(0) {
            return bad(
                "minibatches",
                "zero rows, steps or freezing draws".into(),
                "give at least 1 of each",
            );
        }
        let fits = match s.schedule {
            MinibatchSteps::Constant { eta } => eta > 0.0 && eta <= 1.0,
            MinibatchSteps::Decreasing { multiplier, shift } => {
                multiplier > 0.0 && shift >= multiplier && shift.is_finite()
            }
        };
        if !fits {
            return bad(
                "step schedule",
                match s.schedule {
                    MinibatchSteps::Constant { eta } => format!("the constant step {eta}"),
                    MinibatchSteps::Decreasing { multiplier, shift } => {
                        format!("multiplier {multiplier} with shift {shift}")
                    }
                },
                "steps must lie in (0, 1]: a shift of at least the multiplier, both above zero",
            );
        }
        Ok(())
    }

    /// The same for engines of the parts: on a graphics device the solver `auto` is FISTA.
    pub(super) fn of_parts(&self) -> Self {
        let mut settings = self.clone();
        if settings.solver == Solver::Auto && !settings.device.is_cpu() {
            settings.solver = Solver::Fista;
        }
        settings
    }

    /// The stop rule of iterations.
    pub fn rule(&self) -> StopRule {
        StopRule {
            tolerance: self.tolerance,
            max_steps: self.max_steps,
        }
    }

    /// True where a derivative with respect to `wrt` is wanted.
    pub(super) fn differentiates(&self, wrt: Wrt) -> bool {
        self.method.is_some() && self.wrt.contains(&wrt)
    }

    /// True where points are iterated together from w = 0, not along a path.
    fn iterates(&self) -> bool {
        let is_unrolled = matches!(self.method, Some(Method::ItdForward | Method::ItdReverse));
        let may_be_path = matches!(self.solver, Solver::Auto | Solver::Path);
        is_unrolled || !may_be_path || !self.device.is_cpu()
    }

    /// Checks that the problem has what is to be differentiated.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for bounds without a box, perturbations without perturbed rows, and
    /// sample weights or minibatches of a quadratic form.
    pub fn check_against(&self, problem: &Problem) -> Result<()> {
        if self.differentiates(Wrt::BoxBounds) && !problem.penalty.has_bounds() {
            return Err(Error::unsupported(
                "the derivative in bounds without bounds",
                "use the box penalty, or bounds of coefficients",
            ));
        }
        if self.differentiates(Wrt::HuberDelta) && !matches!(problem.loss, Loss::Huber { .. }) {
            return Err(Error::unsupported(
                format!(
                    "the derivative in huber-delta of the {} loss",
                    problem.loss.name()
                ),
                "use the Huber loss",
            ));
        }
        if self.differentiates(Wrt::ClassWeights) {
            if !problem.loss.is_classification() {
                return Err(Error::unsupported(
                    format!(
                        "the derivative in class weights of the {} loss",
                        problem.loss.name()
                    ),
                    "use a loss of classes, or differentiate with respect to sample-weights",
                ));
            }
            let factors = problem.weight_factors.as_deref().unwrap_or_default();
            if factors.contains(&0.0) {
                return Err(Error::unsupported(
                    "the derivative in class weights of which one is zero",
                    "give every class a weight above zero",
                ));
            }
        }
        if self.differentiates(Wrt::Perturbation) && problem.perturbed_rows.is_empty() {
            return Err(Error::unsupported(
                "the derivative in a perturbation that is not there",
                "name the perturbed rows and their perturbation (zeros are allowed)",
            ));
        }
        let of_rows =
            |wrt: &Wrt| wrt.weighs_rows() || matches!(wrt, Wrt::Perturbation | Wrt::HuberDelta);
        if self.method == Some(Method::Sid) && self.wrt.iter().any(of_rows) {
            return Err(Error::unsupported(
                "SID with respect to rows: their weights, perturbation or loss",
                "use NSID, which is not biased",
            ));
        }
        if self.solver == Solver::Stochastic && problem.loss.curvature_bound().is_none() {
            return Err(Error::unsupported(
                format!(
                    "the stochastic solver for the {} loss, whose curvature on a minibatch has no bound",
                    problem.loss.name()
                ),
                "use --solver path, fista or ista",
            ));
        }
        if !problem.penalty.allows_zero()
            && problem.loss.curvature_bound().is_none()
            && self.iterates()
        {
            return Err(Error::unsupported(
                format!(
                    "iterations from w = 0 of the {} loss with bounds that zero is not within: no step is known to hold",
                    problem.loss.name()
                ),
                "use --solver path with an implicit method, or bounds with zero within",
            ));
        }
        if problem.loss == Loss::Quadratic {
            if self.wrt.iter().any(|wrt| wrt.weighs_rows()) {
                return Err(Error::unsupported(
                    "sample weights of a quadratic form",
                    "it has no rows",
                ));
            }
            let sampled = matches!(self.method, Some(Method::Nsid | Method::Sid));
            if sampled || self.solver == Solver::Stochastic {
                return Err(Error::unsupported(
                    "minibatches of a quadratic form",
                    "it has no rows: use aid-cg",
                ));
            }
        }
        Ok(())
    }
}
