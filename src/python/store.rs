//! Model files.

use std::collections::HashMap;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert;
use super::door::enter;
use crate::error::Error;
use crate::store;
use crate::train::checkpoint;

#[pyfunction]
pub(super) fn write_file(
    py: Python<'_>,
    path: PathBuf,
    tensors: &Bound<'_, PyDict>,
    metadata: HashMap<String, String>,
) -> PyResult<()> {
    let tensors = convert::stored(tensors)?;
    enter(py, || store::write(&path, &tensors, metadata))
}

#[pyfunction]
pub(super) fn replace_file(py: Python<'_>, path: PathBuf, contents: &[u8]) -> PyResult<()> {
    enter(py, || {
        store::replace(&path, contents).map_err(|source| Error::Io { path: path.display().to_string(), source })
    })
}

#[pyfunction]
pub(super) fn read_file(py: Python<'_>, path: PathBuf) -> PyResult<(Bound<'_, PyDict>, HashMap<String, String>)> {
    let (tensors, metadata) = enter(py, || store::read(&path))?;
    let arrays = PyDict::new(py);
    for (name, tensor) in &tensors {
        arrays.set_item(name, convert::unstored(py, name, tensor)?)?;
    }
    Ok((arrays, metadata))
}

#[pyfunction]
pub(super) fn checkpoint_seed(py: Python<'_>, folder: PathBuf) -> PyResult<Option<u64>> {
    enter(py, || checkpoint::seed(&folder))
}
