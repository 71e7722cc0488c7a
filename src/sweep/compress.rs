//! Folds of the squared loss by triangular factors, when there are more rows than columns.
//!
//! With the rows of a fold's held-out part in `A_k = diag(√s) [1 X Y]` and `A_k = Q_k R_k`,
//!
//! ```text
//! ‖A_k v‖ = ‖R_k v‖  for every v ,   and   R of the training part = R of the stacked R_j, j ≠ k
//! ```
//!
//! so that every sum of squares over the rows of a part is one over the few rows of its factor: training loss,
//! criterion, their derivatives and the duality gap are those of the rows, with nothing formed twice for two folds.
//! Where the columns are far from dependent, R is the Cholesky factor of the Gram matrix, and Gram matrices of
//! parts are added; elsewhere it is that of an orthogonal factorisation, whose condition number is that of the data
//! and not its square. In `R = [ρ ρm ρȳ ; 0 R_X R_Y]`, ρ² = Σs, the column of ones comes first, so that m and ȳ are
//! the weighted means and [R_X R_Y] the factor of the centred columns: the intercept is ȳ − m·w.
//!
//! X and Y are taken from an origin near their means, the same for all parts: columns far from zero would leave few
//! digits to what they vary by. `v + origin·1` of any factor is that of the data.

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, Mat, MatRef, Par, Side};
use rayon::prelude::*;
use std::sync::Arc;

use super::study::{FoldProblem, Study};
use crate::data::design::{Design, FeatureScale};
use crate::data::matrix::{Dense, Matrix};
use crate::error::Result;
use crate::model::loss::Loss;
use crate::model::regularizer::Blocks;
use crate::problem::{Criterion, Problem, Rows, Sample, TargetOrigin};

/// Points per column from which factors pay: below, few products with the rows are needed.
const POINTS_PER_COLUMN: f64 = 0.1;

/// A set of rows by its factor.
pub(super) struct Part {
    /// Rows of the factor × (1 + d + targets), row-major; upper triangular or fewer rows than that. Columns past
    /// the first are those of the data less their origin.
    pub(super) factor: Dense,
    /// AᵀA, lower triangle, where the factor is its Cholesky factor.
    gram: Option<Mat<f64>>,
    /// Number of rows of data.
    rows: usize,
    /// The smallest and largest value of every feature over rows with a weight.
    low: Vec<f64>,
    high: Vec<f64>,
}

/// The smallest and the largest value of every feature.
type Extremes = (Vec<f64>, Vec<f64>);

/// The factors of all folds of a study.
pub struct Compression {
    /// By fold: its held-out rows, with their training weights and with their own; the validation rows
    /// with their own alone.
    held_out: Vec<[Option<Arc<Part>>; 2]>,
    /// By repetition: the rows that no fold of it holds out.
    rest: Vec<Option<Part>>,
    /// The origin that is subtracted from features and targets before factors are formed: d + targets.
    origin: Vec<f64>,
}

/// The largest ‖R⁻¹‖_F, the columns of R having norm 1, with which a Gram matrix is as good as the
/// rows: its smallest singular value is then at least a thirtieth of a column's norm, and squaring
/// the condition number costs two or three digits of sixteen in that direction.
const LARGEST_INVERSE: f64 = 32.0;
/// Rows whose Gram matrix is one piece of work, and how many of them are gathered at once.
const PIECE: usize = 1024;
const GATHERED: usize = 256;

impl Compression {
    /// Whether the factors of a study's folds are made for so many points.
    pub(crate) fn pays(study: &Study, points: usize) -> bool {
        let s = &study.specification;
        let Matrix::Dense(matrix) = &s.train.matrix else {
            return false;
        };
        let columns = 1 + matrix.columns + s.train.targets.len();
        let is_squared = |loss: Loss| loss == Loss::Squared;
        // Zero-weight parts have no factor.
        let is_positive = |w: &Vec<f64>| w.iter().all(|w| w.is_finite() && *w > 0.0);
        is_squared(s.loss)
            && is_squared(s.criterion.unwrap_or(s.loss))
            && s.perturbation.is_none()
            && !study.has_offset()
            && !study.has_missing_cells()
            && !study.differentiates_rows()
            && !study.draws_minibatches()
            && s.train.weights.as_ref().is_none_or(is_positive)
            && study.folds.iter().all(|fold| match &fold.held_out {
                _ if fold.training.is_some() => false,
                Some(held_out) => !held_out.is_empty() && matrix.rows - held_out.len() >= columns,
                None => matrix.rows >= columns && validation(study).is_some(),
            })
            && points as f64 >= POINTS_PER_COLUMN * columns as f64
    }

