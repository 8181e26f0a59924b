//! Our own LSTM for CPUs.
pub mod adam;
pub mod aligned;
pub mod forward_only;
pub mod isa;
pub mod linear;
pub mod lstm;
pub mod pool;
mod product;
pub mod shape;
mod step;
mod tile;
pub mod transposed;
mod vector;
pub mod workspace;

#[cfg(test)]
#[path = "../../tests/rust/lstm_kernel.rs"]
mod tests;
