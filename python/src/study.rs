//! Cross-validation along paths, and tuning.

use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArray2};
use proxdiff::hypergrad::{Outcome, Settings};
use proxdiff::problem::Rows;
use proxdiff::sweep::compress::{Compression, fold_problem};
use proxdiff::sweep::folds::Fold;
use proxdiff::sweep::study::{FoldProblem, Study};
use proxdiff::tune::{Guard, Hyperparameter, Tuned, Tuner, Variable, with_vectors};
use proxdiff::{Control, Evaluator, Point, Problem, Specification};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::prelude::*;

use crate::convert::{Statement, of_rows, rows_array};
use crate::errors::{checked, in_parameters, parsed};
use crate::problem::{SettingsInput, outcomes_dict};
use crate::runtime::{compute, compute_watched};

/// A split of the rows, as scikit-learn's splitters give them: the rows that train, and those that are held out.
pub type Split = (Vec<usize>, Vec<usize>);

/// Splits as arrays of row numbers, none of them negative.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub struct SplitsInput<'py>(Vec<(PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i64>)>);

impl SplitsInput<'_> {
    /// The splits.
    pub fn splits(&self) -> Vec<Split> {
        let rows = |part: &PyReadonlyArray1<'_, i64>| -> Vec<usize> {
            part.as_array().iter().map(|&row| row as usize).collect()
        };
        let splits = self.0.iter();
        splits
            .map(|(training, held_out)| (rows(training), rows(held_out)))
            .collect()
    }
}

/// A cross-validation: paths of points on the folds of a problem, and fits to all of its rows.
#[pyclass(frozen, module = "proxdiff._proxdiff")]
pub struct CrossValidation {
    /// The study, without folds where a split is of another kind.
    study: Study,
    /// The splits, where one does not learn from all rows that it does not hold out.
    splits: Option<Vec<Split>>,
    compression: Option<Compression>,
    whole: FoldProblem,
    threads: usize,
}

#[pymethods]
impl CrossValidation {
    /// One of so many points, at most, on each fold.
    #[new]
    fn new(
        py: Python<'_>,
        statement: Statement<'_>,
        splits: SplitsInput<'_>,
        points: usize,
        n_threads: usize,
    ) -> PyResult<Self> {
        let specification = statement.specification()?;
        let rows = specification.train.matrix.rows();
        let splits = splits.splits();
        check_splits(&splits, rows)?;
        let (folds, splits) = match folds_of(&splits, rows) {
            Some(folds) => (folds, None),
            None => (vec![Fold::of_all_rows()], Some(splits)),
        };
        let study = study(specification, folds, &Settings::default().method(None));
        let made = compute(py, n_threads, |_| -> proxdiff::Result<_> {
            study.check()?;
            let compression = match splits {
                None => Compression::of(&study, points),
                Some(_) => None,
            };
            let whole = match &compression {
                Some(compression) => compression.whole(&study)?,
                None => FoldProblem::plain(study.whole()?),
            };
            Ok(Self {
                study,
                splits,
                compression,
                whole,
                threads: n_threads,
            })
        })?;
        checked(made)
    }

    /// The smallest l1 whose solution on all rows is zero.
    fn l1_max(&self, py: Python<'_>, l2: f64) -> PyResult<f64> {
        compute(py, self.threads, |_| self.whole.problem.l1_max(0, l2))
    }

