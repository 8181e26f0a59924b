//! Tensors of Python's torch, of whatever version, by way of NumPy's arrays.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

use super::convert;
use crate::array::Array;

/// A copy as a tensor of Python's torch, which is imported for it.
pub(super) fn to_python<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    py.import("torch")?.call_method1("from_numpy", (convert::weight(py, array)?,))
}

/// The numbers of a tensor of Python's torch, of any kind and on any device.
pub(super) fn from_python(tensor: &Bound<'_, PyAny>) -> PyResult<Array> {
    let py = tensor.py();
    let torch = py.import("torch")?;
    if !tensor.is_instance(&torch.getattr("Tensor")?)? {
        return Err(PyTypeError::new_err(format!("expected a torch.Tensor, got {}", tensor.get_type())));
    }
    let single = [("device", "cpu".into_pyobject(py)?.into_any()), ("dtype", torch.getattr("float32")?)];
    let single = tensor.call_method0("detach")?.call_method("to", (), Some(&single.into_py_dict(py)?))?;
    convert::read_weight(&single.call_method0("numpy")?)
}