    /// The factors of a study's folds, where they apply and pay for `points` points; else `None`.
    #[must_use]
    pub fn of(study: &Study, points: usize) -> Option<Self> {
        let s = &study.specification;
        let (true, Matrix::Dense(matrix)) = (Self::pays(study, points), &s.train.matrix) else {
            return None;
        };
        let origin = origin(matrix, &s.train.targets);
        let train = Source {
            matrix,
            targets: &s.train.targets,
            origin: &origin,
        };
        let two_weights = study.class_weights.is_some();
        // One for all folds that have the validation rows as theirs.
        let is_validated = study.folds.iter().any(|fold| fold.held_out.is_none());
        let validated = validation(study)
            .filter(|_| is_validated)
            .map(|(rows, matrix)| {
                let all: Vec<usize> = (0..matrix.rows).collect();
                let source = Source {
                    matrix,
                    targets: &rows.targets,
                    ..train
                };
                Arc::new(source.part(&all, rows.weights.clone()))
            });
        let held_out: Vec<[Option<Arc<Part>>; 2]> = study
            .folds
            .par_iter()
            .with_max_len(1)
            .map(|fold| {
                let Some(rows) = fold.held_out.as_deref() else {
                    return [None, validated.clone()];
                };
                let own = two_weights.then(|| {
                    let own = s.train.weights.as_ref();
                    train.part(rows, own.map(|w| rows.iter().map(|&i| w[i]).collect()))
                });
                let training = train.part(rows, study.training_weights(rows));
                [Some(Arc::new(training)), own.map(Arc::new)]
            })
            .collect();
        let repeats = study.folds.iter().map(|fold| fold.repeat + 1).max()?;
        let rest = (0..repeats)
            .map(|repeat| {
                let mut is_held_out = vec![false; matrix.rows];
                for fold in study.folds.iter().filter(|fold| fold.repeat == repeat) {
                    for &row in fold.held_out.as_deref().unwrap_or_default() {
                        is_held_out[row] = true;
                    }
                }
                let rows: Vec<usize> = (0..matrix.rows).filter(|&i| !is_held_out[i]).collect();
                (!rows.is_empty()).then(|| train.part(&rows, study.training_weights(&rows)))
            })
            .collect();
        Some(Self {
            held_out,
            rest,
            origin,
        })
    }

    /// The problem on all rows, with its criterion on the same: for l1_max, and a fit to all rows.
    ///
    /// # Errors
    /// Those of [`FoldProblem::adapted`].
    pub fn whole(&self, study: &Study) -> Result<FoldProblem> {
        let folds = study.folds.iter().zip(&self.held_out);
        let first = folds.filter(|(fold, _)| fold.repeat == 0);
        let parts = first.filter_map(|(_, [training, _])| training.as_deref());
        let all = stack(parts.chain(&self.rest[0]));
        problem(study, &self.origin, &all, &all).adapted(study.stages.adaptive)
    }

    /// The problem of a fold.
    pub(crate) fn problem(&self, study: &Study, fold: usize) -> Result<FoldProblem> {
        let repeat = study.folds[fold].repeat;
        let others = study
            .folds
            .iter()
            .zip(&self.held_out)
            .enumerate()
            .filter(|(at, (other, _))| *at != fold && other.repeat == repeat)
            .filter_map(|(_, (_, [training, _]))| training.as_deref())
            .chain(&self.rest[repeat]);
        let training = stack(others);
        let [as_training, own] = &self.held_out[fold];
        // infallible: `of` makes a part for every fold
        let held_out = own.as_deref().or(as_training.as_deref()).expect("a part");
        problem(study, &self.origin, &training, held_out).adapted(study.stages.adaptive)
    }
}

/// The problem of a fold: on factors where the study has some, else on its own rows.
///
/// # Errors
/// Those of [`Problem::new`].
pub fn fold_problem(
    study: &Study,
    compression: Option<&Compression>,
    fold: usize,
) -> Result<FoldProblem> {
    match compression {
        Some(compression) => compression.problem(study, fold),
        None => study.fold_problem(fold),
    }
}

