//! Problems, and the outcomes of batches of their points.

use std::sync::Arc;

use numpy::{IntoPyArray, PyReadonlyArray2};
use proxdiff::Evaluator;
use proxdiff::hypergrad::{Hypergradient, Input, Outcome, Settings, Vjp};
use proxdiff::kinds::{Method, Solver, Wrt};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{PointsInput, Statement, of_rows, rows_array};
use crate::errors::{checked, in_parameters, parsed};
use crate::runtime::compute;

/// Settings of a run: a dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct SettingsInput {
    method: Option<String>,
    wrt: Vec<String>,
    solver: String,
    tolerance: Option<f64>,
    max_steps: usize,
    pub n_threads: usize,
}

impl SettingsInput {
    /// The settings of the library.
    pub fn settings(&self) -> PyResult<Settings> {
        let method = self.method.as_deref();
        let method: Option<Method> = method.map(|m| parsed("method", m)).transpose()?;
        let wrt: PyResult<Vec<Wrt>> = self.wrt.iter().map(|w| parsed("wrt", w)).collect();
        Ok(Settings::default()
            .method(method)
            .wrt(wrt?)
            .solver(parsed::<Solver>("solver", &self.solver)?)
            .tolerance(self.tolerance)
            .max_steps(self.max_steps))
    }
}

/// A checked problem with what evaluations of it share.
#[pyclass(frozen, module = "proxdiff._proxdiff")]
pub struct Problem {
    problem: Arc<proxdiff::Problem>,
    evaluator: Evaluator<'static>,
}

/// Outcomes of a problem's points, as the products with their derivatives need them.
#[pyclass(frozen, module = "proxdiff._proxdiff")]
pub struct Outcomes {
    all: Vec<Outcome>,
}

#[pymethods]
impl Problem {
    #[new]
    fn new(py: Python<'_>, statement: Statement<'_>, n_threads: usize) -> PyResult<Self> {
        let specification = statement.specification()?;
        let made = compute(py, n_threads, |_| proxdiff::Problem::new(specification))?;
        let problem = Arc::new(checked(made)?);
        Ok(Self {
            evaluator: Evaluator::shared(Arc::clone(&problem)),
            problem,
        })
    }

    /// The smallest l1 whose solution is zero.
    fn l1_max(&self, py: Python<'_>, target: usize, l2: f64, n_threads: usize) -> PyResult<f64> {
        if target >= self.problem.train().targets.len() {
            return Err(PyValueError::new_err(format!(
                "target: {target} of {}; count targets from 0",
                self.problem.train().targets.len()
            )));
        }
        compute(py, n_threads, |_| self.problem.l1_max(target, l2))
    }

    /// The numbers that columns were divided by.
    #[getter]
    fn scale(&self) -> Vec<f64> {
        self.problem.features().scale.clone()
    }

    /// Solves points and differentiates them where the settings name a method.
    fn run<'py>(
        &self,
        py: Python<'py>,
        points: PointsInput<'_>,
        settings: SettingsInput,
        starts: Option<&Outcomes>,
    ) -> PyResult<(Bound<'py, PyDict>, Outcomes)> {
        let points = points.points(&self.problem.features().scale, self.problem.classes())?;
        let threads = settings.n_threads;
        let settings = settings.settings()?;
        let starts = starts.map(|o| o.all.iter().map(Outcome::warm_start).collect::<Vec<_>>());
        let all = compute(py, threads, |control| {
            let evaluator = self.evaluator.clone().settings(&settings);
            let evaluator = evaluator.control(control).warm_starts(starts);
            evaluator.run(&points)
        })?;
        let all = checked(all)?;
        let in_data_units = |o: &Outcome| self.problem.in_data_units(&o.solution, o.point.target);
        let found = outcomes_dict(py, &self.problem, &all, in_data_units)?;
        Ok((found, Outcomes { all }))
    }

    /// Products of cotangents, in coefficients and intercepts of the data's units, with derivatives of outcomes.
    fn vjp<'py>(
        &self,
        py: Python<'py>,
        outcomes: &Outcomes,
        coefficients: PyReadonlyArray2<'_, f64>,
        intercepts: PyReadonlyArray2<'_, f64>,
        wrt: Vec<String>,
        settings: SettingsInput,
    ) -> PyResult<Bound<'py, PyDict>> {
        let inputs: PyResult<Vec<Input>> = wrt.iter().map(|word| input(word)).collect();
        let inputs = inputs?;
        let (coefficients, intercepts) = (of_rows(&coefficients), of_rows(&intercepts));
        let (p, all) = (self.problem.coordinates(), self.problem.penalized());
        let count = outcomes.all.len();
        let is_of = |rows: &[Vec<f64>], width: usize| {
            rows.len() == count && rows.iter().all(|row| row.len() == width)
        };
        if !is_of(&coefficients, all) || !is_of(&intercepts, p - all) {
            return Err(PyValueError::new_err(format!(
                "cotangent: expected {count} rows of {all} coefficients and {} intercepts; give the shapes of the \
                 solutions",
                p - all
            )));
        }
        let cotangents: Vec<Vec<f64>> = coefficients
            .iter()
            .zip(&intercepts)
            .map(|(w, b)| self.problem.cotangent_in_own_units(w, b))
            .collect();
        let threads = settings.n_threads;
        let settings = settings.settings()?;
        let products = compute(py, threads, |control| {
            let evaluator = self.evaluator.clone().settings(&settings).control(control);
            evaluator.vjp(&outcomes.all, &cotangents, &inputs)
        })?;
        products_dict(py, &self.problem, checked(products)?)
    }
}

