//! `_core.Model`: a mutex around the model, taken after the GIL is released.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use serde::Deserialize;

use super::convert;
use super::door::enter;
use super::observer::PyObserver;
use super::outcome::report;
use super::reducer::PyReducer;
use super::shared::Shared;
use super::weights;
use crate::error::Result;
use crate::model::{DataConfig, Model, ModelConfig, TableRows};
use crate::series::{Matrix, Panel};
use crate::train::loss::Loss;
use crate::train::processes::Processes;
use crate::train::{Outcome, TrainConfig};

// The module is the package, so that a pickle that holds nothing else loads libtorch on its way to this class.
#[pyclass(name = "Model", module = "lstmforecast", frozen)]
pub(super) struct PyModel {
    inner: Shared<Model>,
}

/// What crosses as one flat dictionary is two configurations in the core.
#[derive(Deserialize)]
struct Options {
    #[serde(flatten)]
    data: DataConfig,
    #[serde(flatten)]
    training: TrainConfig,
}

impl PyModel {
    pub(super) fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Model) -> Result<T> + Send,
    ) -> PyResult<T> {
        enter(py, || work(&mut *self.inner.lock()?))
    }

    fn train<'py>(
        &self,
        py: Python<'py>,
        options: &Bound<'py, PyAny>,
        on_epoch: Option<PyObject>,
        processes: Option<Bound<'py, PyAny>>,
        fit: impl FnOnce(&mut Model, &Options, &mut PyObserver) -> Result<Outcome> + Send,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut options: Options = convert::config(options)?;
        let reducer = processes.as_ref().map(PyReducer::new).transpose()?;
        let mut observer = PyObserver::new(on_epoch);
        let outcome = self.with(py, |model| {
            options.training.processes = reducer.map(|reducer| Processes::new(Arc::new(reducer)));
            fit(model, &options, &mut observer)
        })?;
        report(py, outcome, observer.error)
    }
}

#[pymethods]
impl PyModel {
    #[new]
    fn new(py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let config = read_config(py, config)?;
        let model = enter(py, || Model::new(config))?;
        Ok(Self { inner: Shared::new(model) })
    }

