//! The weights of a network that a configuration describes: drawn, taken as given, or counted.

use super::config::NetworkConfig;
use super::layout::lay_out;
use super::parameter::{add_numbers, multiply_numbers, Initializer, Parameters};
use crate::array::Array;
use crate::error::Result;
use crate::memory;
use crate::rng::{Purpose, Rng};

/// Copies of the weights that a training holds besides the gradient of each thread: under their names, in the kernel's order
/// and transposed, two moments, the best so far, and what comes and goes.
pub const COPIES: usize = 8;

/// Draws the weights of the network that `config` describes as PyTorch does, from `seed`.
///
/// # Errors
/// [`crate::error::Error::Value`] for a configuration that makes no sense, [`crate::error::Error::Memory`] where there is
/// no room to train it.
pub fn draw(config: &NetworkConfig, seed: u64) -> Result<Parameters> {
    memory::check::<f32>(count_weights(config)?.saturating_mul(COPIES), || {
        format!("training with {}", config.sizes())
    })?;
    assemble(config, Initializer::new(Rng::new(seed, Purpose::Weights)))?.finish()
}

/// These weights, if they are those of the network; none are drawn, and nothing is allocated for a configuration that they
/// aren't of.
///
/// # Errors
/// As [`draw`], and [`crate::error::Error::Shape`] for weights of other shapes.
pub fn take(config: &NetworkConfig, weights: Vec<(String, Array)>) -> Result<Parameters> {
    config.check()?;
    assemble(config, Initializer::of_weights(weights))?.finish()
}

/// How many weights a network has, by checked arithmetic; nothing is allocated.
///
/// # Errors
/// [`crate::error::Error::Value`] for a configuration that makes no sense, or has more weights than any memory holds.
pub fn count_weights(config: &NetworkConfig) -> Result<usize> {
    config.check()?;
    let count = |num_layers| -> Result<usize> {
        let config = NetworkConfig { num_layers, ..config.clone() };
        Ok(assemble(&config, Initializer::counting())?.count())
    };
    // all layers above the first are alike
    let (one, two) = (count(1)?, count(2)?);
    add_numbers(one, multiply_numbers(two - one, config.num_layers - 1)?)
}

fn assemble(config: &NetworkConfig, mut init: Initializer) -> Result<Initializer> {
    lay_out(config, &mut init)?;
    Ok(init)
}
