//! Our own LSTM for CPUs: slices in, slices out; no torch, no Python.
//!
//! # How it gets near the processor's limit
//! A training step of an LSTM is three families of matrix products: the gates of a step forwards, the gradient of a state
//! backwards, and the weight gradients over all steps. A general library sees many small products with memory between them. Here
//! each family is one loop over register tiles (`routines/tile`) whose sums never leave the registers before the work on them is done:
//!
//! - **Forwards** (`routines/step`): weights lie as `[block of units][k][gate][lane]`, so that a tile holds all four gates of some units.
//!   The reduction runs over the step's input and then over the state before it: the input's part of the sums is never
//!   written. Activations follow while the tile is in the first level of cache.
//! - **Backwards** (`routines/step`): the gradient of a state sums what the cell itself read of it at the next step and what the layer
//!   above read at the same one, in the same registers. Gates turn into their gradients in place.
//! - **Weight gradients** (`routines/product`): gates are kept in the order in which that product reads them, and its result lies as the weights do,
//!   so that the optimiser (`routines/adam`) walks over parameters, gradients and moments as plain slices. Only the transposed copy for
//!   the backward pass is made anew after a step ([`transposed`]).
//!
//! # Where things are
//! [`isa`] chooses the instructions once and calls `routines`, what is compiled for each set of them; [`shape`] says where
//! weights lie; [`workspace`] is one thread's memory; [`lstm`] is the forward and backward pass of a stack; [`linear`] is the
//! head. Forecasts need no backward pass: [`forward_only`], of one cell `cell_run`, with weights of eight bits [`integer`], of
//! one row a step at a time [`half`]. Where the input is one of a few symbols, [`lookup`] stands in for its product, and
//! `lookup_pass` for both passes. [`ridge`] solves regressions. [`pool`] has the threads.
//!
//! # What may be unsafe
//! Reading and writing vectors (`routines`), calling what was compiled for other instructions ([`isa`]), and handing borrowed
//! work to threads ([`pool`]). Each routine compares its slices with the extents that it runs over before it starts; test builds
//! check every single index.
#![allow(
    clippy::inline_always,        // what isn't inlined isn't compiled for the instructions of its caller
    clippy::needless_range_loop,  // indices say which register of a tile is meant
    clippy::similar_names,        // PyTorch's: bias_ih, bias_hh
    clippy::many_single_char_names // the equations': i, f, g, o, h, c
)]

pub mod aligned;
mod cell_run;
pub mod forward_only;
pub mod half;
pub mod integer;
pub mod isa;
pub mod linear;
pub mod lookup;
mod lookup_pass;
pub mod lstm;
pub mod pool;
pub mod ridge;
mod routines;
pub mod shape;
pub mod transposed;
pub mod workspace;

pub use routines::adam::AdamStep;

#[cfg(test)]
#[path = "../../tests/rust/lstm_kernel.rs"]
mod tests;
