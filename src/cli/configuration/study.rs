//! A study: data with their names and classes, from which problems are prepared.

use std::path::Path;

use super::classes::{self, Encoding};
use super::data::{self, Tables, Taken};
use super::defaults::HELD_OUT;
use super::flags::{check_flags, dense, whole_numbers};
use super::prepared::Prepared;
use crate::cli::arguments::{
    DataArguments, GroupWeightsName, LossName, MissingName, PenaltyName, ProblemArguments,
};
use crate::cli::failure::Failure;
use crate::data::Scaling;
use crate::data::dataset::Dataset;
use crate::data::labels::{ClassWeights, Classes};
use crate::data::matrix::{Dense, Matrix};
use crate::data::missing::fill;
use crate::data::readers::{self, ReadOptions};
use crate::data::split;
use crate::error::{Error, Result};
use crate::model::loss::Loss;
use crate::model::penalty::{Groups, Penalty};
use crate::problem::{self, Perturbation, Problem, RidgeStrengths, Specification};
use crate::sweep::stages::Stages;
use crate::sweep::study::{ClassWeighting, Filled, FoldProblem};

/// The rows that a problem learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// All; the criterion is on the validation files, or on the same rows without any.
    All,
    /// All but those held out, unless validation files name the criterion's rows.
    HeldOut,
}

/// Data with their names and classes.
pub struct Study<'a> {
    pub(super) data: &'a DataArguments,
    pub(super) arguments: &'a ProblemArguments,
    tables: Tables,
    encoding: Encoding,
    /// The classes of every target; `None` for numbers.
    pub classes: Vec<Option<Classes>>,
    /// Predictors per row: the classes of the multinomial loss, else 1.
    pub predictors: usize,
}

impl<'a> Study<'a> {
    /// Reads the data; the embedded data when there are none and `fall_back` allows it.
    pub fn read(
        data: &'a DataArguments,
        arguments: &'a ProblemArguments,
        fall_back: bool,
    ) -> std::result::Result<Self, Failure> {
        Self::read_without(data, arguments, fall_back, None)
    }

    /// The same where the column named `group`, if any, is no feature.
    pub fn read_without(
        data: &'a DataArguments,
        arguments: &'a ProblemArguments,
        fall_back: bool,
        group: Option<&str>,
    ) -> std::result::Result<Self, Failure> {
        let taken = Taken {
            fall_back,
            group,
            folder: false,
        };
        Self::read_taken(data, arguments, taken)
    }

    /// The same of the data that a command takes.
    pub fn read_taken(
        data: &'a DataArguments,
        arguments: &'a ProblemArguments,
        taken: Taken<'_>,
    ) -> std::result::Result<Self, Failure> {
        check_flags(arguments)?;
        if arguments.perturbation.is_some() && data.missing == Some(MissingName::Drop) {
            return Err(Failure::usage(
                "--perturbed-rows are numbers in the file, and --missing drop leaves rows out; fill the cells with \
                 --missing mean or median",
            ));
        }
        Self::of_tables(data, arguments, data::read(data, taken)?)
    }

    /// The same of tables that have been read.
    pub fn of_tables(
        data: &'a DataArguments,
        arguments: &'a ProblemArguments,
        tables: Tables,
    ) -> std::result::Result<Self, Failure> {
        let loss = arguments.loss;
        let criterion = arguments.criterion.unwrap_or(loss);
        let two_classes = |loss| matches!(loss, LossName::Logistic | LossName::SquaredHinge);
        let encoding = if loss == LossName::Multinomial {
            Encoding::Indices
        } else if two_classes(loss) || two_classes(criterion) {
            Encoding::Binary
        } else {
            Encoding::Numbers
        };
        let classes = classes::of_targets(&tables.all, encoding)?;
        let predictors = classes::predictors(&classes, encoding)?;
        Ok(Self {
            data,
            arguments,
            tables,
            encoding,
            classes,
            predictors,
        })
    }

    /// The loss of the fit.
    pub fn loss(&self) -> Loss {
        self.arguments.loss_of_fit()
    }

    /// The names of the features.
    pub fn feature_names(&self) -> &[String] {
        &self.tables.all.feature_names
    }

    /// The names of the targets.
    pub fn target_names(&self) -> Vec<&str> {
        let targets = &self.tables.all.targets;
        targets.iter().map(|target| target.name.as_str()).collect()
    }

