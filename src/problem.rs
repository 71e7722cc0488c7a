//! What is to be solved: data, loss, penalty, criterion and the hyperparameter points.
//!
//! ```text
//! w(λ) = argmin_w  loss(w; X̂, y, s) + ½ λ₂ ‖w − c‖² + penalty(w; l1)       E(w) = sign · loss(w; X̂_val, y_val)
//! ```
//!
//! The coordinates are the rows of a (d + intercept) × c matrix in C order, c = 1 but for the
//! multinomial loss: coordinate `j·c + k` belongs to feature j and class k, and the intercepts are
//! the last c. Penalties, λ₂ and the prior act on the d·c penalised coordinates, in units of the
//! scaled columns.

use crate::data::design::{self, Design, FeatureScale, Scaling};
use crate::data::matrix::{Dense, Matrix, Sparse};
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::penalty::Penalty;
use crate::real::sum_of;

mod check;
mod origin;
mod rows;

use check::{
    check_factors, check_labels, check_prior, check_rows, check_sign, check_specification,
    check_trained,
};
use origin::subtract_origins;

pub use origin::TargetOrigin;
pub use rows::Rows;

/// A point of hyperparameters: one problem of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// The common l1 strength, not negative.
    pub l1: f64,
    /// The ridge strength λ₂, not negative.
    pub l2: f64,
    /// Which of the problem's targets.
    pub target: usize,
}

/// Additive perturbation of some training rows, in the data's units.
#[derive(Debug, Clone)]
pub struct Perturbation {
    /// The perturbed rows, from 0, each at most once.
    pub rows: Vec<usize>,
    /// What is added to them: rows × d.
    pub values: Dense,
}

/// Everything that states a [`Problem`]; start from [`Specification::new`] and set what differs.
#[derive(Debug, Clone)]
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
    /// 1, or −1 for an adversary, whose criterion is minus the loss.
    pub criterion_sign: f64,
    /// Intercept and standardisation.
    pub scaling: Scaling,
    /// The prior mean c of the ridge term: d·c entries; `None` is zero.
    pub prior: Option<Vec<f64>>,
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
            },
            weight_factors: None,
            validation: None,
            criterion: None,
            criterion_sign: 1.0,
            scaling: Scaling {
                intercept: !quadratic,
                standardize: !quadratic,
            },
            prior: None,
            perturbation: None,
        }
    }

    /// Checks what [`Problem::new`] checks before it prepares anything.
    ///
    /// # Errors
    /// As [`Problem::new`].
    pub fn check(&self) -> Result<()> {
        let (train, validation) = (&self.train, self.validation.as_ref());
        let criterion = self.criterion.unwrap_or(self.loss);
        check_sign(self.criterion_sign)?;
        check_specification(
            self.loss,
            criterion,
            self.classes,
            self.scaling,
            train,
            validation,
        )?;
        check_rows(train, self.loss, self.classes, "training")?;
        check_factors(train, self.weight_factors.as_deref())?;
        let coordinates = train.matrix.columns() * self.classes;
        self.penalty.validate(coordinates)?;
        if let Some(prior) = &self.prior {
            check_prior(prior, coordinates)?;
        }
        match validation {
            Some(rows) => check_rows(rows, criterion, self.classes, "validation").map(|_| ()),
            None => train
                .targets
                .iter()
                .try_for_each(|target| check_labels(target, criterion, self.classes, "training")),
        }
    }
}

/// Rows ready for computation.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The design operator X̂, n × (d + intercept).
    pub design: Design,
    /// Per target n values.
    pub targets: Vec<Vec<f64>>,
    /// n weights with mean 1.
    pub weights: Vec<f64>,
}

