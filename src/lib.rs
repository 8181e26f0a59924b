//! Time-series forecasting with LSTM networks.
//!
//! Rooms in the order of the data: `series`, `kernel`, `network`, `train`, `torch`, `model`, `watch`, `text`, `python`. Each may use those
//! before it and the leaves, never those after it; within a room, no two files use each other.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("expected a target with addresses of 64 bits: sizes here exceed 32");

// leaves
pub mod array;
pub mod device;
pub mod distribution;
pub mod error;
pub mod level;
pub mod memory;
pub mod metric;
pub mod rng;
pub mod store;

// rooms
pub mod kernel;
pub mod model;
pub mod network;
pub mod series;
pub mod text;
#[cfg(feature = "torch")]
pub mod torch;
pub mod train;
pub mod watch;

#[cfg(feature = "python")]
#[allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value
mod python;
