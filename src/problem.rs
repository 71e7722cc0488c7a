//! The problem: data, loss, penalty, criterion and the hyperparameter points.
//!
//! ```text
//! w(λ) = argmin_w  loss(w; X̂, y, s) + ½ Σ_j λ₂_j (w_j − c_j)² + penalty(w; l1)       E(w) = sign · loss(w; X̂_val, y_val)
//! ```
//!
//! The coordinates are the rows of a (d + intercept) × c matrix in C order, c = 1 but for the
//! multinomial loss: coordinate `j·c + k` belongs to feature j and class k, and the intercepts are
//! the last c. Penalties, λ₂ and the prior act on the d·c penalised coordinates, in units of the
//! scaled columns.

use std::borrow::Cow;
use std::sync::Arc;

use crate::data::Scaling;
use crate::data::design::{self, Design, FeatureScale};
use crate::error::Result;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::model::regularizer::Blocks;
use crate::real::sum_of;

mod at_point;
mod builder;
mod check;
mod members;
mod offset;
mod origin;
mod perturbation;
mod point;
mod restated;
mod ridge;
mod rows;
mod specification;

use check::{
    Cells, check_factors, check_prior, check_rows, check_specification, check_trained,
    check_weights,
};
use origin::subtract_origins;
use perturbation::perturb;

pub(crate) use check::check_labels;

pub use builder::ProblemBuilder;
pub use members::Members;
pub use offset::Offset;
pub use origin::TargetOrigin;
pub use perturbation::Perturbation;
pub use point::Point;
pub use ridge::RidgeStrengths;
pub use rows::Rows;
pub use specification::{PriorUnits, Sign, Specification};

pub use crate::model::strengths::Strengths;

/// Rows ready for computation.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The design operator X̂, n × (d + intercept).
    pub design: Arc<Design>,
    /// Per target n values.
    pub targets: Arc<Vec<Vec<f64>>>,
    /// n weights with mean 1; with offsets and a log link times their factors.
    pub weights: Vec<f64>,
    /// The offsets that targets and weights have taken in.
    pub offset: Option<Arc<Offset>>,
}

impl Sample {
    /// Targets, weights and offsets as they were before targets and weights took the offsets in; `None` without
    /// offsets.
    #[must_use]
    pub fn before_offset(&self, target: usize, weights: &[f64]) -> Option<[Vec<f64>; 3]> {
        let offset = self.offset.as_deref()?;
        let y = offset.restored(&self.targets[target]);
        let weights = Offset::unweighted(Some(offset), weights);
        Some([y, weights, offset.values.clone()])
    }

    /// Number of rows n.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.design.rows()
    }

    /// X̂ᵀ·R for R of n·c numbers in C order: columns·c numbers in C order, in f64.
    #[must_use]
    pub fn design_adjoint(&self, r: &[f64], classes: usize) -> Vec<f64> {
        let mut out = vec![0.0; self.design.columns() * classes];
        for k in 0..classes {
            let column: Vec<f64> = r.iter().skip(k).step_by(classes).copied().collect();
            for (j, value) in self
                .design
                .apply_transposed(&column)
                .into_iter()
                .enumerate()
            {
                out[j * classes + k] = value;
            }
        }
        out
    }
}

/// The outer objective E(w): a loss without penalties, on rows of its own.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// Its loss.
    pub loss: Loss,
    /// Its sign.
    pub sign: Sign,
    /// Its rows; the centre and scale are the training rows'.
    pub sample: Sample,
    /// True when its rows are the training rows without their perturbation, weighted alike: then it
    /// depends on the sample weights itself.
    pub on_training_rows: bool,
}

