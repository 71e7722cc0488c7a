//! A study: one problem on one data set, its folds, and the problem of every fold.

use std::hash::Hasher;

use xxhash_rust::xxh3::Xxh3Default;

pub use super::fold_problem::{Filled, FoldProblem};
use super::folds::Fold;
use super::resamples::Resampling;
use super::stages::Stages;
use crate::data::matrix::{Matrix, all_finite};
use crate::data::missing::{Filling, fill};
use crate::error::{Error, Result};
use crate::hypergrad::Settings;
use crate::kinds::{Method, Precision, Solver, Wrt};
use crate::model::loss::Loss;
use crate::problem::{PriorUnits, Problem, Rows, Specification};

/// The weights of classes in the training part of every fold.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeighting {
    /// n/(c·n_k), from the rows of the training part alone.
    Balanced,
    /// A factor per row.
    Given(Vec<f64>),
}

/// One problem on one data set with the folds of its criterion.
#[derive(Debug, Clone)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// The source of the data.
    pub source: String,
    /// The problem on all rows; `validation` holds the rows of validation files, if any.
    pub specification: Specification,
    /// The values that missing cells are filled with, NaN in the dense matrices of the specification: those
    /// of the training rows of every fold. `None` where nothing is missing.
    pub filling: Option<Filling>,
    /// Class weights, beside the rows' own.
    pub class_weights: Option<ClassWeighting>,
    /// The folds, at least one.
    pub folds: Vec<Fold>,
    /// Solver and derivative; `threads` is not used.
    pub settings: Settings,
    /// The arithmetic.
    pub precision: Precision,
    /// The names of the targets.
    pub targets: Vec<String>,
    /// The names of the features; none where they have none.
    pub features: Vec<String>,
    /// The names of the classes of every target, none of numbers; empty where they have none.
    pub classes: Vec<Vec<String>>,
    /// Also keep the solutions.
    pub keep_solutions: bool,
    /// The stages of a fit beside its own.
    pub stages: Stages,
    /// How features are chosen on resamples, where the folds are such.
    pub resampling: Option<Resampling>,
    /// Whether the rows stand for others, of which they have the sums of squares: see
    /// [`factors`](super::factors).
    pub is_compressed: bool,
}

impl Study {
    /// A study of a specification over folds, with no names, default settings in f64 and nothing beside.
    #[must_use]
    pub fn new(specification: Specification, folds: Vec<Fold>) -> Self {
        Self {
            name: String::new(),
            source: String::new(),
            targets: vec![String::new(); specification.train.targets.len()],
            specification,
            filling: None,
            class_weights: None,
            folds,
            settings: Settings::default(),
            precision: Precision::F64,
            features: Vec::new(),
            classes: Vec::new(),
            keep_solutions: false,
            stages: Stages::default(),
            resampling: None,
            is_compressed: false,
        }
    }

    /// Checks that every fold can be learned from.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a quadratic form with folds; [`Error::Value`] for a fold whose training
    /// part lacks a class.
    pub fn check(&self) -> Result<()> {
        self.settings.validate()?;
        let specification = &self.specification;
        let targets = specification.train.targets.len();
        self.stages
            .check(&specification.penalty, targets, &self.settings)?;
        match self.filling {
            None => self.specification.check()?,
            Some(_) => self.specification.check_unfilled()?,
        }
        let is_squared = |loss: Loss| loss == Loss::Squared;
        let criterion = specification.criterion.unwrap_or(specification.loss);
        if self.is_compressed && !(is_squared(specification.loss) && is_squared(criterion)) {
            return Err(Error::unsupported(
                "another loss than the squared one on sums of squares",
                "use the squared loss, or the rows themselves",
            ));
        }
        if self.is_compressed && self.draws_minibatches() {
            return Err(Error::unsupported(
                "minibatches of sums of squares, which are no sample of the rows",
                "use another solver and method, or the rows themselves",
            ));
        }
        let splits = self.folds.iter().any(|fold| fold.held_out.is_some());
        if splits && self.specification.loss == Loss::Quadratic {
            return Err(Error::unsupported(
                "folds of a quadratic form",
                "it has no rows to hold out: drop --cv and --folds",
            ));
        }
        self.check_weights()?;
        self.check_classes()
    }

