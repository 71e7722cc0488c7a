//! The compiled part of the Python package: problems, batches of points, folds and tuning over NumPy arrays.
//!
//! It is thin: arrays in, arrays out, in f64 on the CPU. Shapes, names and scikit-learn's conventions are in
//! the package's Python files.

mod convert;
mod errors;
mod factors;
mod models;
mod problem;
mod runtime;
mod study;
mod sweep;

use std::ffi::OsString;
use std::io::Write;

use pyo3::prelude::*;

/// The package's compiled part.
#[pymodule]
mod _proxdiff {
    #[pymodule_export]
    use super::factors::{compress, read_factors};
    #[pymodule_export]
    use super::models::read_model;
    #[pymodule_export]
    use super::problem::{Outcomes, Problem};
    #[pymodule_export]
    use super::run_command;
    #[pymodule_export]
    use super::study::{CrossValidation, tune};
    #[pymodule_export]
    use super::sweep::{Sweep, merge_stores, read_sweep, report};
}

/// The command line: its exit status.
#[pyfunction]
fn run_command(py: Python<'_>, words: Vec<OsString>) -> PyResult<u8> {
    py.detach(|| {
        let status = errors::without_panic(|| proxdiff::cli::run(words))?;
        // A library's standard output is not flushed when the process ends. A closed one leaves nobody to tell.
        let _ = std::io::stdout().flush();
        Ok(status)
    })
}
