//! From NumPy arrays to the library's types, and back.

use numpy::{
    IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyUntypedArrayMethods,
};
use proxdiff::data::{Dense, Matrix, Scaling, Sparse};
use proxdiff::loss::Loss;
use proxdiff::penalty::{Groups, Penalty};
use proxdiff::problem::{PriorUnits, RidgeStrengths, Rows};
use proxdiff::{Point, Specification};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::checked;

/// Rows of data: a dense array in any order, or the parts of a CSR matrix (rows, columns, row starts, column
/// indices, values).
#[derive(FromPyObject)]
pub enum RowsInput<'py> {
    Dense(PyReadonlyArray2<'py, f64>),
    Sparse(
        usize,
        usize,
        PyReadonlyArray1<'py, i64>,
        PyReadonlyArray1<'py, i64>,
        PyReadonlyArray1<'py, f64>,
    ),
}

impl RowsInput<'_> {
    fn matrix(&self) -> PyResult<Matrix> {
        match self {
            Self::Dense(array) => Ok(Matrix::Dense(dense(array)?)),
            Self::Sparse(rows, columns, starts, indices, values) => {
                let (starts, indices, values) = (starts.as_slice()?, indices.as_slice()?, values);
                sparse(
                    *rows,
                    *columns,
                    starts,
                    indices,
                    values.as_slice()?.to_vec(),
                )
            }
        }
    }
}

fn dense(array: &PyReadonlyArray2<'_, f64>) -> PyResult<Dense> {
    let [rows, columns] = [array.shape()[0], array.shape()[1]];
    let values = match array.as_slice() {
        Ok(values) if array.is_c_contiguous() => values.to_vec(),
        _ => array.as_array().iter().copied().collect(),
    };
    checked(Dense::new(rows, columns, values))
}

fn sparse(
    rows: usize,
    columns: usize,
    starts: &[i64],
    indices: &[i64],
    values: Vec<f64>,
) -> PyResult<Matrix> {
    let refuse = || {
        PyValueError::new_err(
            "sparse rows: their parts do not fit together; give a CSR matrix with sorted indices and without duplicates",
        )
    };
    let entries = indices.len();
    let is_start = |&start: &i64| usize::try_from(start).is_ok_and(|start| start <= entries);
    let ends = [starts.first().copied(), starts.last().copied()];
    let fits = starts.len() == rows + 1
        && ends == [Some(0), i64::try_from(entries).ok()]
        && starts.iter().all(is_start)
        && starts.is_sorted()
        && values.len() == entries
        && u32::try_from(columns).is_ok();
    if !fits {
        return Err(refuse());
    }
    let row_starts: Vec<usize> = starts.iter().map(|&start| start as usize).collect();
    let is_row = |row: &[i64]| {
        let is_inside = |&j: &i64| usize::try_from(j).is_ok_and(|j| j < columns);
        row.iter().all(is_inside) && row.windows(2).all(|pair| pair[0] < pair[1])
    };
    if !row_starts
        .windows(2)
        .all(|pair| is_row(&indices[pair[0]..pair[1]]))
    {
        return Err(refuse());
    }
    Ok(Matrix::Sparse(Sparse {
        rows,
        columns,
        row_starts,
        column_indices: indices.iter().map(|&j| j as u32).collect(),
        values,
    }))
}

/// A problem as the package's Python files state it: a dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Statement<'py> {
    x: RowsInput<'py>,
    /// Targets × rows.
    y: PyReadonlyArray2<'py, f64>,
    weights: Option<Vec<f64>>,
    x_val: Option<RowsInput<'py>>,
    y_val: Option<PyReadonlyArray2<'py, f64>>,
    weights_val: Option<Vec<f64>>,
    loss: String,
    criterion: Option<String>,
    huber_delta: f64,
    tweedie_power: f64,
    classes: usize,
    penalty: String,
    groups: Option<Vec<u32>>,
    strengths: Option<Vec<f64>>,
    bounds: Option<(f64, f64)>,
    ridge: Option<Vec<f64>>,
    prior: Option<Vec<f64>>,
    fit_intercept: bool,
    standardize: bool,
}

