//! Vector-Jacobian products: solutions as differentiable functions of what states their problem.

use super::Outcome;
use super::evaluator::Evaluator;
use crate::engine::members::PreparedMembers;
use crate::engine::vjp::{Input, Vjp, vjp};
use crate::engine::{Request, in_threads};
use crate::error::Result;
use crate::kinds::Method;
use crate::problem::Point;

impl Evaluator<'_> {
    /// The products of cotangents with the derivatives of outcomes: ∂⟨g, w⟩/∂λ for each outcome of this
    /// problem and its g, p entries in units of its solution, which
    /// [`Problem::cotangent_in_own_units`](crate::Problem::cotangent_in_own_units) makes of
    /// derivatives in coefficients and intercepts. It is the hypergradient of a criterion of the caller's
    /// own: the problem's plays no part.
    ///
    /// ```
    /// use proxdiff::hypergrad::Input;
    /// use proxdiff::prelude::*;
    ///
    /// # fn main() -> proxdiff::Result<()> {
    /// let (x, y) = ([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 3.0]], [0.1, 0.9, 2.1, 2.9]);
    /// let problem = Problem::elastic_net(&x, &y).standardize(false).build()?;
    /// let evaluator = Evaluator::new(&problem);
    /// let outcomes = evaluator.run(&[Point::new(0.05, 0.01)])?;
    /// // By how much does the first coefficient change with every target?
    /// let g = problem.cotangent_in_own_units(&[1.0, 0.0], &[0.0]);
    /// let product = &evaluator.vjp(&outcomes, &[g], &[Input::Targets, Wrt::L1.into()])?[0];
    /// println!("{:?} {:?}", product.targets, product.hypergradient.l1);
    /// # assert!(product.targets.as_ref().unwrap().iter().sum::<f64>().abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) for inputs that solutions are not differentiable
    /// in: targets of classes, the design of standardised columns or of a quadratic form, and methods
    /// without an adjoint; [`Error::Shape`](crate::Error::Shape) and [`Error::Value`](crate::Error::Value) for cotangents that do
    /// not fit, and where there is no derivative because the Hessian on the support is singular.
    pub fn vjp(
        &self,
        outcomes: &[Outcome],
        cotangents: &[Vec<f64>],
        wrt: &[Input],
    ) -> Result<Vec<Vjp>> {
        let points: Vec<Point> = outcomes.iter().map(|o| o.point.clone()).collect();
        self.problem.check_points(&points)?;
        let mut settings = self.settings.clone();
        settings.method = settings.method.or(Some(Method::default()));
        settings.wrt = wrt
            .iter()
            .filter_map(|input| match input {
                Input::Hyperparameter(wrt) => Some(*wrt),
                Input::Targets | Input::Design => None,
            })
            .collect();
        let members = PreparedMembers::of(&self.problem, &self.prepared, &points);
        let mut request = Request::new(&members, &points, &settings, &self.control);
        request.cotangents = Some(cotangents);
        in_threads(settings.threads, || vjp(&request, outcomes, wrt))
    }
}