/// The mean of every feature and target, or its value where it does not vary.
pub(super) fn origin(matrix: &Dense, targets: &[Vec<f64>]) -> Vec<f64> {
    let d = matrix.columns;
    let mut sums = vec![0.0; d + targets.len()];
    let mut extremes = no_extremes(sums.len());
    let mut row = Vec::with_capacity(sums.len());
    for i in 0..matrix.rows {
        row.clear();
        row.extend(matrix.row(i));
        row.extend(targets.iter().map(|target| target[i]));
        sums.iter_mut().zip(&row).for_each(|(sum, x)| *sum += x);
        include(&mut extremes, &row);
    }
    let (low, high) = extremes;
    let means = sums.iter().map(|sum| sum / matrix.rows as f64);
    means
        .zip(low.iter().zip(&high))
        .map(|(mean, (low, high))| mean.clamp(*low, *high))
        .map(|mean| if mean.is_finite() { mean } else { 0.0 })
        .collect()
}

/// The validation rows of a study, where factors serve them: dense, with positive weights.
fn validation(study: &Study) -> Option<(&Rows, &Dense)> {
    let rows = study.specification.validation.as_ref()?;
    let is_positive = |w: &Vec<f64>| w.iter().all(|w| w.is_finite() && *w > 0.0);
    match &rows.matrix {
        Matrix::Dense(matrix)
            if matrix.rows > 0 && rows.weights.as_ref().is_none_or(is_positive) =>
        {
            Some((rows, matrix))
        }
        _ => None,
    }
}

/// Rows of parts.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) matrix: &'a Dense,
    pub(super) targets: &'a [Vec<f64>],
    /// The origin of features and targets.
    pub(super) origin: &'a [f64],
}

impl Source<'_> {
    /// The factor of some rows; without weights they are 1.
    pub(super) fn part(&self, rows: &[usize], weights: Option<Vec<f64>>) -> Part {
        let Source {
            matrix,
            targets,
            origin,
        } = *self;
        let d = matrix.columns;
        let columns = 1 + d + targets.len();
        let weight = |at: usize| weights.as_ref().map_or(1.0, |w| w[at]);
        let entry = |values: &mut Vec<f64>, at: usize| {
            let (row, root) = (rows[at], weight(at).sqrt());
            values.push(root);
            let from_origin = |(value, origin): (&f64, &f64)| root * (value - origin);
            // Two loops, each over slices: one over both would not be vectorised.
            values.extend(matrix.row(row).iter().zip(origin).map(from_origin));
            let targets = targets.iter().map(|target| &target[row]);
            values.extend(targets.zip(&origin[d..]).map(from_origin));
        };
        // Pieces in parallel, added in their order: the same bits for any number of threads.
        let pieces: Vec<(Mat<f64>, Extremes)> = (0..rows.len())
            .step_by(PIECE)
            .collect::<Vec<usize>>()
            .into_par_iter()
            .map(|first| {
                let piece = first..(first + PIECE).min(rows.len());
                let mut gram = Mat::zeros(columns, columns);
                let mut values = Vec::with_capacity(GATHERED * columns);
                let mut extremes = no_extremes(d);
                for first in piece.clone().step_by(GATHERED) {
                    let gathered = first..(first + GATHERED).min(piece.end);
                    values.clear();
                    for at in gathered {
                        entry(&mut values, at);
                        if weight(at) > 0.0 {
                            include(&mut extremes, matrix.row(rows[at]));
                        }
                    }
                    add_gram(&values, &mut gram);
                }
                (gram, extremes)
            })
            .collect();
        let mut sum = Mat::zeros(columns, columns);
        for (gram, _) in &pieces {
            sum += gram;
        }
        let (low, high) = extremes(d, pieces.iter().map(|(_, (low, high))| (low, high)));
        let part = |factor: Dense, gram: Option<Mat<f64>>| Part {
            factor,
            gram,
            rows: rows.len(),
            low,
            high,
        };
        match well_conditioned(&sum) {
            Some(factor) if rows.len() > columns => part(factor, Some(sum)),
            _ => {
                let mut values = Vec::with_capacity(rows.len() * columns);
                (0..rows.len()).for_each(|at| entry(&mut values, at));
                let factor = triangle(Dense {
                    rows: rows.len(),
                    columns,
                    values,
                });
                part(factor, None)
            }
        }
    }
}