    /// What is known of the solution at a point on all rows.
    fn fit<'py>(
        &self,
        py: Python<'py>,
        l1: f64,
        l2: f64,
        settings: SettingsInput,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (threads, settings) = (settings.n_threads, settings.settings()?);
        let outcomes = compute(py, threads, |control| {
            let evaluator = Evaluator::new(&self.whole.problem).settings(&settings);
            evaluator.control(control).run(&[Point::new(l1, l2)])
        })?;
        let in_data_units = |o: &Outcome| self.whole.in_data_units(&o.solution, o.point.target);
        outcomes_dict(py, &self.whole.problem, &checked(outcomes)?, in_data_units)
    }

    /// Criteria, and coefficients where they are wanted, of points on every fold; `l1` and `l2` have one row a fold.
    fn run<'py>(
        &self,
        py: Python<'py>,
        l1: PyReadonlyArray2<'_, f64>,
        l2: PyReadonlyArray2<'_, f64>,
        keep_coefficients: bool,
        settings: SettingsInput,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (l1, l2) = (of_rows(&l1), of_rows(&l2));
        if [l1.len(), l2.len()] != [self.count(); 2] {
            return Err(PyValueError::new_err(
                "strengths: expected one row for each fold; give the same points to all folds, or points for each",
            ));
        }
        let of_fold = |(l1, l2): (&Vec<f64>, &Vec<f64>)| -> Vec<Point> {
            let strengths = l1.iter().zip(l2);
            strengths.map(|(&l1, &l2)| Point::new(l1, l2)).collect()
        };
        let points: Vec<Vec<Point>> = l1.iter().zip(&l2).map(of_fold).collect();
        let (threads, settings) = (settings.n_threads, settings.settings()?);
        let folds = compute(py, threads, |control| {
            self.along_folds(&points, &settings, control)
        })?;
        let folds = checked(folds)?;
        let out = PyDict::new(py);
        let criteria = folds
            .iter()
            .map(|f| f.outcomes.iter().map(|o| o.criterion).collect());
        out.set_item("criterion", rows_array(py, criteria.collect())?)?;
        let statuses = folds.iter().map(|fold| {
            let status = fold.outcomes.iter().map(|o| o.status.name());
            status.collect::<Vec<_>>()
        });
        out.set_item("status", statuses.collect::<Vec<_>>())?;
        let steps = |fold: &FoldOutcomes| fold.outcomes.iter().map(|o| o.steps as f64).collect();
        out.set_item("n_iter", rows_array(py, folds.iter().map(steps).collect())?)?;
        if keep_coefficients {
            let mut all = (Vec::new(), Vec::new());
            for fold in &folds {
                let in_data_units = |o: &Outcome| fold.problem.in_data_units(&o.solution, 0);
                let (w, b): (Vec<_>, Vec<_>) = fold.outcomes.iter().map(in_data_units).unzip();
                all.0.push(rows_array(py, w)?);
                all.1.push(rows_array(py, b)?);
            }
            out.set_item("coef", all.0)?;
            out.set_item("intercept", all.1)?;
        }
        Ok(out)
    }
}

/// The outcomes of a fold's points, with its problem.
struct FoldOutcomes {
    problem: FoldProblem,
    outcomes: Vec<Outcome>,
}

impl CrossValidation {
    /// The number of folds.
    fn count(&self) -> usize {
        self.splits
            .as_ref()
            .map_or(self.study.folds.len(), Vec::len)
    }

    fn along_folds(
        &self,
        points: &[Vec<Point>],
        settings: &Settings,
        control: &Control,
    ) -> proxdiff::Result<Vec<FoldOutcomes>> {
        let of_fold = |at: usize| {
            let problem = match &self.splits {
                None => fold_problem(&self.study, self.compression.as_ref(), at)?,
                Some(splits) => {
                    FoldProblem::plain(split_problem(&self.study.specification, &splits[at])?)
                }
            };
            let evaluator = Evaluator::new(&problem.problem).settings(settings);
            let outcomes = evaluator.control(control).run(&points[at])?;
            Ok(FoldOutcomes { problem, outcomes })
        };
        (0..self.count()).into_par_iter().map(of_fold).collect()
    }
}

/// A study of the rows of a specification.
pub fn study(specification: Specification, folds: Vec<Fold>, settings: &Settings) -> Study {
    Study {
        settings: settings.clone(),
        ..Study::new(specification, folds)
    }
}

