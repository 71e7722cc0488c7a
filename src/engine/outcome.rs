//! The outcome of a point: its solution, hypergradient, diagnostics and warnings.

use crate::error::{Error, Result};
use crate::kinds::{Status, tag};
use crate::problem::{Point, Problem, Strengths};

/// A start for a solver: an earlier outcome's solution and adjoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WarmStart {
    /// Scaled coefficients, p entries.
    pub w: Vec<f64>,
    /// The adjoint v, p entries, or empty.
    pub v: Vec<f64>,
}

/// The engines that computed an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engines {
    /// The one that solved.
    pub solve: EngineName,
    /// The one that differentiated; `None` where nothing was differentiated.
    pub adjoint: Option<EngineName>,
}

impl std::fmt::Display for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.solve.name())?;
        match self.adjoint {
            Some(adjoint) if adjoint != self.solve => write!(f, " + {}", adjoint.name()),
            _ => Ok(()),
        }
    }
}

/// The name of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineName {
    /// Solved and differentiated point by point where the path arrives.
    FusedPath,
    /// Solved and differentiated point by point on a graphics device, by coordinate descent on the Gram
    /// matrix.
    PathKernel,
    /// Solved in f32 on a graphics device, refined in f64 on the CPU.
    Refined,
    /// Coordinate descent along paths; adjoints on the support.
    Path,
    /// Minibatches of rows on the CPU.
    Sampled,
    /// Recordings of kernels for a whole batch, on the CPU or a graphics device.
    Recorded,
}

impl EngineName {
    /// The name that tables and JSON show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FusedPath => "fused-path",
            Self::PathKernel => "path-kernel",
            Self::Refined => "refined",
            Self::Path => "path",
            Self::Sampled => "sampled",
            Self::Recorded => "recorded",
        }
    }
}

/// The outcome of one point of the batch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The hyperparameters.
    pub point: Point,
    /// The engines that solved and differentiated.
    pub engines: Engines,
    /// The status of solver and linear solver: the worse of the two. Without a tolerance, what the
    /// duality gap contradicts is [`Status::Stalled`], never converged.
    pub status: Status,
    /// Steps of the solver.
    pub steps: usize,
    /// Steps of the linear solver; 0 for ITD and direct solves.
    pub linear_steps: usize,
    /// Training loss with ridge and penalty at the solution.
    pub objective: f64,
    /// The criterion E.
    pub criterion: f64,
    /// dE/dλ; `None` when it was not asked for, or does not exist (see `warnings`).
    pub hypergradient: Option<Hypergradient>,
    /// Number of penalised coordinates that are not zero; of a box: strictly between its bounds.
    pub support: usize,
    /// ‖Φ(w) − w‖₂/γ.
    pub residual: f64,
    /// Relative duality gap, where the loss and penalty have one here.
    pub duality_gap: Option<f64>,
    /// ‖(I − ∂₁Φᵀ)v − ∂₁E‖/‖∂₁E‖, recomputed; `None` without an adjoint.
    pub linear_residual: Option<f64>,
    /// Distance of u = T(w), or of w, to the nearest kink, over γ; `None` where there is none.
    pub kink_margin: Option<f64>,
    /// True when the derivative is surely that of the solution's piece: the kinks of the prox are
    /// farther than residual·q/(1 − q), those of rows and of l1 at zero farther than
    /// residual/(1 − q), and all farther than rounding.
    pub certified: bool,
    /// The contraction on the support q_S, on request: by power iterations, which approach it from
    /// below.
    pub contraction: Option<f64>,
    /// Estimate of ‖v − v*‖ from `linear_residual` and `contraction`, on request. It is a bound
    /// as far as `contraction` is not too small.
    pub adjoint_error_estimate: Option<f64>,
    /// Remarks for the user; the status stays the solver's.
    pub warnings: Vec<Warning>,
    /// Scaled coefficients, intercepts last: p entries, or none where the settings do not ask for them. The
    /// warm start of a later call.
    pub solution: Vec<f64>,
    /// The adjoint v: p entries; empty without one. The warm start of a later call.
    pub adjoint: Vec<f64>,
}

impl Outcome {
    /// Whether the solution has converged, though its hypergradient may be an estimate that has not.
    #[must_use]
    pub fn is_solved(&self) -> bool {
        let is_rough = |w: &Warning| w.kind == WarningKind::RoughHypergradient;
        self.status == Status::Converged || self.warnings.iter().any(is_rough)
    }