/// A checked problem; [`Point`]s choose among its members.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The inner loss.
    pub(crate) loss: Loss,
    /// The penalty.
    pub(crate) penalty: Penalty,
    /// The groups of the penalty, or its coordinates one by one.
    pub(crate) blocks: Blocks,
    /// Number of predictors per row: the classes of the multinomial loss, else 1.
    pub(crate) classes: usize,
    /// The training rows, perturbation included.
    pub(crate) train: Sample,
    /// The criterion.
    pub(crate) criterion: Criterion,
    /// Ridge strengths at l2 = 1; `None`: all 1.
    pub(crate) ridge: Option<RidgeStrengths>,
    /// The prior mean c, one entry per penalised coordinate.
    pub(crate) prior: Option<Vec<f64>>,
    /// The perturbed rows, from 0; empty without a perturbation.
    pub(crate) perturbed_rows: Vec<usize>,
    /// The columns are centred under the training weights where there is an intercept: neither a
    /// perturbation nor other weights came after the centring.
    pub(crate) centered: bool,
    /// The scaling that was asked for.
    pub(crate) scaling: Scaling,
    /// Centre and scale of the features.
    pub(crate) features: FeatureScale,
    /// The number subtracted from every target.
    pub(crate) target_origins: Vec<TargetOrigin>,
    /// Mean of the user's sample weights times their factors: one normalised weight in their units.
    pub(crate) weight_unit: f64,
    /// The factors of the user's sample weights; `None`: all 1.
    pub(crate) weight_factors: Option<Vec<f64>>,
}

impl Problem {
    /// Checks a specification and prepares its designs.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) and [`Error::Value`](crate::Error::Value) for shapes that do not match, values that are not
    /// finite, labels or weights outside the loss's domain, and too few rows.
    pub fn new(specification: Specification) -> Result<Self> {
        let Specification {
            loss,
            penalty,
            classes,
            train,
            weight_factors,
            validation,
            criterion,
            sign,
            scaling,
            ridge,
            prior,
            prior_units,
            perturbation,
        } = specification;
        let criterion_loss = criterion.unwrap_or(loss);
        let scaling = check_specification(
            loss,
            criterion_loss,
            classes,
            scaling,
            &train,
            validation.as_ref(),
        )?;
        check_rows(&train, loss, classes, "training", Cells::There)?;
        let (weights, weight_unit) = check_factors(&train, weight_factors.as_deref())?;
        let weights: Vec<f64> = weights.iter().map(|w| w / weight_unit).collect();
        if scaling.intercept {
            check_trained(&train.targets, &weights, loss, classes)?;
        }
        let d = train.matrix.columns();
        penalty.validate(d * classes)?;
        if let Some(ridge) = &ridge {
            ridge.check(d * classes)?;
        }
        if let Some(prior) = &prior {
            check_prior(prior, d * classes)?;
        }

        let features = if scaling.intercept || scaling.standardize {
            design::measure(&train.matrix, &weights, scaling)
        } else {
            FeatureScale::identity(d)
        };
        let prior = prior.map(|prior| prior_units.scaled(prior, &features.scale, classes));
        let penalty = penalty.scaled(&features.scale, classes);
        let mut train = train;
        let mut validation = validation;
        let losses = [loss, criterion_loss];
        let offset = Offset::of(&mut train, loss).map(Arc::new);
        let criterion_offset = match &mut validation {
            None => offset.clone(),
            Some(rows) => Offset::of(rows, criterion_loss).map(Arc::new),
        };
        // The columns' means and scales are those of the weights alone.
        let weights = Offset::weighted(offset.as_deref(), weights);
        let target_origins =
            subtract_origins(&mut train, validation.as_mut(), &weights, losses, scaling);
        let on_training_rows = validation.is_none();
        let design = |matrix| Arc::new(Design::scaled(matrix, &features, scaling.intercept));
        let (own_rows, perturbed_rows) = match perturbation {
            None => (None, Vec::new()),
            Some(p) => (Some(perturb(&train.matrix, &p)?), p.rows),
        };
        let targets = Arc::new(train.targets);
        // The rows as they are belong to the criterion too, where it has none of its own.
        let (train_design, unperturbed) = match own_rows {
            None => (design(train.matrix), None),
            Some(matrix) => (
                design(matrix),
                on_training_rows.then(|| design(train.matrix)),
            ),
        };
        let criterion_sample = match validation {
            Some(rows) => {
                let unit = check_rows(&rows, criterion_loss, classes, "validation", Cells::There)?;
                let weights = rows
                    .weights
                    .unwrap_or_else(|| vec![1.0; rows.matrix.rows()]);
                // Centred training rows say nothing of a column that does not vary there, a prior does.
                let of_criterion = match &prior {
                    Some(_) => Cow::Owned(features.with_constant_columns()),
                    None => Cow::Borrowed(&features),
                };
                let design = Design::scaled(rows.matrix, &of_criterion, scaling.intercept);
                Sample {
                    design: Arc::new(design),
                    weights: Offset::weighted(
                        criterion_offset.as_deref(),
                        weights.iter().map(|w| w / unit).collect(),
                    ),
                    targets: Arc::new(rows.targets),
                    offset: criterion_offset,
                }
            }
            None => {
                for target in targets.iter() {
                    check_labels(target, criterion_loss, classes, "training")?;
                }
                Sample {
                    design: unperturbed.unwrap_or_else(|| Arc::clone(&train_design)),
                    targets: Arc::clone(&targets),
                    weights: weights.clone(),
                    offset: criterion_offset,
                }
            }
        };
        let (penalized, coordinates) = (d * classes, train_design.columns() * classes);
        let has_factors = Offset::factors_of(offset.as_deref()).is_some();
        Ok(Self {
            loss,
            blocks: Blocks::new(&penalty, penalized, coordinates),
            penalty,
            classes,
            train: Sample {
                design: train_design,
                targets,
                weights,
                offset,
            },
            criterion: Criterion {
                loss: criterion_loss,
                sign,
                sample: criterion_sample,
                on_training_rows,
            },
            ridge,
            prior,
            centered: perturbed_rows.is_empty() && !has_factors,
            perturbed_rows,
            scaling,
            features,
            target_origins,
            weight_unit,
            weight_factors,
        })
    }

