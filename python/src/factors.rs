//! Sums of squares of parts of a data set, in files.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArray1};
use proxdiff::data::Matrix;
use proxdiff::sweep::factors::{Factors, Joined};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Statement, rows_array};
use crate::errors::checked;

/// Writes the sums of squares of the rows of a statement, each in the fold of its number: how many rows stand for
/// them.
#[pyfunction]
pub fn compress(
    py: Python<'_>,
    statement: Statement<'_>,
    fold_of: PyReadonlyArray1<'_, i64>,
    features: Vec<String>,
    targets: Vec<String>,
    out: PathBuf,
) -> PyResult<usize> {
    let rows = statement.specification()?.train;
    let fold_of: Vec<i64> = fold_of.as_array().iter().copied().collect();
    let made = py.detach(|| {
        let factors = Factors::of(features, targets, &rows, &fold_of)?;
        factors.write(&out)?;
        Ok(factors
            .folds
            .iter()
            .map(|fold| fold.few.matrix.rows())
            .sum())
    });
    checked(made)
}

/// The rows that stand for those of the files' parts: features, targets, weights, folds, names.
#[pyfunction]
pub fn read_factors<'py>(py: Python<'py>, files: Vec<PathBuf>) -> PyResult<Bound<'py, PyDict>> {
    let joined = checked(py.detach(|| Joined::read(&files)))?;
    let out = PyDict::new(py);
    let shape = [joined.few.matrix.rows(), joined.few.matrix.columns()];
    if let Matrix::Dense(matrix) = joined.few.matrix {
        out.set_item("X", matrix.values.into_pyarray(py).reshape(shape)?)?;
    }
    out.set_item("y", rows_array(py, joined.few.targets)?)?;
    let weights = joined.few.weights.unwrap_or_default();
    out.set_item("sample_weight", weights.into_pyarray(py))?;
    out.set_item("folds", joined.folds.into_pyarray(py))?;
    out.set_item("features", joined.features)?;
    out.set_item("targets", joined.targets)?;
    out.set_item("rows", joined.rows)?;
    Ok(out)
}