    /// The column of the offsets of rows.
    pub fn offset_column(&self) -> Option<&str> {
        self.data.offset.as_deref()
    }

    /// The source of the data.
    pub fn source(&self) -> &str {
        &self.tables.all.source
    }

    /// Intercept and standardisation; a quadratic form has neither.
    pub fn scaling(&self) -> Scaling {
        let linear = self.arguments.loss != LossName::Quadratic;
        Scaling {
            intercept: linear && !self.data.no_intercept,
            standardize: linear && !self.data.no_standardize,
        }
    }

    /// The problem on the rows asked for.
    pub fn prepare(&self, rows: Rows) -> Result<Prepared> {
        let all = &self.tables.all;
        if rows == Rows::All || !self.splits() {
            let validation = self.tables.validation.as_ref();
            return Prepared::of_filled(self.filled(all, validation)?, None);
        }
        let every: Vec<usize> = (0..all.rows()).collect();
        let (training_rows, held_out) = self.hold_out(&every)?;
        let filled = self.filled(
            &all.select_rows(&training_rows),
            Some(&all.select_rows(&held_out)),
        )?;
        Prepared::of_filled(filled, Some(self.tables.in_file(training_rows)))
    }

    /// The problem on all rows with the stages of its fit, for good: the matrix is moved, not copied, and what
    /// is left has the names alone.
    pub fn take(&mut self, stages: Stages) -> Result<Prepared> {
        let matrix = self.take_matrix();
        let validation = self.tables.validation.as_ref();
        let mut specification = self.unfilled(&self.tables.all, validation)?;
        specification.train.matrix = matrix;
        let filled = self.fill(specification)?;
        let problem = FoldProblem::plain(Problem::new(filled.specification)?);
        let problem = problem
            .filled_with(filled.values)
            .adapted(stages.adaptive)?;
        Ok(Prepared::of(problem, None))
    }

    /// The matrix; one without rows takes its place.
    fn take_matrix(&mut self) -> Matrix {
        let placeholder = Matrix::Dense(Dense {
            rows: 0,
            columns: self.tables.all.matrix.columns(),
            values: Vec::new(),
        });
        std::mem::replace(&mut self.tables.all.matrix, placeholder)
    }

    /// The share of rows that are held out.
    pub fn share(&self) -> f64 {
        self.data.val_fraction.unwrap_or(HELD_OUT)
    }

    /// Whether rows are held out at random where the criterion is on held-out rows.
    pub fn splits(&self) -> bool {
        self.tables.validation.is_none()
            && self.arguments.loss != LossName::Quadratic
            && self.share() > 0.0
    }

    /// Some rows split at random into (training, held out), as the flags say.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for perturbed rows.
    pub fn hold_out(&self, rows: &[usize]) -> Result<(Vec<usize>, Vec<usize>)> {
        self.hold_out_by(rows, self.data.seed)
    }

    /// The same with another seed.
    ///
    /// # Errors
    /// Those of [`Self::hold_out`].
    pub fn hold_out_by(&self, rows: &[usize], seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
        if self.arguments.perturbation.is_some() {
            return Err(Error::unsupported(
                "perturbed rows together with a random hold-out split",
                "give validation files with --x-val and --y-val, or --val-fraction 0",
            ));
        }
        self.split(rows, self.share(), seed)
    }

    /// Some rows split at random into (training, held out), by the classes of the first target where
    /// it has some; rows without a weight are a class of their own, so that no class is left with
    /// them alone.
    fn split(&self, rows: &[usize], fraction: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
        let all = &self.tables.all;
        let (training, held_out) = match self.classes.first() {
            Some(Some(classes)) => {
                let numbers = classes.encode_indices(&all.targets[0].values)?;
                let weighted = |row: usize| all.weights.as_ref().is_none_or(|w| w[row] > 0.0);
                let class = |&row: &usize| 2 * numbers[row] as usize + usize::from(weighted(row));
                let classes: Vec<usize> = rows.iter().map(class).collect();
                split::hold_out_of_classes(&classes, fraction, seed)?
            }
            _ => split::hold_out(rows.len(), fraction, seed)?,
        };
        let of = |places: Vec<usize>| places.into_iter().map(|at| rows[at]).collect();
        Ok((of(training), of(held_out)))
    }