    /// The inner loss.
    #[must_use]
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The penalty.
    #[must_use]
    pub fn penalty(&self) -> &Penalty {
        &self.penalty
    }

    /// Number of predictors per row: the classes of the multinomial loss, else 1.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The training rows, perturbation included.
    #[must_use]
    pub fn train(&self) -> &Sample {
        &self.train
    }

    /// The criterion.
    #[must_use]
    pub fn criterion(&self) -> &Criterion {
        &self.criterion
    }

    /// Ridge strengths at l2 = 1, where they differ.
    #[must_use]
    pub fn ridge(&self) -> Option<&RidgeStrengths> {
        self.ridge.as_ref()
    }

    /// The prior mean c, one entry per penalised coordinate.
    #[must_use]
    pub fn prior(&self) -> Option<&[f64]> {
        self.prior.as_deref()
    }

    /// The perturbed rows, from 0; empty without a perturbation.
    #[must_use]
    pub fn perturbed_rows(&self) -> &[usize] {
        &self.perturbed_rows
    }

    /// Centre and scale of the features.
    #[must_use]
    pub fn features(&self) -> &FeatureScale {
        &self.features
    }

    /// One normalised weight of a training row in units of the user's.
    #[must_use]
    pub fn weight_unit(&self) -> f64 {
        self.weight_unit
    }

    /// The problem with another penalty on the same rows; bounds of coefficients are those of the scaled
    /// columns.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) and [`Error::Value`](crate::Error::Value) when it does not fit the coordinates.
    pub fn with_penalty(self, penalty: Penalty) -> Result<Self> {
        penalty.validate(self.penalized())?;
        Ok(Self {
            blocks: Blocks::new(&penalty, self.penalized(), self.coordinates()),
            penalty,
            ..self
        })
    }

    /// The problem with ridge strengths at l2 = 1.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) and [`Error::Value`](crate::Error::Value) when they do not fit the coordinates.
    pub fn with_ridge(self, ridge: RidgeStrengths) -> Result<Self> {
        ridge.check(self.penalized())?;
        let ridge = Some(ridge);
        Ok(Self { ridge, ..self })
    }

    /// The problem with another prior mean, one entry per penalised coordinate.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) and [`Error::Value`](crate::Error::Value) for another length and for what is not finite.
    pub fn with_prior(self, prior: Vec<f64>) -> Result<Self> {
        check_prior(&prior, self.penalized())?;
        let prior = Some(prior);
        Ok(Self { prior, ..self })
    }

