//! Time-series forecasting with LSTM networks.
//!
//! The modules stand in the order in which data flows; each may use those above it and the leaves, never those below.

// leaves
pub mod distribution;
pub mod error;
pub mod level;
pub mod memory;
pub mod metric;
pub mod rng;
pub mod store;

// the river: numbers -> series -> windows -> network -> training -> model -> judgement -> text
pub mod kernel;
pub mod model;
pub mod network;
pub mod series;
pub mod text;
pub mod train;
pub mod watch;

#[cfg(feature = "python")]
#[allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value
mod python;
