//! `_core.CharModel` and `_core.CharGenerator`: a mutex around each, taken after the GIL is released.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use serde::Deserialize;

use super::door::{enter, exception};
use super::observer::PyObserver;
use super::outcome::report;
use super::shared::Shared;
use super::signals::Signals;
use super::{convert, weights};
use crate::error::{Error, Result};
use crate::text::generation::Generator;
use crate::text::sampling::SamplingConfig;
use crate::text::vocabulary::{self, Unknown, Vocabulary};
use crate::text::{CharConfig, CharModel, CutConfig};
use crate::train::TrainConfig;

/// The different characters of texts, and how often each comes.
#[pyfunction]
pub(super) fn count_characters(py: Python<'_>, texts: Vec<String>) -> PyResult<(String, Vec<u64>)> {
    enter(py, || Ok(vocabulary::count_characters(texts.iter().map(String::as_str))))
}

#[pyclass(name = "CharModel", module = "lstmforecast", frozen)]
pub(super) struct PyCharModel {
    inner: Shared<CharModel>,
}

/// What crosses as one flat dictionary is two configurations in the core.
#[derive(Deserialize)]
struct Options {
    #[serde(flatten)]
    cut: CutConfig,
    #[serde(flatten)]
    training: TrainConfig,
}

/// What is asked of a generator.
#[derive(Deserialize)]
struct Request {
    #[serde(flatten)]
    sampling: SamplingConfig,
    unknown: Unknown,
    n_threads: Option<usize>,
}

impl PyCharModel {
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut CharModel) -> Result<T> + Send) -> PyResult<T> {
        enter(py, || work(&mut *self.inner.lock()?))
    }
}

#[pymethods]
impl PyCharModel {
    #[new]
    fn new(py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let config: CharConfig = convert::config(config)?;
        Ok(Self { inner: Shared::new(enter(py, || CharModel::new(config))?) })
    }

    /// Of what `config` and `parameters` gave.
    #[staticmethod]
    fn restore(py: Python<'_>, config: &Bound<'_, PyAny>, parameters: &Bound<'_, PyDict>) -> PyResult<Self> {
        let (config, weights) = (convert::config(config)?, convert::weights(parameters)?);
        Ok(Self { inner: Shared::new(enter(py, || CharModel::restore(config, weights))?) })
    }

    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, self.inner.look(py)?.config())?)
    }

    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        weights::arrays(py, self.inner.look(py)?.parameters())
    }

    fn load_parameters(&self, py: Python<'_>, parameters: &Bound<'_, PyDict>) -> PyResult<()> {
        let parameters = convert::weights(parameters)?;
        self.with(py, move |model| model.load_parameters(&parameters))
    }

    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copies = weights::copies(self.inner.look(py)?.parameters());
        weights::state_dict(py, copies)
    }

    fn load_state_dict(&self, py: Python<'_>, state_dict: &Bound<'_, PyDict>) -> PyResult<()> {
        let values = weights::of_state_dict(state_dict)?;
        self.with(py, move |model| model.load_parameters(&values))
    }

    #[pyo3(signature = (texts, training, on_epoch=None))]
    fn fit<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        training: &Bound<'py, PyAny>,
        on_epoch: Option<PyObject>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let options: Options = convert::config(training)?;
        let mut observer = PyObserver::new(on_epoch);
        let outcome =
            self.with(py, |model| model.fit(&slices(&texts), options.cut, &options.training, &mut observer))?;
        report(py, outcome, observer.error)
    }

    #[pyo3(signature = (texts, sequence_length, batch_size, step=0))]
    fn gradients<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        sequence_length: usize,
        batch_size: usize,
        step: usize,
    ) -> PyResult<(f64, Bound<'py, PyDict>)> {
        let (loss, gradients) =
            self.with(py, |model| model.gradients(&slices(&texts), (sequence_length, batch_size), step))?;
        let arrays = PyDict::new(py);
        for (name, gradient) in &gradients {
            arrays.set_item(name, convert::weight(py, gradient)?)?;
        }
        Ok((loss, arrays))
    }

    #[pyo3(signature = (texts, unknown="error", n_threads=None))]
    fn score(&self, py: Python<'_>, texts: Vec<String>, unknown: &str, n_threads: Option<usize>) -> PyResult<f64> {
        let (unknown, mut signals) = (read_unknown(unknown)?, Signals::new());
        let score = self.with(py, |model| model.score(&slices(&texts), unknown, n_threads, || signals.go_on()))?;
        signals.error.map_or(Ok(score.unwrap_or(f64::NAN)), Err)
    }

    fn generator(&self, py: Python<'_>, prompt: &str, sampling: &Bound<'_, PyAny>) -> PyResult<PyCharGenerator> {
        let request: Request = convert::config(sampling)?;
        let mut signals = Signals::new();
        let generator = self.with(py, |model| {
            let symbols = model.vocabulary().encode(prompt, request.unknown)?;
            let mut generator = model.generator(request.sampling, request.n_threads)?;
            generator.read(&symbols, || signals.go_on());
            Ok(PyCharGenerator { inner: Shared::new(generator), vocabulary: model.vocabulary().clone() })
        })?;
        signals.error.map_or(Ok(generator), Err)
    }

    /// Pickles as its configuration and, as state, its weights.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let (py, model) = (slf.py(), slf.get());
        (slf.get_type(), (model.config(py)?,), model.parameters(py)?).into_pyobject(py)
    }

    fn __setstate__(&self, py: Python<'_>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        self.load_parameters(py, state)
    }
}

fn slices(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn read_unknown(word: &str) -> PyResult<Unknown> {
    match word {
        "error" => Ok(Unknown::Error),
        "skip" => Ok(Unknown::Skip),
        _ => Err(exception(Error::Value(format!("expected unknown to be 'error' or 'skip', got '{word}'")))),
    }
}

#[pyclass(name = "CharGenerator", module = "lstmforecast", frozen)]
pub(super) struct PyCharGenerator {
    inner: Shared<Generator>,
    vocabulary: Vocabulary,
}

#[pymethods]
impl PyCharGenerator {
    fn take(&self, py: Python<'_>, n: usize) -> PyResult<String> {
        let mut signals = Signals::new();
        let symbols = enter(py, || Ok(self.inner.lock()?.draw(n, || signals.go_on())))?;
        let text = symbols.into_iter().map(|symbol| self.vocabulary.character(symbol)).collect();
        signals.error.map_or(Ok(text), Err)
    }
}
