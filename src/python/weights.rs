//! Weights by name: as arrays, and as tensors of Python's torch.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert;
#[cfg(not(feature = "python-torch"))]
use super::tensor;
#[cfg(feature = "python-torch")]
use super::torch_tensor as tensor;
use crate::array::Array;
use crate::network::Parameters;

/// Copies as arrays.
pub(super) fn arrays<'py>(py: Python<'py>, parameters: &Parameters) -> PyResult<Bound<'py, PyDict>> {
    let arrays = PyDict::new(py);
    for (name, array) in parameters.iter() {
        arrays.set_item(name, convert::weight(py, array)?)?;
    }
    Ok(arrays)
}

/// Copies as they are, for [`state_dict`]: importing torch takes seconds and may run anything, so no lock is to be held.
pub(super) fn copies(parameters: &Parameters) -> Vec<(String, Array)> {
    parameters.iter().map(|(name, array)| (name.to_owned(), array.clone())).collect()
}

/// Copies as tensors of Python's torch.
pub(super) fn state_dict(py: Python<'_>, copies: Vec<(String, Array)>) -> PyResult<Bound<'_, PyDict>> {
    let state = PyDict::new(py);
    for (name, copy) in copies {
        state.set_item(name, tensor::to_python(py, &copy)?)?;
    }
    Ok(state)
}

/// Tensors of Python's torch as arrays.
pub(super) fn of_state_dict(state_dict: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Array)>> {
    state_dict.iter().map(|(name, value)| Ok((name.extract()?, tensor::from_python(&value)?))).collect()
}
