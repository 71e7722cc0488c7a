//! Errors of the library, and panics, as exceptions.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proxdiff::Error;
use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// What the library's sentences say of the command line in the words of Python's parameters; the first that fits.
const PHRASES: [(&str, &str); 18] = [
    (
        "hold out other rows with --seed or --val-fraction",
        "hold out other rows",
    ),
    (", or deal the rows in another way, by --seed for one", ""),
    (" (--x-val, --y-val)", ""),
    (
        "use --stratified, fewer folds",
        "stratify the folds, use fewer",
    ),
    ("a constant step (--eta), or ", ""),
    (", or more --stochastic-steps", ""),
    (" (nsid, sid: --stochastic-steps)", ""),
    (" (Guard::None)", ""),
    (" (--no-intercept)", " (fit_intercept=False)"),
    ("--no-intercept", "fit_intercept=False"),
    ("--guard none", "guard=None"),
    ("--method none", "method=None"),
    ("--max-steps", "max_iter"),
    ("--threads", "n_threads"),
    ("--huber-delta", "delta"),
    ("--tweedie-power", "power"),
    ("--criterion and --criterion-sign", "criterion"),
    ("--folds", "cv"),
];
/// Flags whose values are words.
const OF_WORDS: [&str; 5] = ["solver", "method", "loss", "penalty", "precision"];

/// A sentence of the library with Python's parameters in place of the command line's flags.
pub fn in_parameters(sentence: &str) -> String {
    if !sentence.contains("--") {
        return sentence.to_string();
    }
    let mut text = sentence.to_string();
    for (flags, parameters) in PHRASES {
        text = text.replace(flags, parameters);
    }
    let mut parts = text.split("--");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let is_of_name = |c: char| c.is_ascii_lowercase() || c == '-';
        let end = part.find(|c| !is_of_name(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let value = rest.strip_prefix(' ').unwrap_or_default();
        let ends = |c: char| !is_of_name(c) && !c.is_ascii_digit();
        let (value, after) = value.split_at(value.find(ends).unwrap_or(value.len()));
        out += &name.replace('-', "_");
        match value {
            value if OF_WORDS.contains(&name) && !value.is_empty() => {
                out += &format!("=\"{value}\"{after}");
            }
            _ => out += rest,
        }
    }
    out
}

/// The exception of an error, with the library's sentence: `OSError` for files, `RuntimeError` for devices
/// and interruptions, `ValueError` for everything that the caller has said.
pub fn exception(error: &Error) -> PyErr {
    let sentence = in_parameters(&error.to_string());
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