fn input(word: &str) -> PyResult<Input> {
    Ok(match word {
        "y" => Input::Targets,
        "x" => Input::Design,
        _ => Input::Hyperparameter(parsed("wrt", word)?),
    })
}

/// A number of an outcome, where it has one.
type NumberOf = fn(&Outcome) -> Option<f64>;

/// What is known of outcomes, by name: arrays with one row a point. `in_data_units` gives coefficients and intercepts.
pub fn outcomes_dict<'py>(
    py: Python<'py>,
    problem: &proxdiff::Problem,
    all: &[Outcome],
    in_data_units: impl Fn(&Outcome) -> (Vec<f64>, Vec<f64>),
) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let (coefficients, intercepts): (Vec<_>, Vec<_>) = all.iter().map(in_data_units).unzip();
    out.set_item("coef", rows_array(py, coefficients)?)?;
    out.set_item("intercept", rows_array(py, intercepts)?)?;
    out.set_item("status", texts(all, |o| o.status.name()))?;
    out.set_item(
        "solver_converged",
        all.iter().map(Outcome::is_solved).collect::<Vec<_>>(),
    )?;
    out.set_item("engine", texts(all, |o| o.engines.solve.name()))?;
    let steps: Vec<i64> = all.iter().map(|o| o.steps as i64).collect();
    out.set_item("n_iter", steps.into_pyarray(py))?;
    let support: Vec<i64> = all.iter().map(|o| o.support as i64).collect();
    out.set_item("support", support.into_pyarray(py))?;
    let certified: Vec<bool> = all.iter().map(|o| o.certified).collect();
    out.set_item("certified", certified.into_pyarray(py))?;
    let numbers: [(&str, NumberOf); 6] = [
        ("objective", |o| Some(o.objective)),
        ("criterion", |o| Some(o.criterion)),
        ("residual", |o| Some(o.residual)),
        ("duality_gap", |o| o.duality_gap),
        ("linear_residual", |o| o.linear_residual),
        ("kink_margin", |o| o.kink_margin),
    ];
    for (name, of) in numbers {
        let values: Vec<f64> = all.iter().map(|o| of(o).unwrap_or(f64::NAN)).collect();
        out.set_item(name, values.into_pyarray(py))?;
    }
    let warnings = all.iter().map(|o| {
        let sentence =
            |w: &proxdiff::hypergrad::Warning| (w.kind.name(), in_parameters(&w.message));
        o.warnings.iter().map(sentence).collect::<Vec<_>>()
    });
    out.set_item("warnings", warnings.collect::<Vec<_>>())?;
    let gradients: Vec<Option<&Hypergradient>> =
        all.iter().map(|o| o.hypergradient.as_ref()).collect();
    out.set_item("hypergradient", parts_dict(py, problem, &gradients)?)?;
    Ok(out)
}

fn texts(all: &[Outcome], of: impl Fn(&Outcome) -> &'static str) -> Vec<&'static str> {
    all.iter().map(of).collect()
}

/// The parts of hypergradients, by name: one row a point, NaN where a point has none.
fn parts_dict<'py>(
    py: Python<'py>,
    problem: &proxdiff::Problem,
    gradients: &[Option<&Hypergradient>],
) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let Some(first) = gradients.iter().flatten().next() else {
        return Ok(out);
    };
    let classes = problem.classes();
    for part in first.parts() {
        let width = part.values.len();
        let row = |gradient: &Option<&Hypergradient>| {
            let own = gradient.and_then(|g| g.parts().find(|other| other.part == part.part));
            let mut values = own.map_or_else(|| vec![f64::NAN; width], |p| p.values.to_vec());
            if part.part == proxdiff::hypergrad::Part::Prior {
                // The prior is given in the data's units.
                let scale = &problem.features().scale;
                let entries = values.iter_mut().enumerate();
                entries.for_each(|(j, value)| *value *= scale[j / classes]);
            }
            values
        };
        let rows: Vec<Vec<f64>> = gradients.iter().map(row).collect();
        let array = rows_array(py, rows)?;
        let name = part.part.name();
        match part.is_scalar {
            true => out.set_item(name, array.call_method0("ravel")?)?,
            false => out.set_item(name, array)?,
        }
    }
    Ok(out)
}

/// What is known of products, by name.
fn products_dict<'py>(
    py: Python<'py>,
    problem: &proxdiff::Problem,
    products: Vec<Vjp>,
) -> PyResult<Bound<'py, PyDict>> {
    let gradients: Vec<Option<&Hypergradient>> =
        products.iter().map(|p| Some(&p.hypergradient)).collect();
    let out = parts_dict(py, problem, &gradients)?;
    let status: Vec<&str> = products.iter().map(|p| p.status.name()).collect();
    out.set_item("status", status)?;
    let residuals: Vec<f64> = products.iter().map(|p| p.linear_residual).collect();
    out.set_item("linear_residual", residuals.into_pyarray(py))?;
    let (mut targets, mut designs) = (Vec::new(), Vec::new());
    for product in products {
        targets.extend(product.targets);
        designs.extend(product.design);
    }
    if !targets.is_empty() {
        out.set_item("y", rows_array(py, targets)?)?;
    }
    if !designs.is_empty() {
        out.set_item("x", rows_array(py, designs)?)?;
    }
    Ok(out)
}
