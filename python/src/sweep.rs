//! Sweeps: a space of strengths times folds, planned into a store, run by shards, merged and read back.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{IntoPyArray, PyArrayMethods};
use proxdiff::store::{Store, merge};
use proxdiff::sweep::cells::CellStore;
use proxdiff::sweep::compress::Compression;
use proxdiff::sweep::folds::{Dealing, Fold, k_folds};
use proxdiff::sweep::plan::{plan, plan_study};
use proxdiff::sweep::record::{Cell, Number, Shard, Study as StudyRecord, unpack_sparse};
use proxdiff::sweep::run::{Keep, Monitor, Run};
use proxdiff::sweep::select::{Rule, choose};
use proxdiff::sweep::space::{Axes, Axis, Search, Space};
use proxdiff::sweep::study::Study;
use proxdiff::sweep::summary::summarize;
use proxdiff::{Control, Device};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::ThreadPool;

use crate::convert::Statement;
use crate::errors::{checked, parsed};
use crate::problem::SettingsInput;
use crate::runtime::{compute, compute_beside};
use crate::study::{Split, SplitsInput, check_splits, folds_of, study};

/// The folds of a sweep: so many, dealt at random by a seed, or splits.
#[derive(FromPyObject)]
pub enum FoldsInput<'py> {
    Count(usize, u64),
    Splits(SplitsInput<'py>),
}

impl FoldsInput<'_> {
    fn folds(self, rows: usize) -> PyResult<Vec<Fold>> {
        match self {
            Self::Count(count, seed) => checked(k_folds(rows, count, 1, Dealing::Plain, seed)),
            Self::Splits(splits) => {
                let splits = splits.splits();
                check_splits(&splits, rows)?;
                match folds_of(&splits, rows) {
                    Some(folds) => Ok(folds),
                    None => folds_that_leave_rows_out(splits, rows),
                }
            }
        }
    }
}

/// The folds of splits whose training rows are not all that they do not hold out, as in time.
fn folds_that_leave_rows_out(splits: Vec<Split>, rows: usize) -> PyResult<Vec<Fold>> {
    let mut repeat = 0;
    let mut seen = vec![false; rows];
    let mut folds = Vec::with_capacity(splits.len());
    for (number, (mut training, mut held_out)) in (0..).zip(splits) {
        training.sort_unstable();
        held_out.sort_unstable();
        let is_doubled = |rows: &[usize]| rows.windows(2).any(|pair| pair[0] == pair[1]);
        let is_shared = |row: &usize| training.binary_search(row).is_ok();
        if is_doubled(&training) || is_doubled(&held_out) || held_out.iter().any(is_shared) {
            return Err(PyValueError::new_err(format!(
                "cv: split {number} names a row twice; give each row once, and weigh it by sample_weight"
            )));
        }
        if held_out.iter().any(|&row| seen[row]) {
            repeat += 1;
            seen.fill(false);
        }
        held_out.iter().for_each(|&row| seen[row] = true);
        folds.push(Fold {
            number,
            repeat,
            held_out: Some(held_out),
            training: Some(training),
        });
    }
    Ok(folds)
}

/// The space of a sweep: a dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct SpaceInput {
    l1: Option<AxisInput>,
    l2: Option<AxisInput>,
    alpha: Option<AxisInput>,
    l1_ratio: Option<AxisInput>,
    search: String,
    samples: usize,
    seed: u64,
}

/// The values of an axis: numbers, or the text of the command line.
#[derive(FromPyObject)]
pub enum AxisInput {
    Text(String),
    Values(Vec<f64>),
}

impl AxisInput {
    fn axis(self, name: &str) -> PyResult<Axis> {
        match self {
            Self::Text(text) => parsed(name, &text),
            Self::Values(values) if values.iter().all(|v| v.is_finite() && *v >= 0.0) => {
                Ok(Axis::of_values(&values))
            }
            Self::Values(_) => Err(PyValueError::new_err(format!(
                "{name}: a value is negative or not finite; give numbers of zero or more"
            ))),
        }
    }
}

