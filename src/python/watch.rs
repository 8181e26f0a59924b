//! `_core.Monitor`: what watches a series, beside the model that forecasts it.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::convert;
use super::door::{enter, exception};
use super::model::PyModel;
use super::shared::Shared;
use crate::series::Matrix;
use crate::watch::monitor::{Findings, Monitor};
use crate::watch::threshold::Threshold;

/// Scores, thresholds, smoothed errors and forecasts, each flat.
type Arrays<'py> =
    (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

#[pyclass(name = "Monitor", module = "lstmforecast", frozen)]
pub(super) struct PyMonitor {
    inner: Shared<Monitor>,
}

fn arrays(py: Python<'_>, found: Findings) -> Arrays<'_> {
    let Findings { forecasts, errors, scores, thresholds } = found;
    (scores.into_pyarray(py), thresholds.into_pyarray(py), errors.into_pyarray(py), forecasts.into_pyarray(py))
}

#[pymethods]
impl PyMonitor {
    #[new]
    fn new(state: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { inner: Shared::new(convert::config(state)?) })
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
        Ok((Self { inner: Shared::new(monitor) }, arrays(py, found)))
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
        let found =
            model.with(py, |model| self.inner.lock()?.run(model, Matrix::new(&values, n_columns)?, n_threads))?;
        Ok(arrays(py, found))
    }

    fn moved(&self, py: Python<'_>, model: &PyModel, window: PyReadonlyArrayDyn<'_, f64>) -> PyResult<Self> {
        let (values, _) = convert::rows(&window, 2, "window")?;
        let monitor = model.with(py, |model| self.inner.lock()?.moved(model, &values))?;
        Ok(Self { inner: Shared::new(monitor) })
    }

    fn with_scores_of(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        let other = other.inner.look(py)?.clone();
        let monitor = self.inner.look(py)?.clone().with_scores_of(&other).map_err(exception)?;
        Ok(Self { inner: Shared::new(monitor) })
    }

    fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self { inner: Shared::new(self.inner.look(py)?.clone()) })
    }

    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, &*self.inner.look(py)?)?)
    }

    fn check(&self, py: Python<'_>, model: &PyModel) -> PyResult<()> {
        model.with(py, |model| self.inner.lock()?.check(model))
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
