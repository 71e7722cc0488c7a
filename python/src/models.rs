//! Saved models.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::errors::checked;

/// The text of a model's `model.json`, and per target its coefficients, (features, predictors) in C order.
#[pyfunction]
pub fn read_model(
    py: Python<'_>,
    folder: PathBuf,
) -> PyResult<(String, Vec<Bound<'_, PyArray1<f64>>>)> {
    let model = checked(py.detach(|| proxdiff::cli::read_model(&folder)))?;
    let coefficients = model.coefficients.into_iter();
    let arrays = coefficients.map(|own| own.into_pyarray(py)).collect();
    Ok((model.head, arrays))
}
