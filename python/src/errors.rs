//! Errors of the library, and panics, as exceptions.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proxdiff::Error;
use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// The exception of an error, with the library's sentence: `OSError` for files, `RuntimeError` for devices
/// and interruptions, `ValueError` for everything that the caller has said.
pub fn exception(error: &Error) -> PyErr {
    let sentence = error.to_string();
    match error {
        Error::Io { .. } | Error::Store { .. } => PyOSError::new_err(sentence),
        Error::Device { .. } | Error::Interrupted { .. } => PyRuntimeError::new_err(sentence),
        _ => PyValueError::new_err(sentence),
    }
}

/// A result of the library with its exception.
pub fn checked<T>(result: proxdiff::Result<T>) -> PyResult<T> {
    result.map_err(|error| exception(&error))
}

/// A word of a list with `ValueError` for others.
pub fn parsed<T: std::str::FromStr<Err = String>>(name: &str, word: &str) -> PyResult<T> {
    word.parse()
        .map_err(|error: String| PyValueError::new_err(format!("{name}: {error}")))
}

/// The value of a call, or `RuntimeError` where it panics: that is a defect, and ends no interpreter.
pub fn without_panic<T>(call: impl FnOnce() -> T) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| of_panic(&*panic))
}

fn of_panic(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    PyRuntimeError::new_err(format!(
        "a defect of proxdiff: {}; please report it with what led to it",
        text.unwrap_or("no message")
    ))
}