impl Sample {
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
    /// 1, or −1 for an adversary.
    pub sign: f64,
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
    pub loss: Loss,
    /// The penalty.
    pub penalty: Penalty,
    /// Number of predictors per row: the classes of the multinomial loss, else 1.
    pub classes: usize,
    /// The training rows, perturbation included.
    pub train: Sample,
    /// The criterion.
    pub criterion: Criterion,
    /// The prior mean c, one entry per penalised coordinate.
    pub prior: Option<Vec<f64>>,
    /// The perturbed rows, from 0; empty without a perturbation.
    pub perturbed_rows: Vec<usize>,
    /// Centre and scale of the features.
    pub features: FeatureScale,
    /// What was subtracted from every target.
    pub target_origins: Vec<TargetOrigin>,
    /// Mean of the user's sample weights times their factors: one normalised weight in their units.
    pub weight_unit: f64,
    /// The factors of the user's sample weights; `None`: all 1.
    pub weight_factors: Option<Vec<f64>>,
}

impl Problem {
    /// Checks a specification and prepares its designs.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Value`] for shapes that do not match, values that are not
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
            criterion_sign,
            scaling,
            prior,
            perturbation,
        } = specification;
        let criterion_loss = criterion.unwrap_or(loss);
        check_sign(criterion_sign)?;
        let scaling = check_specification(
            loss,
            criterion_loss,
            classes,
            scaling,
            &train,
            validation.as_ref(),
        )?;
        check_rows(&train, loss, classes, "training")?;
        let (weights, weight_unit) = check_factors(&train, weight_factors.as_deref())?;
        let weights: Vec<f64> = weights.iter().map(|w| w / weight_unit).collect();
        if scaling.intercept {
            check_trained(&train.targets, &weights, loss, classes)?;
        }
        let d = train.matrix.columns();
        penalty.validate(d * classes)?;
        if let Some(prior) = &prior {
            check_prior(prior, d * classes)?;
        }

        let features = if scaling.intercept || scaling.standardize {
            design::measure(&train.matrix, &weights, scaling)
        } else {
            FeatureScale::identity(d)
        };
        let mut train = train;
        let mut validation = validation;
        let losses = [loss, criterion_loss];
        let target_origins =
            subtract_origins(&mut train, validation.as_mut(), &weights, losses, scaling);
        let on_training_rows = validation.is_none();
        let criterion_sample = match validation {
            Some(rows) => {
                let unit = check_rows(&rows, criterion_loss, classes, "validation")?;
                let weights = rows
                    .weights
                    .unwrap_or_else(|| vec![1.0; rows.matrix.rows()]);
                Sample {
                    design: Design::scaled(&rows.matrix, &features, scaling.intercept),
                    weights: weights.iter().map(|w| w / unit).collect(),
                    targets: rows.targets,
                }
            }
            None => {
                for target in &train.targets {
                    check_labels(target, criterion_loss, classes, "training")?;
                }
                Sample {
                    design: Design::scaled(&train.matrix, &features, scaling.intercept),
                    targets: train.targets.clone(),
                    weights: weights.clone(),
                }
            }
        };
        let (matrix, perturbed_rows) = match perturbation {
            None => (train.matrix, Vec::new()),
            Some(p) => (perturb(&train.matrix, &p)?, p.rows),
        };
        let design = Design::scaled(&matrix, &features, scaling.intercept);
        Ok(Self {
            loss,
            penalty,
            classes,
            train: Sample {
                design,
                targets: train.targets,
                weights,
            },
            criterion: Criterion {
                loss: criterion_loss,
                sign: criterion_sign,
                sample: criterion_sample,
                on_training_rows,
            },
            prior,
            perturbed_rows,
            features,
            target_origins,
            weight_unit,
            weight_factors,
        })
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
        match &self.penalty {
            Penalty::Weighted { strengths } => strengths.iter().map(|s| l1 * s).collect(),
            Penalty::Group { groups, strengths } => match strengths {
                Some(strengths) => strengths.iter().map(|s| l1 * s).collect(),
                None => vec![l1; groups.len()],
            },
            _ => vec![l1; self.penalized()],
        }
    }

    /// Checks hyperparameters against this problem.
    ///
    /// # Errors
    /// [`Error::Value`] when one is negative, NaN or infinite, or names a target that is not there.
    pub fn check_points(&self, points: &[Point]) -> Result<()> {
        for point in points {
            for (name, value) in [("l1", point.l1), ("l2", point.l2)] {
                if !(value.is_finite() && value >= 0.0) {
                    return Err(Error::value(
                        name,
                        format!("{value} is not a strength"),
                        "give a finite number, zero or more",
                    ));
                }
            }
            if point.target >= self.train.targets.len() {
                return Err(Error::value(
                    "target",
                    format!("number {} of {}", point.target, self.train.targets.len()),
                    "count targets from 0",
                ));
            }
        }
        Ok(())
    }

    /// Scaled coefficients for a target as (coefficients d·c, intercepts c) in the data's units.
    #[must_use]
    pub fn in_data_units(&self, w: &[f64], target: usize) -> (Vec<f64>, Vec<f64>) {
        let c = self.classes;
        let FeatureScale { center, scale, .. } = &self.features;
        let mut coefficients = w[..self.penalized()].to_vec();
        let of_features = coefficients.chunks_exact_mut(c);
        for (of_classes, scale) in of_features.zip(scale) {
            of_classes.iter_mut().for_each(|w| *w /= scale);
        }
        let shift = |class: usize| {
            sum_of(coefficients.len() / c, |j| {
                center[j] * coefficients[j * c + class]
            })
        };
        let intercepts = w[self.penalized()..].iter().enumerate();
        let value = self.target_origins[target].value;
        let intercepts = intercepts
            .map(|(class, w)| value + (w - shift(class)))
            .collect();
        (coefficients, intercepts)
    }
}