impl Statement<'_> {
    /// The specification of the library.
    pub fn specification(&self) -> PyResult<Specification> {
        let loss =
            |role: &str, name: &str| match Loss::ALL.into_iter().find(|loss| loss.name() == name) {
                Some(Loss::Huber { .. }) => Ok(Loss::Huber {
                    delta: self.huber_delta,
                }),
                Some(Loss::Tweedie { .. }) => Ok(Loss::Tweedie {
                    power: self.tweedie_power,
                }),
                Some(loss) => Ok(loss),
                None => Err(PyValueError::new_err(format!(
                    "{role}: '{name}' is not known; give one of {}",
                    Loss::ALL.map(Loss::name).join(", ")
                ))),
            };
        let targets = of_rows(&self.y);
        let mut specification =
            Specification::new(loss("loss", &self.loss)?, self.x.matrix()?, targets);
        specification.train.weights.clone_from(&self.weights);
        specification.classes = self.classes;
        specification.penalty = self.penalty()?;
        let criterion = self.criterion.as_deref();
        specification.criterion = criterion.map(|name| loss("criterion", name)).transpose()?;
        specification.scaling = Scaling {
            intercept: self.fit_intercept,
            standardize: self.standardize,
        };
        specification.ridge = self.ridge.clone().map(RidgeStrengths::each);
        specification.prior.clone_from(&self.prior);
        specification.prior_units = PriorUnits::Data;
        if let (Some(x), Some(y)) = (&self.x_val, &self.y_val) {
            specification.validation = Some(Rows {
                matrix: x.matrix()?,
                targets: of_rows(y),
                weights: self.weights_val.clone(),
                offset: None,
            });
        }
        Ok(specification)
    }

    fn penalty(&self) -> PyResult<Penalty> {
        let penalty = self.penalty.as_str();
        let given = [
            (
                "strengths",
                self.strengths.is_some(),
                &["elastic-net", "group", "sparse-group"][..],
            ),
            (
                "groups",
                self.groups.is_some(),
                &["group", "sparse-group"][..],
            ),
            ("bounds", self.bounds.is_some(), &["box"][..]),
        ];
        for (name, is_given, of) in given {
            if is_given && !of.contains(&penalty) {
                return Err(PyValueError::new_err(format!(
                    "{name}: the penalty '{penalty}' has none; leave it out, or choose one of: {}",
                    of.join(", ")
                )));
            }
        }
        let strengths = self.strengths.clone();
        let groups = || match &self.groups {
            Some(labels) => Ok(Groups::from_labels(labels)),
            None => Err(PyValueError::new_err(
                "groups: the group penalties need them; give the number of its group for each coefficient",
            )),
        };
        Ok(match self.penalty.as_str() {
            "elastic-net" => match strengths {
                Some(strengths) => Penalty::Weighted { strengths },
                None => Penalty::ElasticNet,
            },
            "group" => Penalty::Group {
                groups: groups()?,
                strengths,
            },
            "sparse-group" => {
                let groups = groups()?;
                let strengths = strengths.unwrap_or_else(|| vec![1.0; 1 + groups.len()]);
                Penalty::SparseGroup { groups, strengths }
            }
            "nonneg" => Penalty::NonNegative,
            "box" => match self.bounds {
                Some((lower, upper)) => Penalty::Box { lower, upper },
                None => {
                    return Err(PyValueError::new_err(
                        "bounds: the box needs them; give (lower, upper)",
                    ));
                }
            },
            other => {
                return Err(PyValueError::new_err(format!(
                    "penalty: '{other}' is not known; give one of elastic-net, group, sparse-group, nonneg, box"
                )));
            }
        })
    }
}

/// The rows of an array.
pub fn of_rows(array: &PyReadonlyArray2<'_, f64>) -> Vec<Vec<f64>> {
    let rows = array.as_array();
    rows.outer_iter().map(|row| row.to_vec()).collect()
}

/// The strengths of points: one number a point, or one row a point.
#[derive(FromPyObject)]
pub enum StrengthsInput<'py> {
    Common(PyReadonlyArray1<'py, f64>),
    Each(PyReadonlyArray2<'py, f64>),
}

impl StrengthsInput<'_> {
    fn of_points(&self) -> Vec<proxdiff::hypergrad::Strengths> {
        match self {
            Self::Common(values) => values
                .as_array()
                .iter()
                .map(|&value| value.into())
                .collect(),
            Self::Each(rows) => of_rows(rows).into_iter().map(Into::into).collect(),
        }
    }
}

/// The points of a batch: a dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct PointsInput<'py> {
    l1: StrengthsInput<'py>,
    l2: StrengthsInput<'py>,
    targets: Vec<usize>,
    priors: Option<PyReadonlyArray2<'py, f64>>,
    weights: Option<PyReadonlyArray2<'py, f64>>,
}

impl PointsInput<'_> {
    /// The points of a problem whose columns have these scales; each has `classes` coefficients.
    pub fn points(&self, scale: &[f64], classes: usize) -> PyResult<Vec<Point>> {
        let (l1, l2) = (self.l1.of_points(), self.l2.of_points());
        let parts = |array: &Option<PyReadonlyArray2<'_, f64>>| array.as_ref().map(of_rows);
        let (priors, weights) = (parts(&self.priors), parts(&self.weights));
        let count = self.targets.len();
        let fits = |part: &Option<Vec<Vec<f64>>>| part.as_ref().is_none_or(|p| p.len() == count);
        if [l1.len(), l2.len()] != [count; 2] || !fits(&priors) || !fits(&weights) {
            return Err(PyValueError::new_err(
                "points: their parts differ in number; give one row of each for each point",
            ));
        }
        let strengths = l1.into_iter().zip(l2).zip(&self.targets);
        let points = strengths.enumerate().map(|(at, ((l1, l2), &target))| {
            let mut point = Point::new(l1, l2).of_target(target);
            if let Some(priors) = &priors {
                let entries = priors[at].iter().enumerate();
                let scaled: Vec<f64> = entries
                    .map(|(j, c)| c * scale.get(j / classes).copied().unwrap_or(1.0))
                    .collect();
                point = point.with_prior(scaled);
            }
            if let Some(weights) = &weights {
                point = point.with_weights(weights[at].clone());
            }
            point
        });
        Ok(points.collect())
    }
}

/// An array of rows of equal length.
pub fn rows_array<'py>(
    py: Python<'py>,
    rows: Vec<Vec<f64>>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let shape = [rows.len(), rows.first().map_or(0, Vec::len)];
    rows.concat().into_pyarray(py).reshape(shape)
}
