//! Sums over processes by `torch.distributed`.

use numpy::ndarray::ArrayView1;
use numpy::{Element, PyArray1};
use pyo3::prelude::*;

use super::process::with_gil;
use crate::error::{Error, Result};
use crate::train::processes::{Reducer, Share, Summed};

/// What was begun: the work to wait for, the tensor that is to hold the sum, and that which the group adds up.
type Sum<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// A process group of `torch.distributed`.
#[derive(Debug)]
pub(super) struct PyReducer {
    share: Share,
    /// Makes a tensor of an array, over the same memory.
    from_numpy: PyObject,
    /// Begins to add up a list of one tensor in place, and gives the work to wait for.
    all_reduce: PyObject,
    /// The device whose tensors alone the group adds up; none: those in the processor's memory as they are.
    device: Option<String>,
}

impl PyReducer {
    /// Of an object with `rank`, `world_size`, `device` and `all_reduce(tensors)`, as `lstmforecast.distributed.Processes`.
    pub(super) fn new(processes: &Bound<'_, PyAny>) -> PyResult<Self> {
        let number = |name: &str| processes.getattr(name)?.extract();
        Ok(Self {
            share: Share { rank: number("rank")?, world_size: number("world_size")? },
            from_numpy: processes.py().import("torch")?.getattr("from_numpy")?.unbind(),
            all_reduce: processes.getattr("all_reduce")?.unbind(),
            device: processes.getattr("device")?.extract()?,
        })
    }

    /// All sums are under way together; torch lets go of the GIL while it waits. Functions of Python, which a signal could
    /// interrupt, are none among those that are called.
    fn all_reduce(&self, py: Python<'_>, numbers: &mut [Summed]) -> PyResult<()> {
        let begin = |summed: &mut Summed| {
            let tensor = match summed {
                Summed::Single(values) => self.tensor(py, values),
                Summed::Double(values) => self.tensor(py, values),
            }?;
            let moved = match &self.device {
                Some(device) => tensor.call_method1("to", (device,))?,
                None => tensor.clone(),
            };
            let work = self.all_reduce.bind(py).call1(([&moved],))?;
            Ok((work, tensor, moved))
        };
        let sums: Vec<PyResult<Sum<'_>>> = numbers.iter_mut().map(begin).collect();
        // each that has begun is waited for, also after a failure: it writes into memory that isn't Python's
        let end = |sum: PyResult<Sum<'_>>| {
            let (work, tensor, moved) = sum?;
            work.call_method0("wait")?;
            if self.device.is_some() {
                tensor.call_method1("copy_", (moved,))?;
            }
            Ok(())
        };
        let ends: Vec<PyResult<()>> = sums.into_iter().map(end).collect();
        ends.into_iter().collect()
    }

    /// A tensor over the memory of a slice, to be dropped before the slice is used again.
    fn tensor<'py, T: Element>(&self, py: Python<'py>, values: &mut [T]) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the slice is borrowed until all processes have added, and nobody keeps the array for longer.
        let array = unsafe { PyArray1::borrow_from_array(&ArrayView1::from(&*values), py.None().into_bound(py)) };
        self.from_numpy.bind(py).call1((array,))
    }
}

impl Reducer for PyReducer {
    fn share(&self) -> Share {
        self.share
    }

    fn sum(&self, numbers: &mut [Summed]) -> Result<()> {
        let Share { rank, world_size } = self.share;
        let sum = with_gil(|py| self.all_reduce(py, numbers).map_err(|error| error.value(py).to_string()));
        sum.unwrap_or_else(|| Err("the program is ending".to_owned())).map_err(|text| {
            let reason = text.lines().next().unwrap_or_default().to_owned();
            Error::Process(format!(
                "process {rank} of {world_size} lost another one, which ended or did not answer in time; the best weights \
                 so far are kept ({reason})"
            ))
        })
    }
}
