//! The core without Python.

mod allocation;
mod checkpoint;
mod fit;
mod lstm_kernel;
mod observers;
mod processes;
mod sizes;
mod training;

// the tests of the kernel are part of the core as well, where these are its own modules
use lstmforecast::{kernel, rng};