    /// The model with its validation rows, and with test rows where a share of all rows or a table
    /// of their own gives them; also which rows train, where some were held out.
    pub fn subject(
        &self,
        test_fraction: f64,
        test: Option<&Dataset>,
    ) -> Result<(Specification, Option<problem::Rows>, Option<Vec<usize>>)> {
        let all = &self.tables.all;
        let (mut kept, mut drawn) = ((0..all.rows()).collect::<Vec<usize>>(), None);
        if test.is_none() && test_fraction > 0.0 {
            let (rest, held) = self.split(&kept, test_fraction, self.test_seed())?;
            kept = rest;
            drawn = Some(all.select_rows(&held));
        }
        let mut validation = self.tables.validation.clone();
        if validation.is_none() {
            let (training, held) = self.split(&kept, self.share(), self.data.seed)?;
            validation = Some(all.select_rows(&held));
            kept = training;
        }
        let mut test = match (test, &drawn) {
            (Some(test), _) => Some(self.rows(test)?),
            (None, Some(drawn)) => Some(self.rows(drawn)?),
            (None, None) => None,
        };
        let split = (kept.len() < all.rows()).then(|| kept.clone());
        let train = all.select_rows(&kept);
        let Filled {
            specification,
            values,
        } = self.filled(&train, validation.as_ref())?;
        if let (Some(rows), Some(values)) = (&mut test, &values) {
            fill(&mut rows.matrix, values);
        }
        Ok((specification, test, split))
    }

    /// Takes a share of all rows away, which nothing is fitted on, and returns them.
    pub fn set_aside(&mut self, share: f64) -> Result<Dataset> {
        let every: Vec<usize> = (0..self.tables.all.rows()).collect();
        let (kept, held) = self.split(&every, share, self.test_seed())?;
        let test = self.tables.all.select_rows(&held);
        self.tables.keep(&kept);
        Ok(test)
    }

    /// The same with the last rows, and with the `gap` rows before them left out: nothing is fitted on what
    /// comes after them, or looks into them.
    pub fn set_last_aside(&mut self, share: f64, gap: usize) -> Result<Dataset> {
        let rows = self.tables.all.rows();
        let (kept, held) = split::hold_last_out(rows, share, gap)?;
        let test = self.tables.all.select_rows(&held);
        self.tables.keep(&kept);
        Ok(test)
    }

    /// The seed of the split into test rows and others: the seeds of the two splits differ, or they
    /// would choose alike.
    pub(super) fn test_seed(&self) -> u64 {
        self.data.seed.wrapping_add(1)
    }

    /// The values that missing cells are filled with where these rows train, if they are filled.
    pub(super) fn values_of(&self, train: &Dataset) -> Result<Option<Vec<f64>>> {
        Ok(self.filled(train, None)?.values)
    }

    /// A specification whose missing cells are filled, as the flags say.
    fn fill(&self, specification: Specification) -> Result<Filled> {
        let filling = self.data.missing.and_then(MissingName::filling);
        Filled::of(specification, filling).map_err(|column| {
            let name = &self.feature_names()[column];
            Error::value(
                "--missing",
                format!("the feature {name} has no value in the rows that train"),
                "leave it out with --drop, or hold other rows out with --seed",
            )
        })
    }

    /// The specification on some rows, without missing cells.
    fn filled(&self, train: &Dataset, validation: Option<&Dataset>) -> Result<Filled> {
        self.fill(self.unfilled(train, validation)?)
    }

    /// The problem on some rows whose columns have been scaled already. It has a prior, if only of zero: that of a point
    /// holds the coefficients of columns that do not vary, which held-out rows then count.
    pub fn problem_scaled(
        &self,
        train: &Dataset,
        validation: &Dataset,
        scaling: Scaling,
    ) -> Result<Problem> {
        let mut specification = self.specification(train, Some(validation))?;
        specification.scaling = scaling;
        let coordinates = specification.train.matrix.columns() * specification.classes;
        let prior = &mut specification.prior;
        prior.get_or_insert_with(|| vec![0.0; coordinates]);
        Problem::new(specification)
    }

    fn specification(
        &self,
        train: &Dataset,
        validation: Option<&Dataset>,
    ) -> Result<Specification> {
        Ok(self.filled(train, validation)?.specification)
    }

    fn unfilled(&self, train: &Dataset, validation: Option<&Dataset>) -> Result<Specification> {
        let mut specification = self.without_class_weights(train, validation)?;
        if let Some(wanted) = &self.data.class_weights {
            specification.weight_factors = Some(classes::factors(train, &self.classes, wanted)?);
        }
        Ok(specification)
    }