impl SpaceInput {
    fn space(self) -> PyResult<Space> {
        let axis = |name: &str, input: Option<AxisInput>, other: &str| match input {
            Some(input) => input.axis(name),
            None => parsed(name, other),
        };
        let axes = match (self.alpha, self.l1, self.l2) {
            (Some(alpha), None, None) => Axes::Ratio {
                alpha: alpha.axis("alpha")?,
                l1_ratio: axis("l1_ratio", self.l1_ratio, "0.5")?,
            },
            (Some(_), _, _) => {
                return Err(PyValueError::new_err(
                    "alpha: it stands in place of l1 and l2; give either",
                ));
            }
            (None, l1, l2) => {
                if self.l1_ratio.is_some() {
                    return Err(PyValueError::new_err(
                        "l1_ratio: it is a share of alpha; give alpha, or l1 and l2",
                    ));
                }
                Axes::Strengths {
                    l1: axis("l1", l1, "frac:1:0.001:64")?,
                    l2: axis("l2", l2, "0")?,
                }
            }
        };
        let samples = self.samples;
        let search = match self.search.as_str() {
            "grid" => Search::Grid,
            "random" => Search::Random { samples },
            "sobol" => Search::Sobol { samples },
            other => {
                return Err(PyValueError::new_err(format!(
                    "search: '{other}' is not known; give one of grid, random, sobol"
                )));
            }
        };
        Ok(Space {
            axes,
            search,
            seed: self.seed,
        })
    }
}

/// A sweep that can be planned into a store, and run there whole or by shards.
#[pyclass(frozen, module = "proxdiff._proxdiff")]
pub struct Sweep {
    study: Study,
    space: Space,
    compressions: Vec<Option<Compression>>,
    threads: usize,
}

#[pymethods]
impl Sweep {
    #[new]
    fn new(
        py: Python<'_>,
        statement: Statement<'_>,
        folds: Option<FoldsInput<'_>>,
        space: SpaceInput,
        settings: SettingsInput,
        keep_coefficients: bool,
        names: (String, Vec<String>, bool),
    ) -> PyResult<Self> {
        let specification = statement.specification()?;
        let folds = match folds {
            Some(folds) => folds.folds(specification.train.matrix.rows())?,
            None => vec![Fold::of_all_rows()],
        };
        let (threads, settings) = (settings.n_threads, settings.settings()?);
        let mut study = study(specification, folds, &settings);
        (study.name, study.targets, study.is_compressed) = names;
        study.source = "Python".into();
        study.keep_solutions = keep_coefficients;
        let space = space.space()?;
        let made = compute(py, threads, |_| -> proxdiff::Result<_> {
            study.check()?;
            study.check_cells()?;
            let targets = study.specification.train.targets.len();
            let points = space.count()?.saturating_mul(targets);
            Ok((Compression::of(&study, points), study))
        })?;
        let (compression, study) = checked(made)?;
        Ok(Self {
            study,
            space,
            compressions: vec![compression],
            threads,
        })
    }

    /// Plans the sweep into a store, new or of the same plan: the numbers of its units and cells.
    fn plan(&self, py: Python<'_>, store: PathBuf) -> PyResult<(usize, usize)> {
        let planned = compute(py, self.threads, |_| -> proxdiff::Result<_> {
            let whole = match &self.compressions[0] {
                _ if !self.space.needs_l1_max() => None,
                Some(compression) => Some(compression.whole(&self.study)?.problem),
                None => Some(self.study.whole()?),
            };
            let l1_max = |target, l2| whole.as_ref().map_or(0.0, |w| w.l1_max(target, l2));
            let record = plan_study(&self.study, &self.space, &l1_max)?;
            let plan = plan(vec![record], String::new());
            Store::open(&store, &plan)?;
            Ok((plan.unit_count(), plan.cell_count()))
        })?;
        checked(planned)
    }

