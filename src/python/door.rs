//! The door between the languages: here alone the GIL is released, a panic is caught and an error becomes an exception.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::exceptions::{PyFloatingPointError, PyImportError, PyMemoryError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::process::{go_on, stay_if_ending, Computing};
use crate::error::{is_of_memory, Error, Result, NO_MEMORY};

pyo3::create_exception!(
    lstmforecast,
    FormatError,
    PyValueError,
    "A file that is not a model of this package, is damaged, or comes from a newer version."
);

/// Does work without the GIL.
pub(super) fn enter<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    // AssertUnwindSafe: a model that panicked midway is behind a poisoned mutex, which the next call reports.
    let computing = Computing::begin();
    let caught = py.allow_threads(|| {
        go_on();
        let caught = catch_unwind(AssertUnwindSafe(work));
        stay_if_ending();
        caught
    });
    drop(computing);
    match caught {
        Ok(result) => result.map_err(exception),
        Err(panic) => Err(match text_of(&*panic) {
            text if is_of_memory(&text) => PyMemoryError::new_err(NO_MEMORY),
            text => PyRuntimeError::new_err(format!("a bug in lstmforecast: {text}")),
        }),
    }
}

/// The Python exception for each kind of mistake.
pub(super) fn exception(error: Error) -> PyErr {
    match error {
        Error::Shape { .. } | Error::Value(_) | Error::TooShort { .. } => PyValueError::new_err(error.to_string()),
        Error::NeedsTorch(_) => PyImportError::new_err(error.to_string()),
        Error::Memory(text) => PyMemoryError::new_err(text),
        Error::Diverged(text) => PyFloatingPointError::new_err(text),
        Error::Format(text) => FormatError::new_err(text),
        // a number makes Python choose FileNotFoundError, PermissionError, ...; Windows reads its own from the fourth argument
        Error::Io { path, source } => match source.raw_os_error() {
            Some(number) => PyOSError::new_err((number, reason(&source), path, number)),
            None => std::io::Error::new(source.kind(), format!("{path}: {}", reason(&source))).into(),
        },
        Error::Broken(_) | Error::Device(_) | Error::Process(_) | Error::Torch(_) => {
            PyRuntimeError::new_err(error.to_string())
        }
    }
}

fn reason(source: &std::io::Error) -> String {
    let text = source.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}