/// The problem of a split whose training rows are not simply those that are not held out.
fn split_problem(specification: &Specification, split: &Split) -> proxdiff::Result<Problem> {
    let of = |rows: &[usize]| {
        let pick = |values: &Vec<f64>| rows.iter().map(|&row| values[row]).collect();
        let train = &specification.train;
        Rows {
            matrix: train.matrix.select_rows(rows),
            targets: train.targets.iter().map(pick).collect(),
            weights: train.weights.as_ref().map(pick),
            offset: train.offset.as_ref().map(pick),
        }
    };
    let train = of(&split.0);
    let mut own = Specification::new(specification.loss, train.matrix, train.targets);
    own.train.weights = train.weights;
    own.train.offset = train.offset;
    own.validation = Some(of(&split.1));
    own.penalty = specification.penalty.clone();
    own.classes = specification.classes;
    own.criterion = specification.criterion;
    own.scaling = specification.scaling;
    own.ridge.clone_from(&specification.ridge);
    own.prior.clone_from(&specification.prior);
    own.prior_units = specification.prior_units;
    Problem::new(own)
}

pub fn check_splits(splits: &[Split], rows: usize) -> PyResult<()> {
    let is_row = |&row: &usize| row < rows;
    for (train, test) in splits {
        let fault = if train.is_empty() || test.is_empty() {
            "has no rows that train, or holds none out"
        } else if !train.iter().chain(test).all(is_row) {
            "names rows that are not there"
        } else {
            continue;
        };
        return Err(PyValueError::new_err(format!(
            "cv: a split of {rows} rows {fault}; give pairs of row numbers from 0"
        )));
    }
    match splits.is_empty() {
        true => Err(PyValueError::new_err(
            "cv: there is no split; give one or more",
        )),
        false => Ok(()),
    }
}

/// The folds of splits whose training rows are all rows that are not held out; `None` where some are not.
/// Folds of one repetition hold out different rows.
pub fn folds_of(splits: &[Split], rows: usize) -> Option<Vec<Fold>> {
    let mut repeat = 0;
    let mut seen = vec![false; rows];
    // Marks of this split's rows: the number of the split, twice, and one more for those that it holds out.
    let mut marks = vec![0; rows];
    let mut folds = Vec::with_capacity(splits.len());
    for (number, (train, test)) in splits.iter().enumerate() {
        let mark = 2 * number + 1;
        let mut is_plain = train.len() + test.len() == rows;
        for (part, mark) in [(train, mark), (test, mark + 1)] {
            for &row in part {
                is_plain &= marks[row] < 2 * number + 1;
                marks[row] = mark;
            }
        }
        if !is_plain {
            return None;
        }
        if test.iter().any(|&row| seen[row]) {
            repeat += 1;
            seen.fill(false);
        }
        test.iter().for_each(|&row| seen[row] = true);
        let mut held_out = test.clone();
        held_out.sort_unstable();
        folds.push(Fold {
            number: number as i64,
            repeat,
            held_out: Some(held_out),
            training: None,
        });
    }
    Some(folds)
}

/// A variable of a tuning: its name, bounds and start.
type VariableInput = (String, Option<(f64, f64)>, Option<f64>);