    /// The problem with other weights of the training rows in place of the normalised ones, used as
    /// they are, with offsets and a log link times their factors; centre and scale of the features stay.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) and [`Error::Value`](crate::Error::Value) for another length, negative weights and what is not
    /// finite.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Self> {
        check_weights(&weights, self.train.rows(), "training sample weights")?;
        self.train.weights = Offset::weighted(self.train.offset.as_deref(), weights);
        self.centered = false;
        Ok(self)
    }

    /// Number of classes of the targets: 2 for the binary losses.
    pub(crate) fn class_count(&self) -> usize {
        self.classes.max(2)
    }

    /// The class of a training row, from 0; −1 comes before 1.
    pub(crate) fn class_of(&self, row: usize, target: usize) -> usize {
        let y = self.train.targets[target][row];
        if self.loss == Loss::Multinomial {
            y as usize
        } else {
            usize::from(y > 0.0)
        }
    }

    /// Number of λ₂ that kernels see: 1 in common, or one for each penalised coordinate.
    pub(crate) fn ridge_count(&self) -> usize {
        self.ridge.as_ref().map_or(1, |ridge| ridge.entries().len())
    }

    /// Number of coordinates p = (d + intercept)·c.
    #[must_use]
    pub fn coordinates(&self) -> usize {
        self.train.design.columns() * self.classes
    }

    /// Number of penalised coordinates d·c; those past them are intercepts.
    #[must_use]
    pub fn penalized(&self) -> usize {
        self.train.design.features() * self.classes
    }

    /// The effective strength of every penalised coordinate (group: of every group) at `l1`.
    #[must_use]
    pub fn effective_strengths(&self, l1: f64) -> Vec<f64> {
        let mut strengths = self.penalty.strengths(self.penalized());
        strengths.iter_mut().for_each(|s| *s *= l1);
        strengths
    }

    /// Scaled coefficients for a target as (coefficients d·c, intercepts c) in the data's units.
    #[must_use]
    pub fn in_data_units(&self, w: &[f64], target: usize) -> (Vec<f64>, Vec<f64>) {
        let c = self.classes;
        let scale = &self.features.scale;
        let mut coefficients = w[..self.penalized()].to_vec();
        let of_features = coefficients.chunks_exact_mut(c);
        for (of_classes, scale) in of_features.zip(scale) {
            of_classes.iter_mut().for_each(|w| *w /= scale);
        }
        let intercepts = w[self.penalized()..].iter().enumerate();
        let value = self.target_origins[target].value;
        let intercepts = intercepts
            .map(|(class, w)| value + (w - self.predicted_at_center(&coefficients, class)))
            .collect();
        (coefficients, intercepts)
    }

    /// Coefficients (d·c, in C order) and intercepts (c, or none) in the data's units as a solution for a
    /// target: the inverse of [`Self::in_data_units`].
    #[must_use]
    pub fn in_own_units(
        &self,
        coefficients: &[f64],
        intercepts: &[f64],
        target: usize,
    ) -> Vec<f64> {
        let c = self.classes;
        let scale = &self.features.scale;
        let mut w = coefficients.to_vec();
        for (of_classes, scale) in w.chunks_exact_mut(c).zip(scale) {
            of_classes.iter_mut().for_each(|w| *w *= scale);
        }
        let value = self.target_origins[target].value;
        let intercepts = intercepts.iter().enumerate();
        w.extend(
            intercepts.map(|(class, b)| b - value + self.predicted_at_center(coefficients, class)),
        );
        w
    }

    /// Derivatives in coefficients (d·c, in C order) and intercepts (c, or none) of the data's units as
    /// derivatives in a solution: the adjoint of [`Self::in_data_units`]. Intercepts of the multinomial loss are
    /// determined up to a shift in common: derivatives in them mean something where their sum is zero.
    #[must_use]
    pub fn cotangent_in_own_units(&self, coefficients: &[f64], intercepts: &[f64]) -> Vec<f64> {
        let FeatureScale { center, scale, .. } = &self.features;
        let mut g = coefficients.to_vec();
        for (j, of_classes) in g.chunks_exact_mut(self.classes).enumerate() {
            for (k, g) in of_classes.iter_mut().enumerate() {
                let shift = intercepts.get(k).map_or(0.0, |b| center[j] * b);
                *g = (*g - shift) / scale[j];
            }
        }
        g.extend(intercepts);
        g
    }

    /// The prediction of coefficients in the data's units for a class at the columns' centre, without an intercept.
    fn predicted_at_center(&self, coefficients: &[f64], class: usize) -> f64 {
        let (c, center) = (self.classes, &self.features.center);
        sum_of(coefficients.len() / c, |j| {
            center[j] * coefficients[j * c + class]
        })
    }
}
