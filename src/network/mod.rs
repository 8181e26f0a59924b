//! Networks: their configuration, their weights, and the LSTM as our own kernel runs it.

mod build;
pub mod config;
pub mod embedding;
pub mod fused;
pub mod fused_line;
pub mod fused_skip;
mod layout;
pub mod parameter;

pub use build::{count_weights, draw, take, COPIES};
pub use config::{Architecture, NetworkConfig, SkipConfig};
pub use embedding::{Embedding, Embeddings};
pub use parameter::Parameters;
