//! Quadratic losses as quadratics in w: the Hessian that is formed for a path, the gradient at w = 0 and the
//! value there.

use crate::problem::Problem;

use super::Prepared;
use super::arrival::CriterionColumns;
use super::smooth::Smooth;

/// A loss `value + gradient·w + ½wᵀHw`.
#[derive(Debug, Clone)]
pub struct QuadraticForm<'a> {
    /// H, p × p.
    pub hessian: &'a [f64],
    /// ∇loss(0), p entries.
    pub gradient: Vec<f64>,
    /// loss(0).
    pub value: f64,
}

impl<'a> QuadraticForm<'a> {
    fn of(smooth: &Smooth<'a, f64>, target: usize) -> Option<Self> {
        let hessian = smooth.hessian_in_full()?;
        let zero = vec![0.0; smooth.rows() * smooth.classes];
        let (mut residuals, mut gradient) = (zero.clone(), vec![0.0; smooth.p]);
        smooth.residuals(&zero, target, &mut residuals);
        smooth.gradient(&residuals, &mut gradient);
        Some(Self {
            hessian,
            gradient,
            value: smooth.value(&vec![0.0; smooth.p], &zero, target),
        })
    }
}

impl Prepared<f64> {
    /// The training loss of a target, where its Hessian is formed: of a quadratic loss with few coordinates.
    #[must_use]
    pub fn quadratic<'a>(
        &'a self,
        problem: &'a Problem,
        target: usize,
    ) -> Option<QuadraticForm<'a>> {
        QuadraticForm::of(&Smooth::of(problem, &self.parts), target)
    }
}

impl CriterionColumns {
    /// The criterion of a target without its sign, where its Hessian is formed.
    #[must_use]
    pub fn quadratic<'a>(
        &'a self,
        problem: &'a Problem,
        target: usize,
    ) -> Option<QuadraticForm<'a>> {
        QuadraticForm::of(&self.smooth(problem), target)
    }
}