    /// Runs the units of a shard (its number, how many there are) that are open in a store where the sweep is
    /// planned; `progress` is told the number of cells that are done.
    fn run(
        &self,
        py: Python<'_>,
        store: PathBuf,
        shard: (usize, usize),
        progress: Option<Py<PyAny>>,
    ) -> PyResult<usize> {
        let plan = checked(Store::read(&store).and_then(|store| store.plan()))?;
        let [record] = plan.studies.as_slice() else {
            return Err(PyValueError::new_err(
                "store: its plan is of several studies; name another one",
            ));
        };
        let own = [self.study.fingerprint(), self.study.folds_digest()];
        if own != [record.fingerprint.clone(), record.folds_digest.clone()] {
            return Err(PyValueError::new_err(
                "store: it is of other data; name another one, or give the data that it was planned for",
            ));
        }
        let monitor = Arc::new(Monitor::new(&plan));
        let seen = Arc::clone(&monitor);
        let mut told = 0;
        let glance = move |py: Python<'_>| match &progress {
            Some(progress) if seen.cells() != told => {
                told = seen.cells();
                progress.call1(py, (told,)).map(|_| ())
            }
            _ => Ok(()),
        };
        let (index, count) = shard;
        let shard = Shard { index, count };
        let ran = compute_beside(
            py,
            self.threads,
            glance,
            |control: &Control, pool: &ThreadPool| {
                let mut cells = Store::open(&store, &plan)?;
                Run {
                    plan: &plan,
                    studies: std::slice::from_ref(&self.study),
                    compressions: &self.compressions,
                    pool,
                    stop: control,
                    problems: &[None],
                    shard,
                    devices: &[Device::Cpu],
                    keep: Keep::Cells,
                    monitor: &monitor,
                }
                .execute(&mut cells)
            },
        )?;
        checked(ran)?;
        Ok(monitor.cells())
    }
}

/// Joins the stores of shards of one plan into another: the number of units that were added.
#[pyfunction]
pub fn merge_stores(py: Python<'_>, from: Vec<PathBuf>, into: PathBuf) -> PyResult<usize> {
    let paths: Vec<_> = from.iter().map(PathBuf::as_path).collect();
    checked(py.detach(|| merge(&paths, &into)))
}

/// The report of a store's sweep, written into a folder.
#[pyfunction]
pub fn report(py: Python<'_>, store: PathBuf, folder: PathBuf) -> PyResult<()> {
    let written = py.detach(|| proxdiff::cli::report(&store, &folder));
    written.map_err(|sentence| PyOSError::new_err(crate::errors::in_parameters(&sentence)))
}