/// The matrix with the perturbation added; a perturbed sparse row is stored in full.
fn perturb(matrix: &Matrix, perturbation: &Perturbation) -> Result<Matrix> {
    let Perturbation { rows, values } = perturbation;
    let (n, d) = (matrix.rows(), matrix.columns());
    if values.rows != rows.len() || values.columns != d {
        return Err(Error::shape(
            "perturbation",
            format!("{} × {d}, one row per perturbed row", rows.len()),
            format!("{} × {}", values.rows, values.columns),
            "give one value per feature of every perturbed row",
        ));
    }
    if let Some(value) = values.values.iter().find(|v| !v.is_finite()) {
        return Err(Error::value(
            "perturbation",
            format!("holds {value}"),
            "give finite numbers",
        ));
    }
    let mut place = vec![usize::MAX; n];
    for (at, &row) in rows.iter().enumerate() {
        if row >= n {
            return Err(Error::value(
                "perturbed rows",
                format!("row {row} of {n}"),
                "count training rows from 0",
            ));
        }
        if place[row] != usize::MAX {
            return Err(Error::value(
                "perturbed rows",
                format!("row {row} is named twice"),
                "name each row once",
            ));
        }
        place[row] = at;
    }
    Ok(match matrix {
        Matrix::Dense(m) => {
            let mut m = m.clone();
            for (at, &row) in rows.iter().enumerate() {
                m.values[row * d..(row + 1) * d]
                    .iter_mut()
                    .zip(values.row(at))
                    .for_each(|(x, p)| *x += p);
            }
            Matrix::Dense(m)
        }
        Matrix::Sparse(m) => {
            let mut row_starts = vec![0];
            let (mut column_indices, mut entries) = (Vec::new(), Vec::new());
            for (i, &at) in place.iter().enumerate() {
                if at == usize::MAX {
                    m.row(i).for_each(|(j, x)| {
                        column_indices.push(j as u32);
                        entries.push(x);
                    });
                } else {
                    let mut full = values.row(at).to_vec();
                    m.row(i).for_each(|(j, x)| full[j] += x);
                    column_indices.extend(0..d as u32);
                    entries.extend(full);
                }
                row_starts.push(entries.len());
            }
            Matrix::Sparse(Sparse {
                rows: n,
                columns: d,
                row_starts,
                column_indices,
                values: entries,
            })
        }
    })
}
