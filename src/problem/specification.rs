//! The specification: everything that states a problem, before anything is prepared.

use super::check::{
    Cells, check_factors, check_labels, check_prior, check_rows, check_specification,
};
use super::perturbation::Perturbation;
use super::ridge::RidgeStrengths;
use super::rows::Rows;
use crate::data::design::Scaling;
use crate::data::matrix::Matrix;
use crate::data::missing::{Filling, fill};
use crate::error::{Error, Result};
use crate::kinds::setters;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;

/// The sign of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sign {
    /// The criterion is the loss on its rows: small is good.
    #[default]
    Minimize,
    /// The criterion is minus the loss, as an adversary has it.
    Maximize,
}

impl Sign {
    /// 1 or −1: the factor of the loss.
    #[must_use]
    pub fn factor(self) -> f64 {
        match self {
            Self::Minimize => 1.0,
            Self::Maximize => -1.0,
        }
    }
}

impl TryFrom<f64> for Sign {
    type Error = Error;

    /// The sign with this factor.
    ///
    /// # Errors
    /// [`Error::Value`] for other numbers than 1 and −1: they would scale the criterion unseen.
    fn try_from(factor: f64) -> Result<Self> {
        match factor {
            1.0 => Ok(Self::Minimize),
            -1.0 => Ok(Self::Maximize),
            _ => Err(Error::value(
                "criterion sign",
                format!("{factor}"),
                "give 1, or -1 for an adversary",
            )),
        }
    }
}

/// The units of a prior mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PriorUnits {
    /// Those of the scaled columns, as solutions have them.
    #[default]
    Scaled,
    /// Those of the data, as a model has them: every entry is multiplied by the scale of its column.
    Data,
}

impl PriorUnits {
    /// The prior in units of the scaled columns, where each column has `classes` entries.
    pub(crate) fn scaled(self, mut prior: Vec<f64>, scale: &[f64], classes: usize) -> Vec<f64> {
        if self == Self::Data {
            for (of_column, scale) in prior.chunks_exact_mut(classes).zip(scale) {
                of_column.iter_mut().for_each(|c| *c *= scale);
            }
        }
        prior
    }
}

/// Everything that states a problem; start from [`Specification::new`] and set what differs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Specification {
    /// The loss of the inner problem.
    pub loss: Loss,
    /// The penalty of the inner problem.
    pub penalty: Penalty,
    /// Number of classes of the multinomial loss; 1 otherwise.
    pub classes: usize,
    /// The training rows.
    pub train: Rows,
    /// A factor of every training row's weight, such as its class's; derivatives in the sample
    /// weights are in [`Rows::weights`] alone. `None`: all 1.
    pub weight_factors: Option<Vec<f64>>,
    /// The rows of the criterion; `None` takes the training rows.
    pub validation: Option<Rows>,
    /// The loss of the criterion; `None` takes the training loss.
    pub criterion: Option<Loss>,
    /// The sign of the criterion.
    pub sign: Sign,
    /// Intercept and standardisation.
    pub scaling: Scaling,
    /// Ridge strengths at l2 = 1; `None` is 1 for all.
    pub ridge: Option<RidgeStrengths>,
    /// The prior mean c of the ridge term: d·c entries; `None` is zero.
    pub prior: Option<Vec<f64>>,
    /// The units of the prior.
    pub prior_units: PriorUnits,
    /// Perturbed training rows.
    pub perturbation: Option<Perturbation>,
}

impl Specification {
    /// Elastic net, intercept and standardisation on, criterion on the training rows.
    #[must_use]
    pub fn new(loss: Loss, matrix: Matrix, targets: Vec<Vec<f64>>) -> Self {
        let quadratic = loss == Loss::Quadratic;
        Self {
            loss,
            penalty: Penalty::ElasticNet,
            classes: 1,
            train: Rows {
                matrix,
                targets,
                weights: None,
                offset: None,
            },
            weight_factors: None,
            validation: None,
            criterion: None,
            sign: Sign::Minimize,
            scaling: Scaling {
                intercept: !quadratic,
                standardize: !quadratic,
            },
            ridge: None,
            prior: None,
            prior_units: PriorUnits::default(),
            perturbation: None,
        }
    }

    setters! {
        /// Chooses the penalty.
        penalty: Penalty,
        /// Chooses the number of classes of the multinomial loss.
        classes: usize,
        /// Chooses the rows of the criterion; `None` takes the training rows.
        validation: impl Into<Option<Rows>>,
        /// Chooses the loss of the criterion; `None` takes the training loss.
        criterion: impl Into<Option<Loss>>,
        /// Chooses the sign of the criterion.
        sign: Sign,
        /// Chooses intercept and standardisation.
        scaling: Scaling,
        /// Chooses ridge strengths at l2 = 1; `None` is 1 for all.
        ridge: impl Into<Option<RidgeStrengths>>,
        /// Chooses the prior mean of the ridge term.
        prior: impl Into<Option<Vec<f64>>>,
        /// Chooses the perturbed training rows.
        perturbation: impl Into<Option<Perturbation>>,
    }

    /// Checks what [`Problem::new`](super::Problem::new) checks before it prepares anything.
    ///
    /// # Errors
    /// As [`Problem::new`](super::Problem::new).
    pub fn check(&self) -> Result<()> {
        self.check_where(Cells::There)
    }

    /// Checks the same where missing cells, NaN, are still to be filled.
    ///
    /// # Errors
    /// Those of [`Specification::check`], but for missing cells.
    pub fn check_unfilled(&self) -> Result<()> {
        self.check_where(Cells::MayLack)
    }

    fn check_where(&self, cells: Cells) -> Result<()> {
        let (train, validation) = (&self.train, self.validation.as_ref());
        let criterion = self.criterion.unwrap_or(self.loss);
        check_specification(
            self.loss,
            criterion,
            self.classes,
            self.scaling,
            train,
            validation,
        )?;
        check_rows(train, self.loss, self.classes, "training", cells)?;
        check_factors(train, self.weight_factors.as_deref())?;
        let coordinates = train.matrix.columns() * self.classes;
        self.penalty.validate(coordinates)?;
        if let Some(ridge) = &self.ridge {
            ridge.check(coordinates)?;
        }
        if let Some(prior) = &self.prior {
            check_prior(prior, coordinates)?;
        }
        match validation {
            Some(rows) => {
                check_rows(rows, criterion, self.classes, "validation", cells).map(|_| ())
            }
            None => train
                .targets
                .iter()
                .try_for_each(|target| check_labels(target, criterion, self.classes, "training")),
        }
    }

    /// Fills missing cells, NaN, with values of their columns from the training rows. Returns these values,
    /// or the first column that has none.
    ///
    /// # Errors
    /// The number of a column without a value in a training row with a weight.
    pub fn fill(&mut self, filling: Filling) -> std::result::Result<Vec<f64>, usize> {
        let train = &mut self.train;
        let all: Vec<usize> = (0..train.matrix.rows()).collect();
        let values = filling.values(&train.matrix, &all, train.weights.as_deref());
        if let Some(column) = values.iter().position(|value| value.is_nan()) {
            return Err(column);
        }
        fill(&mut train.matrix, &values);
        if let Some(rows) = &mut self.validation {
            fill(&mut rows.matrix, &values);
        }
        Ok(values)
    }
}