/// What a store's sweep has found: arrays with one row a point, and one column a fold.
#[pyfunction]
pub fn read_sweep<'py>(py: Python<'py>, store: PathBuf) -> PyResult<Bound<'py, PyDict>> {
    let found = py.detach(|| -> proxdiff::Result<_> {
        let store = Store::read(&store)?;
        let mut plan = store.plan()?;
        let count = plan.studies.len();
        let record = plan.studies.swap_remove(0);
        let mut cells = Vec::new();
        CellStore::for_each_cell(&store, 0, &mut |cell| {
            cells.push(cell);
            Ok(())
        })?;
        let summaries = summarize(&store, 0, &record)?;
        Ok((record, cells, summaries, count))
    });
    let (record, cells, summaries, count) = checked(found)?;
    if count > 1 {
        return Err(PyValueError::new_err(
            "store: its plan is of several studies; read the view 'cells' of the SQLite file, or export it",
        ));
    }
    let out = PyDict::new(py);
    let points = &record.points;
    let column = |of: &dyn Fn(usize) -> f64| (0..points.len()).map(of).collect::<Vec<f64>>();
    out.set_item("l1", column(&|at| points[at].l1).into_pyarray(py))?;
    out.set_item("l2", column(&|at| points[at].l2).into_pyarray(py))?;
    if points.iter().all(|point| point.ratio.is_some()) {
        let ratio = |at: usize| points[at].ratio.unwrap_or_default();
        out.set_item("alpha", column(&|at| ratio(at).0).into_pyarray(py))?;
        out.set_item("l1_ratio", column(&|at| ratio(at).1).into_pyarray(py))?;
    }
    let targets: Vec<i64> = points.iter().map(|point| point.target as i64).collect();
    out.set_item("target", targets.into_pyarray(py))?;
    out.set_item("targets", record.targets.clone())?;
    out.set_item(
        "folds",
        record.folds.iter().map(|f| f.number).collect::<Vec<_>>(),
    )?;
    let mut of_point: Vec<Option<usize>> = vec![None; points.len()];
    for (at, summary) in summaries.iter().enumerate() {
        of_point[summary.point] = Some(at);
    }
    let means = PyDict::new(py);
    for number in Number::ALL {
        let of = |at: usize| of_point[at].map_or(f64::NAN, |s| summaries[s].numbers()[number]);
        let values = column(&of);
        if values.iter().any(|value| !value.is_nan()) {
            means.set_item(number.name(), values.into_pyarray(py))?;
        }
    }
    out.set_item("means", means)?;
    let error = |at: usize| of_point[at].map_or(f64::NAN, |s| summaries[s].standard_error);
    out.set_item("standard_error", column(&error).into_pyarray(py))?;
    let status = |at: &Option<usize>| at.map_or("unfinished", |s| summaries[s].status.name());
    out.set_item("status", of_point.iter().map(status).collect::<Vec<_>>())?;
    let failed = |at: &Option<usize>| at.map_or(-1, |s| summaries[s].failed as i64);
    let failed: Vec<i64> = of_point.iter().map(failed).collect();
    out.set_item("failed_folds", failed.into_pyarray(py))?;
    let choices = choose(&record, &summaries);
    let chosen = |rule: Rule| -> Vec<Option<usize>> {
        let of_target = |target: usize| {
            let choice = choices.iter().find(|choice| choice.target == target)?;
            choice.by(rule).map(|at| summaries[at].point)
        };
        (0..record.targets.len()).map(of_target).collect()
    };
    out.set_item("best", chosen(Rule::Best))?;
    out.set_item("one_standard_error", chosen(Rule::OneStandardError))?;
    cells_into(&out, &record, &cells)?;
    Ok(out)
}

/// The cells' own numbers: arrays of shape (points, folds), NaN where a cell is not done.
fn cells_into(out: &Bound<'_, PyDict>, record: &StudyRecord, cells: &[Cell]) -> PyResult<()> {
    let py = out.py();
    let shape = [record.points.len(), record.folds.len()];
    let by_fold = PyDict::new(py);
    for number in Number::ALL {
        let mut values = vec![f64::NAN; shape[0] * shape[1]];
        let mut is_known = false;
        for cell in cells {
            let value = cell.numbers[number];
            is_known |= !value.is_nan();
            values[cell.point * shape[1] + cell.fold] = value;
        }
        if is_known {
            by_fold.set_item(number.name(), values.into_pyarray(py).reshape(shape)?)?;
        }
    }
    out.set_item("by_fold", by_fold)?;
    out.set_item("cells_done", cells.len())?;
    let solutions: Vec<_> = cells
        .iter()
        .filter_map(|cell| Some((cell, unpack_sparse(&cell.solution)?)))
        .collect();
    let Some(width) = solutions.first().map(|(_, solution)| solution.len()) else {
        return Ok(());
    };
    let mut values = vec![f64::NAN; shape[0] * shape[1] * width];
    for (cell, solution) in &solutions {
        let first = (cell.point * shape[1] + cell.fold) * width;
        if solution.len() == width {
            values[first..first + width].copy_from_slice(solution);
        }
    }
    let values = values.into_pyarray(py);
    out.set_item("solution", values.reshape([shape[0], shape[1], width])?)
}