    /// Refuses what cells cannot hold: they have the numbers of a fold, and none of its rows.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for perturbed rows and derivatives in rows.
    pub fn check_cells(&self) -> Result<()> {
        if self.specification.perturbation.is_some() {
            return Err(Error::unsupported(
                "perturbed rows in a sweep over folds or with a store",
                "use `proxdiff hypergrad`, which has one training set",
            ));
        }
        if self.differentiates_rows() {
            return Err(Error::unsupported(
                "derivatives with respect to rows in a sweep over folds or with a store",
                "use `proxdiff hypergrad`, which has one training set",
            ));
        }
        Ok(())
    }

    /// Whether there is a derivative with respect to something that every row has.
    pub(super) fn differentiates_rows(&self) -> bool {
        let by_row = [
            Wrt::SampleWeights,
            Wrt::ClassWeights,
            Wrt::Perturbation,
            Wrt::HuberDelta,
        ];
        let settings = &self.settings;
        settings.method.is_some() && settings.wrt.iter().any(|wrt| by_row.contains(wrt))
    }

    /// Whether solver or derivative see the rows through minibatches.
    pub(super) fn draws_minibatches(&self) -> bool {
        let settings = &self.settings;
        settings.solver == Solver::Stochastic
            || matches!(settings.method, Some(Method::Nsid | Method::Sid))
    }

