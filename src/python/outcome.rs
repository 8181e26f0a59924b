//! What a training leaves besides the weights, as a dictionary.

use numpy::IntoPyArray;
use pyo3::exceptions::{PyFloatingPointError, PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::train::{Epoch, Outcome, StopReason};

/// `error` is what a signal or the user's function raised; a diverged loss is an exception as well.
pub(super) fn report(py: Python<'_>, outcome: Outcome, error: Option<PyErr>) -> PyResult<Bound<'_, PyDict>> {
    let result = PyDict::new(py);
    result.set_item("history", history(py, &outcome.history)?)?;
    result.set_item("best_epoch", outcome.best_epoch)?;
    result.set_item("n_epochs", outcome.history.len())?;
    let interrupted = error.as_ref().is_some_and(|error| error.is_instance_of::<PyKeyboardInterrupt>(py));
    let (reason, error) = match outcome.stop_reason {
        StopReason::MaxEpochs => ("max_epochs", error),
        StopReason::Patience => ("patience", error),
        // Ctrl-C arrives in the user's function as well as between batches
        StopReason::Callback if interrupted => ("interrupted", error),
        StopReason::Callback => ("callback", error),
        StopReason::Interrupted => ("interrupted", error),
        StopReason::Diverged(text) => ("diverged", Some(PyFloatingPointError::new_err(text))),
        StopReason::ProcessLost(text) => ("process_lost", Some(PyRuntimeError::new_err(text))),
    };
    result.set_item("stop_reason", reason)?;
    result.set_item("error", error)?;
    Ok(result)
}

fn history<'py>(py: Python<'py>, epochs: &[Epoch]) -> PyResult<Bound<'py, PyDict>> {
    let history = PyDict::new(py);
    let column = |of: fn(&Epoch) -> f64| epochs.iter().map(of).collect::<Vec<f64>>().into_pyarray(py);
    history.set_item(
        "epoch",
        epochs.iter().map(|epoch| i64::try_from(epoch.epoch).unwrap_or(i64::MAX)).collect::<Vec<_>>().into_pyarray(py),
    )?;
    history.set_item("train_loss", column(|epoch| epoch.train_loss))?;
    history.set_item("val_loss", column(|epoch| epoch.val_loss.unwrap_or(f64::NAN)))?;
    history.set_item("learning_rate", column(|epoch| epoch.learning_rate))?;
    history.set_item("grad_norm", column(|epoch| epoch.grad_norm))?;
    history.set_item("seconds", column(|epoch| epoch.seconds))?;
    Ok(history)
}
