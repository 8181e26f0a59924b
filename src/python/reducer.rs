//! Sums over processes by `torch.distributed`.

use pyo3::prelude::*;
use tch::Tensor;

use super::process::with_gil;
use super::tensor;
use crate::error::{Error, Result};
use crate::train::processes::{Reducer, Share};

/// A process group of `torch.distributed`.
#[derive(Debug)]
pub(super) struct PyReducer {
    share: Share,
    /// Begins to add up a tensor in place, and gives the work to wait for.
    all_reduce: PyObject,
}

impl PyReducer {
    /// Of an object with `rank`, `world_size` and `all_reduce(tensor)`, as `lstmforecast.distributed.Processes`.
    pub(super) fn new(processes: &Bound<'_, PyAny>) -> PyResult<Self> {
        let number = |name: &str| processes.getattr(name)?.extract();
        let share = Share { rank: number("rank")?, world_size: number("world_size")? };
        Ok(Self { share, all_reduce: processes.getattr("all_reduce")?.unbind() })
    }

    /// All sums are under way together; torch lets go of the GIL while it waits.
    fn all_reduce(&self, py: Python<'_>, tensors: &[Tensor]) -> PyResult<()> {
        let begin = |tensor: &Tensor| self.all_reduce.bind(py).call1((tensor::to_python(py, tensor.shallow_clone())?,));
        let works: Vec<PyResult<Bound<'_, PyAny>>> = tensors.iter().map(begin).collect();
        // each that has begun is waited for, also after a failure: it writes into memory that isn't Python's
        let ends: Vec<PyResult<()>> = works.into_iter().map(|work| work?.call_method0("wait").map(|_| ())).collect();
        ends.into_iter().collect()
    }
}

impl Reducer for PyReducer {
    fn share(&self) -> Share {
        self.share
    }

    fn sum(&self, tensors: &[Tensor]) -> Result<()> {
        let Share { rank, world_size } = self.share;
        let sum = with_gil(|py| self.all_reduce(py, tensors).map_err(|error| error.value(py).to_string()));
        sum.unwrap_or_else(|| Err("the program is ending".to_owned())).map_err(|text| {
            let reason = text.lines().next().unwrap_or_default().to_owned();
            Error::Process(format!(
                "process {rank} of {world_size} lost another one, which ended or did not answer in time; the best weights \
                 so far are kept ({reason})"
            ))
        })
    }
}