    /// All rows, and those of the validation files.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The problem on all rows with the rows' own weights, and the weights of classes beside them.
    /// The matrix is moved, not copied: what is left has the names alone.
    pub fn take_unsplit(&mut self) -> Result<(Specification, Option<ClassWeighting>)> {
        let matrix = self.take_matrix();
        let all = &self.tables.all;
        let validation = self.tables.validation.as_ref();
        let mut specification = self.without_class_weights(all, validation)?;
        specification.train.matrix = matrix;
        let class_weights = match &self.data.class_weights {
            None => None,
            Some(ClassWeights::Balanced) => {
                // Refuses what has no classes; the weights are those of each fold's rows.
                classes::factors(all, &self.classes, &ClassWeights::Balanced)?;
                Some(ClassWeighting::Balanced)
            }
            Some(given) => {
                let factors = classes::factors(all, &self.classes, given)?;
                Some(ClassWeighting::Given(factors))
            }
        };
        Ok((specification, class_weights))
    }

    fn without_class_weights(
        &self,
        train: &Dataset,
        validation: Option<&Dataset>,
    ) -> Result<Specification> {
        let coordinates = train.matrix.columns() * self.predictors;
        let shapes = self.arguments.shapes();
        let penalty = self.bounded(self.penalty(coordinates)?, coordinates)?;
        let (prior, prior_units) = self.prior(coordinates)?;
        Ok(Specification {
            loss: self.loss(),
            ridge: self.ridge(&penalty, coordinates)?,
            penalty,
            classes: self.predictors,
            train: self.rows(train)?,
            weight_factors: None,
            validation: validation.map(|data| self.rows(data)).transpose()?,
            criterion: self.arguments.criterion.map(|name| name.loss(shapes)),
            sign: self.arguments.criterion_sign.try_into()?,
            scaling: self.scaling(),
            prior,
            prior_units,
            perturbation: self.perturbation()?,
        })
    }

    /// Rows of a table with their targets as the loss takes them.
    pub fn rows(&self, data: &Dataset) -> Result<problem::Rows> {
        Ok(problem::Rows {
            matrix: data.matrix.clone(),
            targets: classes::encode(data, &self.classes, self.encoding)?,
            weights: data.weights.clone(),
            offset: data.offset.clone(),
        })
    }

    fn penalty(&self, coordinates: usize) -> Result<Penalty> {
        let strengths = |count: usize| match &self.arguments.l1_file {
            Some(file) => self.numbers(file, count).map(Some),
            None => Ok(None),
        };
        Ok(match self.arguments.penalty {
            PenaltyName::ElasticNet => Penalty::ElasticNet,
            PenaltyName::Nonneg => Penalty::NonNegative,
            PenaltyName::Weighted => Penalty::Weighted {
                // `check_flags` has seen the file's name.
                strengths: strengths(coordinates)?.unwrap_or_else(|| vec![1.0; coordinates]),
            },
            PenaltyName::Group => {
                let groups = self.groups(coordinates)?;
                let strengths = match self.arguments.group_weights {
                    Some(GroupWeightsName::SqrtSize) => Some(groups.root_sizes()),
                    None => strengths(groups.len())?,
                };
                Penalty::Group { groups, strengths }
            }
            PenaltyName::SparseGroup => {
                let groups = self.groups(coordinates)?;
                let strengths = match self.arguments.group_weights {
                    Some(GroupWeightsName::SqrtSize) => {
                        Some([vec![1.0], groups.root_sizes()].concat())
                    }
                    None => strengths(1 + groups.len())?,
                };
                Penalty::sparse_group(groups, strengths)
            }
            PenaltyName::Box => {
                let bounds = self.arguments.bounds;
                Penalty::Box {
                    lower: bounds.map_or(f64::NEG_INFINITY, |b| b.lower),
                    upper: bounds.map_or(f64::INFINITY, |b| b.upper),
                }
            }
        })
    }

