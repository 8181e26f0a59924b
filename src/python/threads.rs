//! How many threads there are to use.

use pyo3::prelude::*;

use crate::kernel::pool;

#[pyfunction]
#[pyo3(signature = (asked=None))]
pub(super) fn n_threads(asked: Option<usize>) -> usize {
    pool::n_threads(asked)
}
