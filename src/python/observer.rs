//! Watches a training for Python: signals between batches, the user's function between epochs.

use std::ops::ControlFlow;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::process::{call, with_gil};
use super::signals::Signals;
use crate::train::{Epoch, Observer};

/// Keeps the exception that ended the training, to be raised once the state is safe.
pub(super) struct PyObserver {
    on_epoch: Option<PyObject>,
    signals: Signals,
    unfrozen: Vec<String>,
    pub(super) error: Option<PyErr>,
}

impl PyObserver {
    pub(super) fn new(on_epoch: Option<PyObject>) -> Self {
        Self { on_epoch, signals: Signals::new(), unfrozen: Vec::new(), error: None }
    }

    fn stop_at(&mut self, result: PyResult<bool>) -> ControlFlow<()> {
        match result {
            Ok(false) => ControlFlow::Continue(()),
            Ok(true) => ControlFlow::Break(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl Observer for PyObserver {
    fn on_batch(&mut self) -> ControlFlow<()> {
        if self.signals.go_on() {
            return ControlFlow::Continue(());
        }
        self.error = self.signals.error.take();
        ControlFlow::Break(())
    }

    fn on_epoch(&mut self, epoch: &Epoch) -> ControlFlow<()> {
        let result = with_gil(|py| {
            py.check_signals()?;
            let Some(on_epoch) = &self.on_epoch else {
                return Ok(false);
            };
            let answer = call(on_epoch.bind(py), record(py, epoch)?.as_any())?;
            if let Ok(names) = answer.downcast::<PyList>() {
                self.unfrozen = names.extract()?;
                return Ok(false);
            }
            answer.is_truthy()
        });
        result.map_or(ControlFlow::Break(()), |result| self.stop_at(result))
    }

    fn unfrozen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unfrozen)
    }
}

fn record<'py>(py: Python<'py>, epoch: &Epoch) -> PyResult<Bound<'py, PyDict>> {
    let record = PyDict::new(py);
    record.set_item("epoch", epoch.epoch)?;
    record.set_item("train_loss", epoch.train_loss)?;
    record.set_item("val_loss", epoch.val_loss.unwrap_or(f64::NAN))?;
    record.set_item("learning_rate", epoch.learning_rate)?;
    record.set_item("grad_norm", epoch.grad_norm)?;
    record.set_item("seconds", epoch.seconds)?;
    Ok(record)
}
