//! Our own LSTM for CPUs: slices in, slices out; no torch, no Python.
//!
//! # How it gets near the processor's limit
//! A training step of an LSTM is three families of matrix products: the gates of a step forwards, the gradient of a state
//! backwards, and the weight gradients over all steps. A general library sees many small products with memory between them. Here
//! each family is one loop over register tiles ([`tile`]) whose sums never leave the registers before the work on them is done:
//!
//! - **Forwards** ([`step`]): weights lie as `[block of units][k][gate][lane]`, so that a tile holds all four gates of some units.
//!   The reduction runs over the step's input and then over the state before it: the input's part of the sums is never
//!   written. Activations follow while the tile is in the first level of cache.
//! - **Backwards** ([`step`]): the gradient of a state sums what the cell itself read of it at the next step and what the layer
//!   above read at the same one, in the same registers. Gates turn into their gradients in place.
//! - **Weight gradients** ([`product`]): gates are kept in the order in which that product reads them, and its result lies as the weights do,
//!   so that the optimiser ([`adam`]) walks over parameters, gradients and moments as plain slices. Only the transposed copy for
//!   the way back is made anew after a step ([`transposed`]).
//!
//! # Where things are
//! [`isa`] chooses the instructions once; [`vector`] has one vector type for each; [`shape`] says where weights lie;
//! [`workspace`] is one thread's memory; [`lstm`] walks a stack through time and back; [`linear`] is the head;
//! [`forward_only`] is the way without a way back, [`half`] that of one row, a step at a time, [`integer`] that of
//! weights of eight bits; [`lookup`] stands in for the
//! input's product where that is one of a few symbols; [`pool`] has the threads.
//!
//! # What may be unsafe
//! Reading and writing vectors ([`vector`]), calling what was compiled for other instructions ([`isa`]), and handing borrowed
//! work to threads ([`pool`]). Each kernel compares its slices with the extents that it runs over before it starts; test builds
//! check every single index.
#![allow(
    clippy::inline_always,        // what isn't inlined isn't compiled for the instructions of its caller
    clippy::needless_range_loop,  // indices say which register of a tile is meant
    clippy::similar_names,        // PyTorch's: bias_ih, bias_hh
    clippy::many_single_char_names // the equations': i, f, g, o, h, c
)]

pub mod adam;
pub mod aligned;
pub mod forward_only;
pub mod half;
pub mod integer;
pub mod isa;
pub mod linear;
pub mod lookup;
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
