//! The only room that knows Python: arrays and options in, arrays out.

mod augment;
mod convert;
mod door;
mod metric;
mod model;
mod observer;
mod outcome;
mod process;
mod reducer;
mod scale;
mod schedule;
mod shared;
mod signals;
mod store;
#[cfg(not(feature = "python-torch"))]
mod tensor;
mod text;
mod threads;
mod torch_advice;
#[cfg(feature = "python-torch")]
mod torch_tensor;
mod watch;
mod weights;

use pyo3::prelude::*;

/// What `lstmforecast._core` is: of two builds, `_load_core.py` picks one.
#[pymodule]
mod _core {
    use super::{PyModule, PyResult};
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::augment::{augment_draws, augment_windows};
    #[pymodule_export]
    use super::door::FormatError;
    #[pymodule_export]
    use super::metric::metrics;
    #[pymodule_export]
    use super::model::PyModel;
    #[pymodule_export]
    use super::process::after_fork;
    #[pymodule_export]
    use super::scale::{fit_scaler, panel_split, scale_columns, time_split, unscale_columns};
    #[pymodule_export]
    use super::schedule::reduce_lr_on_plateau;
    #[pymodule_export]
    use super::store::{checkpoint_seed, read_file, replace_file, write_file};
    #[pymodule_export]
    use super::text::{count_characters, PyCharGenerator, PyCharModel};
    #[pymodule_export]
    use super::threads::n_threads;
    #[pymodule_export]
    use super::torch_advice::{require_torch, set_torch_advice};
    #[pymodule_export]
    use super::watch::{follow_scores, PyMonitor};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::process::register(module)?;
        module.add("HAS_TORCH", cfg!(feature = "torch"))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