/// The criterion minimised over variables: its mean over folds, or on validation rows where there is no split.
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the package's Python files alone call it"
)]
pub fn tune<'py>(
    py: Python<'py>,
    statement: Statement<'_>,
    splits: Option<SplitsInput<'_>>,
    variables: Vec<VariableInput>,
    l1: f64,
    l2: f64,
    max_evaluations: usize,
    guard: Option<&str>,
    settings: SettingsInput,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let specification = statement.specification()?;
    let rows = specification.train.matrix.rows();
    let folds = match splits {
        None => vec![Fold::of_all_rows()],
        Some(splits) => {
            let splits = splits.splits();
            check_splits(&splits, rows)?;
            folds_of(&splits, rows).ok_or_else(|| {
                PyValueError::new_err(
                    "cv: tuning learns from all rows that a split does not hold out; give splits that partition the rows",
                )
            })?
        }
    };
    let variables: PyResult<Vec<Variable>> = variables.iter().map(variable).collect();
    let variables = variables?;
    let guard = match guard {
        Some("auto") => Guard::Auto,
        None | Some("none") => Guard::None,
        Some(other) => {
            return Err(PyValueError::new_err(format!(
                "guard: '{other}' is not known; give 'auto' or None"
            )));
        }
    };
    let (threads, settings) = (settings.n_threads, settings.settings()?);
    let study = study(specification, folds, &settings);
    let tuner = Tuner::of_study(&study)
        .variables(variables.clone())
        .at(Point::new(l1, l2))
        .max_evaluations(max_evaluations)
        .guard(guard);
    let (seen, mut told) = (tuner.progress(), 0);
    let glance = move |py: Python<'_>| match &progress {
        Some(progress) if seen.evaluations() != told => {
            told = seen.evaluations();
            let best = seen.best().map(|(criterion, _)| criterion);
            progress.call1(py, (told, best)).map(|_| ())
        }
        _ => Ok(()),
    };
    let found = compute_watched(py, threads, glance, |control| -> proxdiff::Result<_> {
        study.check()?;
        let tuned = tuner.control(control).run()?;
        let whole = tuned.restated(with_vectors(study.whole()?, &variables)?)?;
        let evaluator = Evaluator::new(&whole).settings(&settings).control(control);
        let refit = evaluator.run(std::slice::from_ref(&tuned.point))?;
        Ok((tuned, whole, refit))
    })?;
    let (tuned, whole, refit) = checked(found)?;
    let out = PyDict::new(py);
    let in_data_units = |o: &Outcome| whole.in_data_units(&o.solution, o.point.target);
    let refit = outcomes_dict(py, &whole, &refit, in_data_units)?;
    out.set_item("refit", refit)?;
    describe(&out, &tuned)?;
    Ok(out)
}

fn variable((name, bounds, start): &VariableInput) -> PyResult<Variable> {
    let mut variable = Variable::new(parsed::<Hyperparameter>("variables", name)?);
    if let Some((lower, upper)) = *bounds {
        variable = variable.within(lower, upper);
    }
    Ok(match *start {
        Some(start) => variable.from(start),
        None => variable,
    })
}

fn describe(out: &Bound<'_, PyDict>, tuned: &Tuned) -> PyResult<()> {
    let py = out.py();
    out.set_item("status", tuned.status.name())?;
    out.set_item("evaluations", tuned.evaluations)?;
    out.set_item("criterion", tuned.criterion)?;
    out.set_item(
        "fold_criteria",
        tuned.fold_criteria.clone().into_pyarray(py),
    )?;
    out.set_item("projected_slope", tuned.projected_slope)?;
    out.set_item("nested_criterion", tuned.nested_criterion)?;
    out.set_item("scalar_criterion", tuned.scalar_criterion)?;
    out.set_item("l1", tuned.point.l1)?;
    out.set_item("l2", tuned.point.l2)?;
    out.set_item("l1_each", tuned.point.strengths().map(<[f64]>::to_vec))?;
    out.set_item("l2_each", tuned.point.ridge().map(<[f64]>::to_vec))?;
    let remarks = tuned.remarks.iter().map(|r| in_parameters(r));
    out.set_item("remarks", remarks.collect::<Vec<_>>())?;
    for variable in &tuned.variables {
        let values = (variable.values.clone(), variable.slope.clone());
        out.set_item(
            format!("variable:{}", variable.hyperparameter.name()),
            values,
        )?;
    }
    let paths = tuned.starts.iter().map(|start| {
        let visited = start.trajectory.iter();
        visited
            .map(|v| (v.variables.clone(), v.criterion))
            .collect::<Vec<_>>()
    });
    out.set_item("paths", paths.collect::<Vec<_>>())
}
