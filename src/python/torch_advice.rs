//! Options that need libtorch, and how to get a build that has it.

use pyo3::prelude::*;

use super::door::exception;
use crate::error::{Error, TORCH_ADVICE};

/// Set what errors say of an option that needs libtorch; the first call counts.
#[pyfunction]
pub(super) fn set_torch_advice(text: String) {
    let _ = TORCH_ADVICE.set(text);
}

/// Refuse an option in a build without libtorch.
#[pyfunction]
pub(super) fn require_torch(option: String) -> PyResult<()> {
    if cfg!(feature = "torch") {
        Ok(())
    } else {
        Err(exception(Error::NeedsTorch(option)))
    }
}