    /// Of what `config`, `parameters` and `scalers` gave.
    #[staticmethod]
    #[pyo3(signature = (config, parameters, scalers, int8=false))]
    fn restore(
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        parameters: &Bound<'_, PyDict>,
        scalers: HashMap<String, PyReadonlyArray1<'_, f64>>,
        int8: bool,
    ) -> PyResult<Self> {
        let config = read_config(py, config)?;
        let (weights, effect, scalers) =
            (convert::weights(parameters)?, convert::effect(&scalers)?, convert::scalers(&scalers)?);
        let model = enter(py, || {
            let mut model = Model::restore(config, weights, int8, scalers)?;
            effect.map_or(Ok(()), |effect| model.load_effect(effect))?;
            Ok(model)
        })?;
        Ok(Self { inner: Shared::new(model) })
    }

    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, self.inner.look(py)?.config())?)
    }

    /// What a training is refused with, in a build without libtorch.
    #[getter]
    fn refusal(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.inner.look(py)?.config().check_trainable().err().map(|error| error.to_string()))
    }

    /// `(window_size, n_features)`.
    #[getter]
    fn window_shape(&self, py: Python<'_>) -> PyResult<(usize, usize)> {
        let model = self.inner.look(py)?;
        Ok((model.config().window_size, model.config().n_features))
    }

    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        weights::arrays(py, self.inner.look(py)?.parameters())
    }

    #[pyo3(signature = (parameters, int8=false))]
    fn load_parameters(&self, py: Python<'_>, parameters: &Bound<'_, PyDict>, int8: bool) -> PyResult<()> {
        let parameters = convert::weights(parameters)?;
        self.with(py, move |model| model.load_parameters(&parameters, int8))
    }

    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copies = weights::copies(self.inner.look(py)?.parameters());
        weights::state_dict(py, copies)
    }

    fn load_state_dict(&self, py: Python<'_>, state_dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let values = weights::of_state_dict(state_dict)?;
        self.with(py, move |model| model.load_parameters(&values, false))
    }

    fn scalers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let model = self.inner.look(py)?;
        let scalers = PyDict::new(py);
        for (name, scaler) in [("input", model.scalers().0), ("output", model.scalers().1)] {
            scalers.set_item(format!("{name}_center"), scaler.center.clone().into_pyarray(py))?;
            scalers.set_item(format!("{name}_scale"), scaler.scale.clone().into_pyarray(py))?;
        }
        for (name, numbers) in model.effect().iter().flat_map(|effect| effect.arrays()) {
            scalers.set_item(name, numbers.to_vec().into_pyarray(py))?;
        }
        Ok(scalers)
    }

    fn load_scalers(&self, py: Python<'_>, scalers: HashMap<String, PyReadonlyArray1<'_, f64>>) -> PyResult<()> {
        let ((input, output), effect) = (convert::scalers(&scalers)?, convert::effect(&scalers)?);
        self.with(py, |model| {
            model.load_scalers(input, output)?;
            effect.map_or(Ok(()), |effect| model.load_effect(effect))
        })
    }

    #[allow(clippy::too_many_arguments)] // keywords in Python
    #[pyo3(signature = (series, training, on_epoch=None, starts=None, scales=None, processes=None, weights=None))]
    fn fit_series<'py>(
        &self,
        py: Python<'py>,
        series: PyReadonlyArrayDyn<'py, f64>,
        training: &Bound<'py, PyAny>,
        on_epoch: Option<PyObject>,
        starts: Option<PyReadonlyArray1<'py, i64>>,
        scales: Option<PyReadonlyArrayDyn<'py, f64>>,
        processes: Option<Bound<'py, PyAny>>,
        weights: Option<PyReadonlyArray1<'py, f64>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let table = SeriesTable::new(&series, starts.as_ref(), scales.as_ref())?;
        let weights = weights.map(|weights| weights.as_array().to_vec());
        self.train(py, training, on_epoch, processes, |model, options, observer| {
            let panel = table.panel(model.config().n_targets)?;
            let panel = if let Some(weights) = &weights { panel.weighted(weights)? } else { panel };
            model.fit_series(&panel, &options.data, &options.training, observer)
        })
    }

    #[allow(non_snake_case, clippy::too_many_arguments)] // keywords in Python
    #[pyo3(signature = (X, y, sample_weight, training, on_epoch=None, processes=None))]
    fn fit_windows<'py>(
        &self,
        py: Python<'py>,
        X: PyReadonlyArrayDyn<'py, f64>,
        y: PyReadonlyArrayDyn<'py, f64>,
        sample_weight: Option<PyReadonlyArray1<'py, f64>>,
        training: &Bound<'py, PyAny>,
        on_epoch: Option<PyObject>,
        processes: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let table = Table::new(&X, &y, sample_weight.as_ref())?;
        self.train(py, training, on_epoch, processes, |model, options, observer| {
            model.fit_windows(table.rows()?, &options.data, &options.training, observer)
        })
    }

    #[allow(non_snake_case)]
    #[pyo3(signature = (X, y, loss))]
    fn gradients<'py>(
        &self,
        py: Python<'py>,
        X: PyReadonlyArrayDyn<'py, f64>,
        y: PyReadonlyArrayDyn<'py, f64>,
        loss: &Bound<'py, PyAny>,
    ) -> PyResult<(f64, Bound<'py, PyDict>)> {
        let table = Table::new(&X, &y, None)?;
        let loss: Loss = convert::config(loss)?;
        let (loss, gradients) = self.with(py, |model| model.gradients(table.rows()?, &loss))?;
        let arrays = PyDict::new(py);
        for (name, gradient) in &gradients {
            arrays.set_item(name, convert::weight(py, gradient)?)?;
        }
        Ok((loss, arrays))
    }

    #[pyo3(signature = (windows, n_threads=None, scales=None))]
    fn forecast<'py>(
        &self,
        py: Python<'py>,
        windows: PyReadonlyArrayDyn<'py, f64>,
        n_threads: Option<usize>,
        scales: Option<PyReadonlyArrayDyn<'py, f64>>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let windows = Windows::new(&windows, scales.as_ref())?;
        let (forecasts, shape) = self.with(py, |model| {
            let (rows, scales) = windows.rows()?;
            Ok((model.forecast(rows, scales, n_threads)?, shape(model, rows.n_rows())))
        })?;
        convert::array(py, forecasts, shape)
    }

    #[pyo3(signature = (windows, n_threads=None, scales=None))]
    fn attention_weights<'py>(
        &self,
        py: Python<'py>,
        windows: PyReadonlyArrayDyn<'py, f64>,
        n_threads: Option<usize>,
        scales: Option<PyReadonlyArrayDyn<'py, f64>>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let windows = Windows::new(&windows, scales.as_ref())?;
        let (weights, shape) = self.with(py, |model| {
            let (rows, scales) = windows.rows()?;
            model.attention_weights(rows, scales, n_threads)
        })?;
        weights.into_pyarray(py).reshape(shape)
    }

    #[allow(clippy::too_many_arguments)] // keywords in Python
    #[pyo3(signature = (series, origins, n_threads=None, starts=None, scales=None, which=None))]
    fn forecast_series<'py>(
        &self,
        py: Python<'py>,
        series: PyReadonlyArrayDyn<'py, f64>,
        origins: PyReadonlyArray1<'py, i64>,
        n_threads: Option<usize>,
        starts: Option<PyReadonlyArray1<'py, i64>>,
        scales: Option<PyReadonlyArrayDyn<'py, f64>>,
        which: Option<PyReadonlyArray1<'py, i64>>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let table = SeriesTable::new(&series, starts.as_ref(), scales.as_ref())?;
        let origins = rows(&origins);
        let which = which.map_or_else(|| vec![0; origins.len()], |which| rows(&which));
        let places: Vec<(usize, usize)> = which.into_iter().zip(origins).collect();
        let (forecasts, shape) = self.with(py, |model| {
            let panel = table.panel(model.config().n_targets)?;
            Ok((model.forecast_series(&panel, &places, n_threads)?, shape(model, places.len())))
        })?;
        convert::array(py, forecasts, shape)
    }

    /// Pickles as its configuration and, as state, its weights and scalers.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let model = slf.get();
        let state = (model.parameters(py)?, model.scalers(py)?, model.inner.look(py)?.int8());
        (slf.get_type(), (model.config(py)?,), state).into_pyobject(py)
    }

    fn __setstate__(
        &self,
        py: Python<'_>,
        state: (Bound<'_, PyDict>, HashMap<String, PyReadonlyArray1<'_, f64>>, bool),
    ) -> PyResult<()> {
        self.load_parameters(py, &state.0, state.2)?;
        self.load_scalers(py, state.1)
    }
}