/// gram ← gram + AᵀA of row-major A, lower triangle.
fn add_gram(values: &[f64], gram: &mut Mat<f64>) {
    let columns = gram.ncols();
    let a = MatRef::from_row_major_slice(values, values.len() / columns, columns);
    triangular::matmul(
        gram,
        BlockStructure::TriangularLower,
        Accum::Add,
        a.transpose(),
        BlockStructure::Rectangular,
        a,
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
}

/// Those of no row.
fn no_extremes(columns: usize) -> Extremes {
    (
        vec![f64::INFINITY; columns],
        vec![f64::NEG_INFINITY; columns],
    )
}

/// The smallest and the largest value of every column with one row more.
fn include(extremes: &mut Extremes, row: &[f64]) {
    let columns = extremes.0.iter_mut().zip(extremes.1.iter_mut());
    for ((low, high), &x) in columns.zip(row) {
        *low = if x < *low { x } else { *low };
        *high = if x > *high { x } else { *high };
    }
}

/// The smallest and the largest of all parts, column by column.
fn extremes<'a>(
    columns: usize,
    parts: impl Iterator<Item = (&'a Vec<f64>, &'a Vec<f64>)>,
) -> Extremes {
    let mut all = no_extremes(columns);
    for (low, high) in parts {
        for j in 0..columns {
            all.0[j] = all.0[j].min(low[j]);
            all.1[j] = all.1[j].max(high[j]);
        }
    }
    all
}

/// The upper Cholesky factor of a Gram matrix (lower triangle) whose columns are far from dependent.
fn well_conditioned(gram: &Mat<f64>) -> Option<Dense> {
    let n = gram.nrows();
    let lower = gram.llt(Side::Lower).ok()?;
    let lower = lower.L();
    // R = Lᵀ with columns of norm 1: ‖R D⁻¹‖, D² the diagonal of the Gram matrix.
    let mut inverse = Mat::from_fn(n, n, |i, j| {
        if i >= j {
            lower[(i, j)] / gram[(i, i)].sqrt()
        } else {
            0.0
        }
    });
    let unit = inverse.clone();
    invert_lower_triangular(inverse.as_mut(), unit.as_ref(), Par::Seq);
    let norm = inverse.norm_l2();
    if norm.is_nan() || norm > LARGEST_INVERSE {
        return None;
    }
    let mut values = vec![0.0; n * n];
    for i in 0..n {
        for j in i..n {
            values[i * n + j] = lower[(j, i)];
        }
    }
    Some(Dense {
        rows: n,
        columns: n,
        values,
    })
}

/// R of A = QR, triangular, where A has as many rows as columns or more, else A.
fn triangle(a: Dense) -> Dense {
    if a.rows < a.columns {
        return a;
    }
    let rows = MatRef::from_row_major_slice(&a.values, a.rows, a.columns);
    let qr = rows.qr();
    let r = qr.thin_R();
    let n = a.columns;
    let mut values = vec![0.0; n * n];
    for i in 0..n {
        for j in i..n {
            values[i * n + j] = r[(i, j)];
        }
    }
    Dense {
        rows: n,
        columns: n,
        values,
    }
}

/// The factor of several parts together.
fn stack<'a>(parts: impl Iterator<Item = &'a Part>) -> Part {
    let parts: Vec<&Part> = parts.collect();
    let columns = parts.first().map_or(0, |part| part.factor.columns);
    let d = parts.first().map_or(0, |part| part.low.len());
    let (low, high) = extremes(d, parts.iter().map(|part| (&part.low, &part.high)));
    let rows = parts.iter().map(|part| part.rows).sum();
    let sum: Option<Mat<f64>> = parts
        .iter()
        .try_fold(Mat::zeros(columns, columns), |sum: Mat<f64>, part| {
            part.gram.as_ref().map(|gram| sum + gram)
        });
    if let Some(gram) = sum
        && let Some(factor) = well_conditioned(&gram)
    {
        let gram = Some(gram);
        return Part {
            factor,
            gram,
            rows,
            low,
            high,
        };
    }
    let values: Vec<f64> = parts
        .iter()
        .flat_map(|part| part.factor.values.iter().copied())
        .collect();
    Part {
        factor: triangle(Dense {
            rows: values.len() / columns.max(1),
            columns,
            values,
        }),
        gram: None,
        rows,
        low,
        high,
    }
}

/// The centres and scales of a training part, as its factor has them.
struct Centred {
    features: FeatureScale,
    /// The centre of every column and target from its origin; without an intercept it is zero of the
    /// data.
    from_origin: Vec<f64>,
    /// Σs.
    total: f64,
}

