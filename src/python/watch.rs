//! `_core.Monitor`: what watches a series, beside the model that forecasts it.

use std::sync::{Mutex, MutexGuard};

use numpy::{IntoPyArray, PyArray1, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::convert;
use super::door::{enter, exception};
use super::model::PyModel;
use crate::error::{Error, Result};
use crate::series::Matrix;
use crate::watch::monitor::{Findings, Monitor};
use crate::watch::threshold::Threshold;

/// Scores, thresholds, smoothed errors and forecasts, each flat.
type Arrays<'py> =
    (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

#[pyclass(name = "Monitor", module = "lstmforecast", frozen)]
pub(super) struct PyMonitor {
    inner: Mutex<Monitor>,
}

impl PyMonitor {
    fn lock(&self) -> Result<MutexGuard<'_, Monitor>> {
        let broken = |_| Error::Torch("this monitor was broken by an earlier failure: fit it anew".to_owned());
        self.inner.lock().map_err(broken)
    }
}

fn arrays(py: Python<'_>, found: Findings) -> Arrays<'_> {
    let Findings { forecasts, errors, scores, thresholds } = found;
    (scores.into_pyarray(py), thresholds.into_pyarray(py), errors.into_pyarray(py), forecasts.into_pyarray(py))
}

#[pymethods]
impl PyMonitor {
    #[new]
    fn new(state: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { inner: Mutex::new(convert::config(state)?) })
    }

    #[staticmethod]
    #[pyo3(signature = (model, rows, config, n_train, n_threads=None))]
    fn fit<'py>(
        py: Python<'py>,
        model: &PyModel,
        rows: PyReadonlyArrayDyn<'py, f64>,
        config: &Bound<'py, PyAny>,
        n_train: usize,
        n_threads: Option<usize>,
    ) -> PyResult<(Self, Arrays<'py>)> {
        let config = convert::config(config)?;
        let (values, n_columns) = convert::rows(&rows, 2, "rows")?;
        let (monitor, found) = model
            .with(py, |model| Monitor::fit(model, &config, Matrix::new(&values, n_columns)?, n_train, n_threads))?;
        Ok((Self { inner: Mutex::new(monitor) }, arrays(py, found)))
    }

    #[pyo3(signature = (model, rows, n_threads=None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        model: &PyModel,
        rows: PyReadonlyArrayDyn<'py, f64>,
        n_threads: Option<usize>,
    ) -> PyResult<Arrays<'py>> {
        let (values, n_columns) = convert::rows(&rows, 2, "rows")?;
        let found = model.with(py, |model| self.lock()?.run(model, Matrix::new(&values, n_columns)?, n_threads))?;
        Ok(arrays(py, found))
    }

    fn moved(&self, py: Python<'_>, model: &PyModel, window: PyReadonlyArrayDyn<'_, f64>) -> PyResult<Self> {
        let (values, _) = convert::rows(&window, 2, "window")?;
        let monitor = model.with(py, |model| self.lock()?.moved(model, &values))?;
        Ok(Self { inner: Mutex::new(monitor) })
    }

    fn with_scores_of(&self, other: &Self) -> PyResult<Self> {
        let other = other.lock().map_err(exception)?.clone();
        let monitor = self.lock().map_err(exception)?.clone().with_scores_of(&other).map_err(exception)?;
        Ok(Self { inner: Mutex::new(monitor) })
    }

    fn copy(&self) -> PyResult<Self> {
        Ok(Self { inner: Mutex::new(self.lock().map_err(exception)?.clone()) })
    }

    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, &*self.lock().map_err(exception)?)?)
    }

    fn check(&self, py: Python<'_>, model: &PyModel) -> PyResult<()> {
        model.with(py, |model| self.lock()?.check(model))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        (slf.get_type(), (slf.get().state(py)?,)).into_pyobject(py)
    }
}

/// What each of `scores` would be held against after `first`.
#[pyfunction]
pub(super) fn follow_scores<'py>(
    py: Python<'py>,
    config: &Bound<'py, PyAny>,
    first: PyReadonlyArrayDyn<'py, f64>,
    scores: PyReadonlyArrayDyn<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let config = convert::config(config)?;
    let (first, scores) = (convert::contiguous(&first), convert::contiguous(&scores));
    let levels = enter(py, || {
        let mut threshold = Threshold::fit(&config, &first)?;
        let each = scores.iter().map(|&score| {
            let level = threshold.level();
            threshold.push(score);
            level
        });
        Ok(each.collect::<Vec<_>>())
    })?;
    Ok(levels.into_pyarray(py))
}