    /// The names of the kinds of its warnings.
    pub fn warning_names(&self) -> impl Iterator<Item = &'static str> {
        self.warnings.iter().map(|warning| warning.kind.name())
    }

    /// The hypergradient.
    ///
    /// # Errors
    /// [`Error::Value`] where there is none: nothing was to be differentiated, the Hessian on the
    /// support is singular, or the run was interrupted.
    pub fn gradient(&self) -> Result<&Hypergradient> {
        self.hypergradient.as_ref().ok_or_else(|| {
            let singular = WarningKind::SingularHessian;
            let warning = self.warnings.iter().find(|w| w.kind == singular);
            let why = match (warning, self.engines.adjoint) {
                (Some(warning), _) => warning.message.clone(),
                (None, None) => "nothing was to be differentiated; name a method".to_owned(),
                (None, Some(_)) => format!(
                    "the status is {}; allow more steps or time, or change the point",
                    self.status.name()
                ),
            };
            Error::Value {
                name: "hypergradient".to_owned(),
                what: "there is none".to_owned(),
                remedy: why,
            }
        })
    }

    /// The start of a later run: this solution and adjoint.
    #[must_use]
    pub fn warm_start(&self) -> WarmStart {
        WarmStart {
            w: self.solution.clone(),
            v: self.adjoint.clone(),
        }
    }
}

/// dE/dλ, with respect to λ itself and not its logarithm. What was not asked for is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hypergradient {
    /// With respect to l1; where the penalty has a vector of strengths, to the effective ones,
    /// l1·strength.
    pub l1: Option<Strengths>,
    /// With respect to λ₂; where the problem has several, to the effective ones, l2·strength.
    pub l2: Option<Strengths>,
    /// With respect to the prior mean: one entry per penalised coordinate.
    pub prior: Option<Vec<f64>>,
    /// With respect to the user's sample weights: one entry per training row.
    pub sample_weights: Option<Vec<f64>>,
    /// With respect to the weights of the classes, factors of the user's sample weights: one entry per
    /// class.
    pub class_weights: Option<Vec<f64>>,
    /// With respect to the perturbation: perturbed rows × d, row-major, in the data's units.
    pub perturbation: Option<Vec<f64>>,
    /// With respect to the lower and the upper bound: of a box two numbers, of bounds of coefficients one per
    /// penalised coordinate each, in the data's units.
    pub box_bounds: Option<(Strengths, Strengths)>,
    /// With respect to δ of the Huber loss of the fit; that of the criterion stays.
    pub huber_delta: Option<f64>,
}

tag! {
    /// The parts of a hypergradient: their names in JSON, CSV and stores, and the words of tables.
    pub enum Part {
        /// With respect to l1.
        L1 = "l1";
        /// With respect to λ₂.
        L2 = "l2";
        /// With respect to the prior mean.
        Prior = "prior";
        /// With respect to the sample weights.
        SampleWeights = "sample_weights" ("weights");
        /// With respect to the weights of the classes.
        ClassWeights = "class_weights" ("classes");
        /// With respect to the perturbation.
        Perturbation = "perturbation";
        /// With respect to the lower bound.
        BoxLo = "box_lo" ("lo");
        /// With respect to the upper bound.
        BoxHi = "box_hi" ("hi");
        /// With respect to δ of the Huber loss.
        HuberDelta = "huber_delta" ("delta");
    }
}

impl Part {
    /// The word in tables, which are narrow.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.flag()
    }
}

/// A part of a hypergradient with its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartValues<'a> {
    /// The part.
    pub part: Part,
    /// Its values.
    pub values: &'a [f64],
    /// Whether it is one number by its nature, and no vector of length one.
    pub is_scalar: bool,
}

/// dE/d log l1 and dE/d log l2: the changes of the criterion where strengths change by the same share, which
/// unlike the derivatives in the strengths can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LogSlopes {
    /// In log l1; of a vector of strengths, in that of their common factor.
    pub l1: Option<f64>,
    /// In log l2 likewise.
    pub l2: Option<f64>,
}

impl Hypergradient {
    /// The derivatives in the logarithms of the strengths of `point`, this being its hypergradient in `problem`.
    #[must_use]
    pub fn log_slopes(&self, problem: &Problem, point: &Point) -> LogSlopes {
        let along_l2 = |slopes| point.l2 * problem.along_l2(point, slopes);
        LogSlopes {
            l1: self
                .l1
                .as_ref()
                .map(|slopes| problem.along_log_l1(point, slopes)),
            l2: self.l2.as_ref().map(along_l2),
        }
    }

