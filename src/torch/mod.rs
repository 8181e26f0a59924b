//! The only room that knows libtorch: networks of tensors under its automatic differentiation, on CPUs and GPUs.

mod attention;
pub mod batch;
pub mod build;
mod convolution;
pub mod devices;
mod distribution;
mod dropout;
mod embedding;
pub mod fit;
pub mod forecaster;
mod head;
pub mod hybrid;
pub mod hybrid_gradient;
pub mod hybrid_learner;
pub mod learner;
#[cfg(test)]
pub(crate) mod line;
mod linear;
mod loss;
mod lstm;
mod mixed_precision;
pub mod network;
mod norm;
pub mod optimizer;
mod skip;
pub mod tensor;
pub mod threads;
mod transformer;
pub mod weights;