    /// The ridge strengths of a file, and which coefficients have each.
    fn ridge(&self, penalty: &Penalty, coordinates: usize) -> Result<Option<RidgeStrengths>> {
        let Some(file) = &self.arguments.l2_file else {
            return Ok(None);
        };
        let (classes, all) = (self.predictors as u32, 0..coordinates as u32);
        let candidates: Vec<(&str, Groups)> = if let Some(ties) = &self.arguments.l2_ties {
            let ties = self.ties(ties, coordinates)?;
            vec![("entry", Groups::from_labels(&ties))]
        } else {
            let of = |entry: &dyn Fn(u32) -> u32| {
                Groups::from_labels(&all.clone().map(entry).collect::<Vec<_>>())
            };
            let mut found = vec![("coefficient", of(&|j| j))];
            if classes > 1 {
                found.push(("feature", of(&|j| j / classes)));
                found.push(("class", of(&|j| j % classes)));
            }
            let groups = penalty.groups().cloned();
            found.extend(groups.map(|groups| ("group", groups)));
            found
        };
        let counts: Vec<usize> = candidates.iter().map(|(_, groups)| groups.len()).collect();
        let strengths = self.numbers_of_any(file, &counts)?;
        let mut fitting = candidates
            .iter()
            .filter(|(_, groups)| groups.len() == strengths.len());
        let name = format!("ridge strengths in {}", file.display());
        if let Some((kind, groups)) = fitting.next() {
            if let Some((other, _)) = fitting.find(|(_, others)| others != groups) {
                return Err(Error::value(
                    name,
                    format!(
                        "{} numbers may be one per {kind} or one per {other}",
                        strengths.len()
                    ),
                    "say with --l2-ties which coefficients share one",
                ));
            }
            return RidgeStrengths::shared(strengths, groups.labels()).map(Some);
        }
        let expected = candidates
            .iter()
            .map(|(of, groups)| format!("{} (one per {of})", groups.len()));
        Err(Error::shape(
            name,
            expected.collect::<Vec<_>>().join(" or "),
            strengths.len().to_string(),
            "give that many numbers, or say with --l2-ties which coefficients share one",
        ))
    }

    /// The numbers of a file that is to have one of these counts of them, which tell whether its first line
    /// is a header: a number is one only where no count fits it as a strength.
    fn numbers_of_any(&self, file: &Path, counts: &[usize]) -> Result<Vec<f64>> {
        let header = self.data.file.header.as_option();
        let plain = ReadOptions {
            header: Some(false),
            ..ReadOptions::default()
        };
        // Text in the first line is a header, or an error that reading with a count reports.
        let all = readers::read_vector(file, &plain).map_or(0, |all| all.len());
        let below = all.saturating_sub(1);
        let by_preference = match header {
            Some(true) => [below, all],
            _ => [all, below],
        };
        let mut fitting = by_preference.into_iter().filter(|n| counts.contains(n));
        self.numbers(file, fitting.next().unwrap_or(counts[0]))
    }

    /// The numbers of a file that is to have `count` of them.
    pub(super) fn numbers(&self, file: &Path, count: usize) -> Result<Vec<f64>> {
        readers::read_row_numbers(file, count, self.data.file.header.as_option())
    }

    fn groups(&self, coordinates: usize) -> Result<Groups> {
        let Some(file) = &self.arguments.groups else {
            return Groups::consecutive(coordinates, self.arguments.group_size.unwrap_or(1));
        };
        self.labels(file, coordinates, "groups")
    }

    /// The number of its set for each coefficient, from a file where those of a set have equal numbers.
    pub fn ties(&self, file: &Path, coordinates: usize) -> Result<Vec<u32>> {
        Ok(self.labels(file, coordinates, "ties")?.labels())
    }

    /// The sets of coefficients with equal numbers in a file.
    fn labels(&self, file: &Path, coordinates: usize, what: &str) -> Result<Groups> {
        let name = format!("{what} in {}", file.display());
        let numbers = self.numbers(file, coordinates)?;
        if numbers.len() != coordinates {
            return Err(Error::shape(
                name,
                format!("{coordinates}, one per coefficient"),
                numbers.len().to_string(),
                "give one number per coefficient",
            ));
        }
        Ok(Groups::from_labels(&whole_numbers(&numbers, &name)?))
    }

    fn perturbation(&self) -> Result<Option<Perturbation>> {
        let (Some(values), Some(rows)) =
            (&self.arguments.perturbation, &self.arguments.perturbed_rows)
        else {
            return Ok(None);
        };
        let name = format!("perturbed rows in {}", rows.display());
        let options = data::side_options(&self.data.file);
        let rows = whole_numbers(&readers::read_vector(rows, &options)?, &name)?;
        Ok(Some(Perturbation {
            rows: rows.into_iter().map(|row| row as usize).collect(),
            values: dense(readers::read_matrix(values, &options)?),
        }))
    }
}