    /// The parts that were asked for, in the order of [`Part::ALL`]: what every output shows.
    pub fn parts(&self) -> impl Iterator<Item = PartValues<'_>> {
        let bounds = self.box_bounds.as_ref();
        fn of_bound(bound: &Strengths) -> (&[f64], bool) {
            (bound.as_slice(), matches!(bound, Strengths::Common(_)))
        }
        Part::ALL.into_iter().filter_map(move |part| {
            let (values, is_scalar) = match part {
                Part::L1 => {
                    let l1 = self.l1.as_ref()?;
                    (l1.as_slice(), matches!(l1, Strengths::Common(_)))
                }
                Part::L2 => {
                    let l2 = self.l2.as_ref()?;
                    (l2.as_slice(), matches!(l2, Strengths::Common(_)))
                }
                Part::Prior => (self.prior.as_deref()?, false),
                Part::SampleWeights => (self.sample_weights.as_deref()?, false),
                Part::ClassWeights => (self.class_weights.as_deref()?, false),
                Part::Perturbation => (self.perturbation.as_deref()?, false),
                Part::BoxLo => of_bound(&bounds?.0),
                Part::BoxHi => of_bound(&bounds?.1),
                Part::HuberDelta => (std::slice::from_ref(self.huber_delta.as_ref()?), true),
            };
            Some(PartValues {
                part,
                values,
                is_scalar,
            })
        })
    }

    /// The derivative with respect to l1, where it is one number.
    #[must_use]
    pub fn l1_value(&self) -> Option<f64> {
        self.l1.as_ref()?.value()
    }

    /// The derivative with respect to λ₂, where it is one number.
    #[must_use]
    pub fn l2_value(&self) -> Option<f64> {
        self.l2.as_ref()?.value()
    }

    /// True when no entry is NaN or infinite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.parts()
            .flat_map(|part| part.values)
            .all(|entry| entry.is_finite())
    }
}

/// Something that a user should know about a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Its kind.
    pub kind: WarningKind,
    /// One sentence with the remedy.
    pub message: String,
}

tag! {
    /// Kinds of warnings.
    #[non_exhaustive]
    pub enum WarningKind {
        /// The restricted Hessian is singular and the criterion's gradient not in its range: there is no
        /// hypergradient.
        SingularHessian = "singular-hessian";
        /// Other coefficients reach the same minimum: those of least norm are reported, where they are found.
        NotUnique = "not-unique";
        /// The support may belong to a neighbouring piece.
        NotCertified = "not-certified";
        /// A column without variance was given the coefficient zero.
        ConstantColumn = "constant-column";
        /// The solver can go no further, and the duality gap says that it is not at the minimum.
        OpenGap = "open-gap";
        /// The solver can go no further, and its arithmetic leaves the coefficients uncertain.
        Imprecise = "imprecise";
        /// The solution has converged, and its hypergradient is an estimate that has not.
        RoughHypergradient = "rough-hypergradient";
        /// The training target does not vary, so that nothing is learned.
        ConstantTarget = "constant-target";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_once_and_in_order() {
        let gradient = Hypergradient {
            l1: Some(Strengths::Each(vec![1.0])),
            l2: Some(2.0.into()),
            sample_weights: Some(vec![3.0, 4.0]),
            box_bounds: Some((5.0.into(), 6.0.into())),
            ..Hypergradient::default()
        };
        let parts: Vec<_> = gradient
            .parts()
            .map(|p| {
                (
                    p.part.name(),
                    p.part.label(),
                    p.values.to_vec(),
                    p.is_scalar,
                )
            })
            .collect();
        let expected = [
            ("l1", "l1", vec![1.0], false),
            ("l2", "l2", vec![2.0], true),
            ("sample_weights", "weights", vec![3.0, 4.0], false),
            ("box_lo", "lo", vec![5.0], true),
            ("box_hi", "hi", vec![6.0], true),
        ];
        assert_eq!(parts, expected);
        assert!(gradient.is_finite());
        let broken = Hypergradient {
            box_bounds: Some((0.0.into(), f64::NAN.into())),
            ..gradient
        };
        assert!(!broken.is_finite());
        assert_eq!(Strengths::Common(7.0).value(), Some(7.0));
        assert_eq!(Strengths::Each(vec![1.0, 2.0]).value(), None);
    }
}
