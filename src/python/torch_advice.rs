//! How to get a build that has libtorch, in the words of whoever installed this one.

use pyo3::prelude::*;

use crate::error::TORCH_ADVICE;

/// Set what errors say of an option that needs libtorch; the first call counts.
#[pyfunction]
pub(super) fn set_torch_advice(text: String) {
    let _ = TORCH_ADVICE.set(text);
}