    /// Refuses a fold that no row with a weight trains, or none measures.
    fn check_weights(&self) -> Result<()> {
        let Some(weights) = &self.specification.train.weights else {
            return Ok(());
        };
        for fold in &self.folds {
            let training = fold.training_rows(self.rows());
            let held_out = fold.held_out.as_deref();
            let parts = [("training", Some(&training[..])), ("held-out", held_out)];
            for (part, rows) in parts {
                let Some(rows) = rows else { continue };
                if !rows.is_empty() && rows.iter().all(|&i| weights[i] == 0.0) {
                    return Err(Error::value(
                        "folds",
                        format!("all {part} rows of fold {} have the weight 0", fold.number),
                        "give some of its rows a weight, or deal the rows in another way, by --seed for one",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Every class must be in the training part of every fold, and where it has an intercept of its
    /// own with a weight.
    fn check_classes(&self) -> Result<()> {
        let is_classified = matches!(
            self.specification.loss,
            Loss::Logistic | Loss::Multinomial | Loss::SquaredHinge
        );
        if self.specification.loss.has_log_link() && self.specification.scaling.intercept {
            return self.check_positive();
        }
        if !is_classified {
            return Ok(());
        }
        let rows = self.rows();
        for (number, target) in self.specification.train.targets.iter().enumerate() {
            let mut all: Vec<u64> = target.iter().map(|y| y.to_bits()).collect();
            all.sort_unstable();
            all.dedup();
            for fold in &self.folds {
                let training = fold.training_rows(rows);
                let weights = self
                    .training_weights(&training)
                    .filter(|_| self.specification.scaling.intercept);
                let trains = |at: usize| weights.as_ref().is_none_or(|w| w[at] > 0.0);
                let mut own: Vec<u64> = (0..training.len())
                    .filter(|&at| trains(at))
                    .map(|at| target[training[at]].to_bits())
                    .collect();
                own.sort_unstable();
                own.dedup();
                if own.len() < all.len() {
                    return Err(Error::value(
                        "folds",
                        format!(
                            "the training part of fold {} has {} of {} classes of target {} with a weight",
                            fold.number,
                            own.len(),
                            all.len(),
                            self.targets.get(number).map_or("", String::as_str)
                        ),
                        "use --stratified, fewer folds, or merge rare classes, and give each a weight",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks that the mean of every training part is greater than zero.
    fn check_positive(&self) -> Result<()> {
        let rows = self.rows();
        for (number, target) in self.specification.train.targets.iter().enumerate() {
            for fold in &self.folds {
                let training = fold.training_rows(rows);
                let weights = self.training_weights(&training);
                let trains = |at: usize| weights.as_ref().is_none_or(|w| w[at] > 0.0);
                let has_mean =
                    (0..training.len()).any(|at| trains(at) && target[training[at]] > 0.0);
                if !has_mean {
                    return Err(Error::value(
                        "folds",
                        format!(
                            "the training part of fold {} has only zeros of target {}",
                            fold.number,
                            self.targets.get(number).map_or("", String::as_str)
                        ),
                        "use fewer folds or other ones, or fit without an intercept (--no-intercept)",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Number of rows before any are held out.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.specification.train.matrix.rows()
    }

    /// A hash of everything that is data: rows, targets, weights, prior.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Xxh3Default::new();
        let s = &self.specification;
        hash_rows(&mut hash, &s.train);
        if let Some(rows) = &s.validation {
            hash.write_u8(1);
            hash_rows(&mut hash, rows);
        }
        if let Some(ridge) = &s.ridge {
            hash_values(&mut hash, ridge.strengths());
            ridge
                .entries()
                .iter()
                .for_each(|&entry| hash.write_u32(entry));
        }
        hash_values(&mut hash, s.prior.as_deref().unwrap_or_default());
        if s.prior_units == PriorUnits::Data {
            hash.write(b"prior in the data's units");
        }
        match &self.class_weights {
            Some(ClassWeighting::Given(factors)) => hash_values(&mut hash, factors),
            Some(ClassWeighting::Balanced) => hash.write(b"balanced"),
            None => {}
        }
        format!("{:032x}", hash.digest128())
    }

    /// A hash of which rows each fold holds out, and of those that it learns from where these are not all others.
    #[must_use]
    pub fn folds_digest(&self) -> String {
        let mut hash = Xxh3Default::new();
        for fold in &self.folds {
            hash.write_i64(fold.number);
            match &fold.held_out {
                None => hash.write_u8(0),
                Some(rows) => {
                    hash.write_u64(rows.len() as u64 + 1);
                    rows.iter().for_each(|&row| hash.write_u64(row as u64));
                }
            }
            if let Some(rows) = &fold.training {
                hash.write(b"learns from");
                hash.write_u64(rows.len() as u64);
                rows.iter().for_each(|&row| hash.write_u64(row as u64));
            }
        }
        format!("{:032x}", hash.digest128())
    }

    /// Whether a cell of the features is missing.
    pub(super) fn has_missing_cells(&self) -> bool {
        let lacks = |rows: &Rows| match &rows.matrix {
            Matrix::Dense(m) => !all_finite(&m.values),
            Matrix::Sparse(_) => false,
        };
        let s = &self.specification;
        self.filling.is_some() && (lacks(&s.train) || s.validation.as_ref().is_some_and(lacks))
    }

    /// The features of the rows that a fold's criterion is measured on, their missing cells filled with these
    /// values of the columns.
    pub(super) fn filled_criterion_rows(&self, fold: usize, values: &[f64]) -> Matrix {
        let (rows, chosen) = self.criterion_rows(fold);
        let mut matrix = match chosen {
            None => rows.matrix.clone(),
            Some(chosen) => rows.matrix.select_rows(chosen),
        };
        fill(&mut matrix, values);
        matrix
    }

    /// The rows that a fold's criterion is measured on; with `None` for the rows of the study
    /// themselves, all of them.
    #[must_use]
    pub fn criterion_rows(&self, fold: usize) -> (&Rows, Option<&[usize]>) {
        match (&self.folds[fold].held_out, &self.specification.validation) {
            (Some(held_out), _) => (&self.specification.train, Some(held_out)),
            (None, Some(validation)) => (validation, None),
            (None, None) => (&self.specification.train, None),
        }
    }

    /// Whether every fold measures its criterion on rows that its fit has not seen.
    #[must_use]
    pub fn holds_out_rows(&self) -> bool {
        let has_own = self.specification.validation.is_some();
        self.folds
            .iter()
            .all(|fold| has_own || fold.held_out.is_some())
    }

    /// The problem on all rows, with the criterion on the same rows: for l1_max.
    ///
    /// # Errors
    /// Those of [`Problem::new`].
    pub fn whole(&self) -> Result<Problem> {
        let problem = Problem::new(self.whole_specification()?.specification)?;
        match self.stages.adaptive {
            None => Ok(problem),
            Some(adaptive) => adaptive.adapted(problem),
        }
    }

    /// Whether rows have offsets.
    pub(super) fn has_offset(&self) -> bool {
        let s = &self.specification;
        s.train.offset.is_some() || s.validation.as_ref().is_some_and(|v| v.offset.is_some())
    }

    /// The specification of the problem on all rows, with the criterion on the same rows.
    ///
    /// # Errors
    /// [`Error::Value`] for a column without a value.
    pub fn whole_specification(&self) -> Result<Filled> {
        let all: Vec<usize> = (0..self.rows()).collect();
        let filled = Filled::of(self.specification.clone(), self.filling);
        let mut filled =
            filled.map_err(|column| no_value(column, "in any row", "leave it out (--drop)"))?;
        filled.specification.train.weights = self.training_weights(&all);
        filled.specification.validation = None;
        Ok(filled)
    }

    /// The problem of a fold on its own rows.
    ///
    /// # Errors
    /// Those of [`Problem::new`].
    pub fn fold_problem(&self, fold: usize) -> Result<FoldProblem> {
        let training = self.folds[fold].training_rows(self.rows());
        let source = &self.specification.train;
        let rows = |chosen: &[usize], weights: Option<Vec<f64>>| Rows {
            offset: source
                .offset
                .as_ref()
                .map(|o| chosen.iter().map(|&i| o[i]).collect()),
            matrix: source.matrix.select_rows(chosen),
            targets: source
                .targets
                .iter()
                .map(|target| chosen.iter().map(|&i| target[i]).collect())
                .collect(),
            weights,
        };
        let validation = match &self.folds[fold].held_out {
            None => self.specification.validation.clone(),
            Some(held_out) => {
                let own = source.weights.as_ref();
                let weights = own.map(|w| held_out.iter().map(|&i| w[i]).collect());
                Some(rows(held_out, weights))
            }
        };
        let own = source.weights.as_ref();
        let specification = Specification {
            train: rows(
                &training,
                own.map(|w| training.iter().map(|&i| w[i]).collect()),
            ),
            weight_factors: self.class_factors(&training),
            perturbation: match self.folds[fold].held_out {
                None => self.specification.perturbation.clone(),
                Some(_) => None,
            },
            validation,
            ..self.without_rows()
        };
        let filled = Filled::of(specification, self.filling).map_err(|column| {
            let number = self.folds[fold].number;
            no_value(
                column,
                &format!("in the training part of fold {number}"),
                "leave the column out (--drop), or use fewer folds",
            )
        })?;
        let problem = Problem::new(filled.specification).map(FoldProblem::plain)?;
        problem
            .filled_with(filled.values)
            .adapted(self.stages.adaptive)
    }

    /// The study on some of the rows, ascending, with folds of these.
    #[must_use]
    pub fn part(&self, rows: &[usize], folds: Vec<Fold>) -> Self {
        let pick = |values: &Vec<f64>| rows.iter().map(|&row| values[row]).collect();
        let source = &self.specification.train;
        let train = Rows {
            matrix: source.matrix.select_rows(rows),
            targets: source.targets.iter().map(pick).collect(),
            weights: source.weights.as_ref().map(pick),
            offset: source.offset.as_ref().map(pick),
        };
        let specification = Specification {
            train,
            validation: self.specification.validation.clone(),
            ..self.without_rows()
        };
        Self {
            specification,
            class_weights: self.class_weights.as_ref().map(|weights| match weights {
                ClassWeighting::Balanced => ClassWeighting::Balanced,
                ClassWeighting::Given(factors) => ClassWeighting::Given(pick(factors)),
            }),
            folds,
            filling: self.filling,
            name: self.name.clone(),
            source: self.source.clone(),
            settings: self.settings.clone(),
            precision: self.precision,
            targets: self.targets.clone(),
            keep_solutions: self.keep_solutions,
            stages: self.stages,
            resampling: None,
            features: self.features.clone(),
            classes: self.classes.clone(),
            is_compressed: self.is_compressed,
        }
    }

    /// The specification with nothing in the place of its rows.
    fn without_rows(&self) -> Specification {
        let s = &self.specification;
        let mut empty = Specification::new(
            s.loss,
            Matrix::Dense(crate::data::matrix::Dense {
                rows: 0,
                columns: 0,
                values: Vec::new(),
            }),
            Vec::new(),
        );
        empty.penalty = s.penalty.clone();
        empty.classes = s.classes;
        empty.criterion = s.criterion;
        empty.sign = s.sign;
        empty.scaling = s.scaling;
        empty.ridge = s.ridge.clone();
        empty.prior = s.prior.clone();
        empty.prior_units = s.prior_units;
        empty
    }

    /// The weights of training rows: their own times those of their classes.
    pub(super) fn training_weights(&self, training: &[usize]) -> Option<Vec<f64>> {
        let own = self.specification.train.weights.as_ref();
        let Some(factors) = self.class_factors(training) else {
            return own.map(|w| training.iter().map(|&i| w[i]).collect());
        };
        Some(
            training
                .iter()
                .zip(factors)
                .map(|(&i, factor)| factor * own.map_or(1.0, |w| w[i]))
                .collect(),
        )
    }

    /// The weights of the classes of training rows.
    fn class_factors(&self, training: &[usize]) -> Option<Vec<f64>> {
        Some(match self.class_weights.as_ref()? {
            ClassWeighting::Given(factors) => training.iter().map(|&i| factors[i]).collect(),
            ClassWeighting::Balanced => self.balanced(training),
        })
    }

    fn balanced(&self, training: &[usize]) -> Vec<f64> {
        let target = &self.specification.train.targets[0];
        let mut counts: std::collections::BTreeMap<u64, f64> = std::collections::BTreeMap::new();
        for &i in training {
            *counts.entry(target[i].to_bits()).or_default() += 1.0;
        }
        let total = training.len() as f64 / counts.len() as f64;
        training
            .iter()
            .map(|&i| total / counts[&target[i].to_bits()])
            .collect()
    }
}

/// The error of a column without a value.
fn no_value(column: usize, place: &str, remedy: &str) -> Error {
    Error::value(
        "folds",
        format!("column {} of the features has no value {place}", column + 1),
        remedy,
    )
}

/// Adds numbers and their count to a hash.
pub(crate) fn hash_values(hash: &mut Xxh3Default, values: &[f64]) {
    hash.write_u64(values.len() as u64);
    hash.update(bytemuck::cast_slice(values));
}

/// A hash of rows alone.
#[cfg(feature = "cli")]
pub(crate) fn fingerprint_of(rows: &Rows) -> String {
    let mut hash = Xxh3Default::new();
    hash_rows(&mut hash, rows);
    format!("{:032x}", hash.digest128())
}

fn hash_rows(hash: &mut Xxh3Default, rows: &Rows) {
    match &rows.matrix {
        Matrix::Dense(m) => {
            hash.write_u64(m.columns as u64);
            hash_values(hash, &m.values);
        }
        Matrix::Sparse(m) => {
            hash.write_u64(m.columns as u64);
            m.row_starts.iter().for_each(|&s| hash.write_u64(s as u64));
            hash.update(bytemuck::cast_slice(&m.column_indices));
            hash_values(hash, &m.values);
        }
    }
    for target in &rows.targets {
        hash_values(hash, target);
    }
    hash_values(hash, rows.weights.as_deref().unwrap_or_default());
    // Rows without offsets have the digest that they had before there were any.
    if let Some(offset) = &rows.offset {
        hash.update(b"offset");
        hash_values(hash, offset);
    }
}
