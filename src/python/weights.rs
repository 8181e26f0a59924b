//! Weights by name: as arrays, and as tensors of Python's torch.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tch::Tensor;

use super::{convert, tensor};
use crate::network::Parameters;

/// Copies as arrays.
pub(super) fn arrays<'py>(py: Python<'py>, parameters: &Parameters) -> PyResult<Bound<'py, PyDict>> {
    let arrays = PyDict::new(py);
    for (name, tensor) in parameters.iter() {
        arrays.set_item(name, convert::weight(py, tensor)?)?;
    }
    Ok(arrays)
}

/// Copies as they are, for [`state_dict`]: importing torch takes seconds and may run anything, so no lock is to be held.
pub(super) fn copies(parameters: &Parameters) -> Vec<(String, Tensor)> {
    parameters.iter().map(|(name, tensor)| (name.to_owned(), tensor.detach().copy())).collect()
}

/// Tensors as those of Python's torch.
pub(super) fn state_dict(py: Python<'_>, copies: Vec<(String, Tensor)>) -> PyResult<Bound<'_, PyDict>> {
    let state = PyDict::new(py);
    for (name, copy) in copies {
        state.set_item(name, tensor::to_python(py, copy)?)?;
    }
    Ok(state)
}

/// Tensors of Python's torch as they are.
pub(super) fn of_state_dict(state_dict: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Tensor)>> {
    state_dict.iter().map(|(name, value)| Ok((name.extract()?, tensor::from_python(&value)?))).collect()
}