impl Centred {
    /// Those of a triangular factor, whose first row carries the column of ones.
    fn of(study: &Study, origin: &[f64], training: &Part) -> Self {
        let s = &study.specification;
        let d = training.low.len();
        let r = &training.factor;
        let at = |i: usize, j: usize| r.values[i * r.columns + j];
        let (intercept, total) = (s.scaling.intercept, at(0, 0).powi(2));
        let is_constant = |j: usize| training.low[j] >= training.high[j];
        let mean = |j: usize| at(0, 1 + j) / at(0, 0);
        let from_origin: Vec<f64> = (0..d + s.train.targets.len())
            .map(|j| if intercept { mean(j) } else { -origin[j] })
            .collect();
        let mut center = vec![0.0; d];
        let mut scale = vec![1.0; d];
        for j in 0..d {
            if intercept {
                center[j] = if is_constant(j) && training.low[j].is_finite() {
                    training.low[j]
                } else {
                    origin[j] + from_origin[j]
                };
            }
            if s.scaling.standardize && !is_constant(j) {
                let squares: f64 = (1..r.rows).map(|i| at(i, 1 + j).powi(2)).sum();
                scale[j] = (squares / total).sqrt();
            }
        }
        let features = FeatureScale {
            center,
            scale,
            constant: (0..d).filter(|&j| is_constant(j)).collect(),
        };
        Self {
            features,
            from_origin,
            total,
        }
    }

    /// The rows of a part's factor from number `first` on, less the centres; the columns times
    /// `multipliers`.
    fn sample(&self, part: &Part, first: usize, multipliers: &[f64]) -> Sample {
        let (factor, d) = (&part.factor, multipliers.len());
        let rows = factor.rows - first;
        let total: f64 = (0..factor.rows)
            .map(|i| factor.values[i * factor.columns].powi(2))
            .sum();
        // The loss divides by the rows of the factor, and should divide by Σs.
        let unit = (rows as f64 / total).sqrt();
        let mut values = Vec::with_capacity(rows * d);
        let mut targets = vec![Vec::with_capacity(rows); self.from_origin.len() - d];
        for i in first..factor.rows {
            let row = factor.row(i);
            let at = |j: usize| unit * (row[1 + j] - row[0] * self.from_origin[j]);
            values.extend((0..d).map(|j| at(j) * multipliers[j]));
            for (t, target) in targets.iter_mut().enumerate() {
                target.push(at(d + t));
            }
        }
        Sample {
            design: Arc::new(Design::plain(Matrix::Dense(Dense {
                rows,
                columns: d,
                values,
            }))),
            targets: Arc::new(targets),
            weights: vec![1.0; rows],
            offset: None,
        }
    }
}

/// The problem on a training factor with the criterion on another.
///
/// The training factor is triangular, since there are no fewer rows than columns; a part with fewer rows than
/// columns carries the column of ones in all of them.
fn problem(study: &Study, origin: &[f64], training: &Part, held_out: &Part) -> FoldProblem {
    let s = &study.specification;
    let d = training.low.len();
    let intercept = s.scaling.intercept;
    let centred = Centred::of(study, origin, training);
    let multipliers = centred.features.multipliers(intercept);
    let means: Vec<f64> = (d..centred.from_origin.len())
        .map(|t| origin[t] + centred.from_origin[t])
        .collect();
    // With an intercept the centred columns are below the first row.
    let train = centred.sample(training, usize::from(intercept), &multipliers);
    // Training rows say nothing of a column that does not vary there, a prior does.
    let of_criterion = match &s.prior {
        Some(_) => centred
            .features
            .with_constant_columns()
            .multipliers(intercept),
        None => multipliers,
    };
    let criterion = centred.sample(held_out, 0, &of_criterion);
    let target_origin = |y: &Vec<f64>| TargetOrigin {
        is_all: intercept && y.iter().all(|y| *y == 0.0),
        ..TargetOrigin::ZERO
    };
    let target_origins = train.targets.iter().map(target_origin).collect();
    let constant = centred.features.constant.len() * usize::from(intercept);
    let problem = Problem {
        loss: s.loss,
        blocks: Blocks::new(&s.penalty, train.design.features(), train.design.columns()),
        penalty: s.penalty.clone().scaled(&centred.features.scale, 1),
        classes: 1,
        train,
        criterion: Criterion {
            loss: s.criterion.unwrap_or(s.loss),
            sign: s.sign,
            sample: criterion,
            on_training_rows: false,
        },
        ridge: s.ridge.clone(),
        prior: s
            .prior
            .clone()
            .map(|prior| s.prior_units.scaled(prior, &centred.features.scale, 1)),
        perturbed_rows: Vec::new(),
        centered: true,
        scaling: s.scaling,
        features: centred.features,
        target_origins,
        weight_unit: centred.total / training.rows as f64,
        weight_factors: None,
    };
    FoldProblem::centred(problem, intercept.then_some(means), constant)
}
