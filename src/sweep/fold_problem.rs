//! The problem of a fold, as it is solved.

use std::sync::Arc;

use super::stages::{Adaptive, LEFT_OUT};
use crate::control::Control;
use crate::data::missing::Filling;
use crate::engine::prepared::Prepared;
use crate::engine::products::{criterion_value, objective_value};
use crate::error::Result;
use crate::hypergrad::{Evaluator, Outcome, Settings};
use crate::problem::{Point, Problem, Specification};
use crate::real::sum_of;

/// A specification without missing cells.
pub struct Filled {
    /// The specification.
    pub specification: Specification,
    /// The values of the columns that they were filled with.
    pub values: Option<Vec<f64>>,
}

impl Filled {
    /// A specification whose missing cells are filled, if they are to be.
    ///
    /// # Errors
    /// The number of a column without a value in a training row with a weight.
    pub fn of(
        mut specification: Specification,
        filling: Option<Filling>,
    ) -> std::result::Result<Self, usize> {
        let values = match filling {
            None => None,
            Some(filling) => Some(specification.fill(filling)?),
        };
        Ok(Self {
            specification,
            values,
        })
    }
}

/// The problem of one fold.
#[derive(Debug)]
pub struct FoldProblem {
    /// The problem that is solved: it has the same solutions, objective and criterion as that on the
    /// fold's rows.
    pub problem: Problem,
    /// The parts that all evaluations of it share.
    pub(crate) prepared: Arc<Prepared>,
    /// For a problem without an intercept of its own although the study has one: the means of the
    /// targets, from which intercepts follow.
    means: Option<Vec<f64>>,
    /// Columns that do not vary, where the problem does not say so itself.
    pub constant_columns: usize,
    /// The values that missing cells of the columns were filled with.
    filled: Option<Vec<f64>>,
}

impl FoldProblem {
    /// A problem that is solved as it is.
    #[must_use]
    pub fn plain(problem: Problem) -> Self {
        Self {
            problem,
            prepared: Arc::default(),
            means: None,
            constant_columns: 0,
            filled: None,
        }
    }

    /// The same, of which missing cells were filled with these values of the columns.
    #[must_use]
    pub fn filled_with(self, filled: Option<Vec<f64>>) -> Self {
        Self { filled, ..self }
    }

    /// The values that missing cells of the columns were filled with.
    #[must_use]
    pub fn filled(&self) -> Option<&[f64]> {
        self.filled.as_deref()
    }

    /// A problem without the intercept that the study has: `means` of the targets.
    pub(super) fn centred(problem: Problem, means: Option<Vec<f64>>, constant: usize) -> Self {
        Self {
            problem,
            prepared: Arc::default(),
            means,
            constant_columns: constant,
            filled: None,
        }
    }

    /// Coefficients (d·c, in C order) and intercepts (c, or none) in the data's units.
    #[must_use]
    pub fn in_data_units(&self, solution: &[f64], target: usize) -> (Vec<f64>, Vec<f64>) {
        let (coefficients, mut intercepts) = self.problem.in_data_units(solution, target);
        if let Some(means) = &self.means {
            let centre = &self.problem.features.center;
            let shift = sum_of(centre.len(), |j| centre[j] * coefficients[j]);
            intercepts = vec![means[target] - shift];
        }
        (coefficients, intercepts)
    }
}

impl FoldProblem {
    /// The problem with the strengths of a first fit, if there are to be some.
    ///
    /// # Errors
    /// Those of [`Adaptive::adapted`].
    pub fn adapted(mut self, adaptive: Option<Adaptive>) -> Result<Self> {
        if let Some(adaptive) = adaptive {
            self.problem = adaptive.adapted(self.problem)?;
        }
        Ok(self)
    }

    /// Relaxed outcomes, w(φ) = φ·w + (1 − φ)·w_S: w_S minimises the loss with the point's ridge and no l1,
    /// and is zero wherever w is. Statuses and residuals are the worse ones of w and w_S; the objective is
    /// that of the lasso at w(φ), and there is neither a duality gap nor a certificate.
    ///
    /// # Errors
    /// Those of [`Evaluator::run`].
    pub fn relaxed(
        &self,
        settings: &Settings,
        control: &Control,
        outcomes: Vec<Outcome>,
        share: f64,
    ) -> Result<Vec<Outcome>> {
        if share >= 1.0 {
            return Ok(outcomes);
        }
        let penalized = self.problem.penalized();
        let free = self.problem.penalty().weighted_by(vec![1.0; penalized]);
        // infallible: the stages' check has seen the penalty
        let free = free.expect("a penalty of absolute values");
        let problem = self.problem.clone().with_penalty(free)?;
        let point = |outcome: &Outcome| {
            let strength = |w: &f64| if *w == 0.0 { LEFT_OUT } else { 0.0 };
            let strengths: Vec<f64> = outcome.solution[..penalized].iter().map(strength).collect();
            let own = &outcome.point;
            Point::new(1.0, own.l2)
                .of_target(own.target)
                .with_strengths(strengths)
        };
        let points: Vec<Point> = outcomes.iter().map(point).collect();
        // No point depends on its neighbours.
        let alone: Vec<Vec<usize>> = (0..points.len()).map(|at| vec![at]).collect();
        let settings = Settings {
            method: None,
            ..settings.clone()
        };
        let fits = Evaluator::new(&problem)
            .sharing(&Arc::new(self.prepared.beside(&self.problem)))
            .settings(&settings)
            .control(control)
            .paths(alone)
            .run(&points)?;
        let pairs = outcomes.into_iter().zip(fits);
        Ok(pairs
            .map(|(lasso, fit)| self.blended(lasso, fit, share))
            .collect())
    }

    fn blended(&self, lasso: Outcome, fit: Outcome, share: f64) -> Outcome {
        let (problem, target) = (&self.problem, lasso.point.target);
        let pairs = lasso.solution.iter().zip(&fit.solution);
        let solution: Vec<f64> = pairs
            .map(|(w, free)| share * w + (1.0 - share) * free)
            .collect();
        let mut warnings = lasso.warnings;
        for warning in fit.warnings {
            if !warnings.iter().any(|own| own.kind == warning.kind) {
                warnings.push(warning);
            }
        }
        Outcome {
            status: lasso.status.worse(fit.status),
            steps: lasso.steps + fit.steps,
            objective: objective_value(problem, &lasso.point, &solution),
            criterion: criterion_value(problem.criterion(), &solution, problem.classes(), target),
            residual: lasso.residual.max(fit.residual),
            duality_gap: None,
            kink_margin: None,
            certified: false,
            hypergradient: None,
            adjoint: Vec::new(),
            warnings,
            solution,
            ..lasso
        }
    }
}