fn read_config(py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<ModelConfig> {
    let config: ModelConfig = convert::config(config)?;
    if cfg!(feature = "torch") && config.devices().any(|device| device.starts_with("cuda")) {
        // Python's torch brings the part of libtorch that finds GPUs
        py.import("torch")?;
    }
    Ok(config)
}

/// Row numbers; what is below 0 is no row, and is refused as 0 is.
fn rows(numbers: &PyReadonlyArray1<'_, i64>) -> Vec<usize> {
    numbers.as_array().iter().map(|&row| usize::try_from(row).unwrap_or(0)).collect()
}

/// Numbers, so many in each row.
type Numbers<'a> = (Cow<'a, [f64]>, usize);

fn matrix<'n>((values, n_columns): &'n Numbers) -> Result<Matrix<'n, f64>> {
    Matrix::new(values, *n_columns)
}

/// Windows, and the sizes of what each of them shows.
struct Windows<'a> {
    rows: Numbers<'a>,
    scales: Option<Numbers<'a>>,
}

impl<'a> Windows<'a> {
    fn new(windows: &'a PyReadonlyArrayDyn<f64>, scales: Option<&'a PyReadonlyArrayDyn<f64>>) -> PyResult<Self> {
        Ok(Self { rows: convert::rows(windows, 3, "windows")?, scales: read_scales(scales)? })
    }

    fn rows(&self) -> Result<(Matrix<'_, f64>, Option<Matrix<'_, f64>>)> {
        Ok((matrix(&self.rows)?, self.scales.as_ref().map(matrix).transpose()?))
    }
}

fn read_scales<'a>(scales: Option<&'a PyReadonlyArrayDyn<f64>>) -> PyResult<Option<Numbers<'a>>> {
    scales.map(|scales| convert::rows(scales, 2, "scales")).transpose()
}

/// Series below each other, and what belongs to each.
struct SeriesTable<'a> {
    rows: Numbers<'a>,
    starts: Option<Vec<usize>>,
    scales: Option<Numbers<'a>>,
}

impl<'a> SeriesTable<'a> {
    fn new(
        series: &'a PyReadonlyArrayDyn<f64>,
        starts: Option<&PyReadonlyArray1<i64>>,
        scales: Option<&'a PyReadonlyArrayDyn<f64>>,
    ) -> PyResult<Self> {
        Ok(Self { rows: convert::rows(series, 2, "series")?, starts: starts.map(rows), scales: read_scales(scales)? })
    }

    fn panel(&self, n_targets: usize) -> Result<Panel<'_>> {
        let series = matrix(&self.rows)?;
        let Some(starts) = &self.starts else { return Ok(Panel::one(series)) };
        let scales = self.scales.as_ref().map(matrix).transpose()?;
        Panel::new(series, starts.clone(), scales, n_targets)
    }
}

/// A supervised table.
struct Table<'a> {
    inputs: Numbers<'a>,
    targets: Numbers<'a>,
    weights: Vec<f64>,
}

impl<'a> Table<'a> {
    fn new(
        inputs: &'a PyReadonlyArrayDyn<f64>,
        targets: &'a PyReadonlyArrayDyn<f64>,
        weights: Option<&PyReadonlyArray1<f64>>,
    ) -> PyResult<Self> {
        let n_rows = inputs.shape().first().copied().unwrap_or(0);
        Ok(Self {
            inputs: convert::rows(inputs, 3, "X")?,
            targets: convert::rows(targets, 2, "y")?,
            weights: weights.map_or_else(|| vec![1.0; n_rows], |weights| weights.as_array().to_vec()),
        })
    }

    fn rows(&self) -> Result<TableRows<'_>> {
        Ok(TableRows { inputs: matrix(&self.inputs)?, targets: matrix(&self.targets)?, weights: &self.weights })
    }
}

/// Of a number of forecasts: those of a distribution have its parameters as last dimension.
fn shape(model: &Model, n: usize) -> Vec<usize> {
    let config = model.config();
    let parameters = config.distribution.as_ref().map(|_| config.n_parameters());
    [n, config.horizon, config.n_targets].into_iter().chain(parameters).collect()
}
