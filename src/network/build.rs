//! Networks built from a configuration.

use tch::Device;

use super::attention;
use super::config::{Architecture, NetworkConfig};
use super::convolution;
use super::lstm::LstmForecastNetwork;
use super::parameter::{add_numbers, multiply_numbers, Initializer, Parameters};
use super::skip::LinearSkip;
use super::transformer::TransformerNetwork;
use super::Network;
use crate::error::{Error, Result};
use crate::memory;
use crate::rng::{Purpose, Rng};

/// Copies of the weights that a training holds besides the gradient of each thread: under their names, in the kernel's order
/// and transposed, two moments, the best so far, and what comes and goes.
pub const COPIES: usize = 8;

/// Builds the network that `config` describes, with PyTorch's initialisation drawn from `seed`, and lists its parameters.
///
/// # Errors
/// [`crate::error::Error::Value`] for a configuration that makes no sense.
pub fn build(config: &NetworkConfig, seed: u64, device: Device) -> Result<(Box<dyn Network>, Parameters)> {
    build_on(config, seed, (device, &[]))
}

/// The same with the layers of the LSTM on devices of their own, between which outputs and gradients travel; all else is on
/// `device`.
///
/// # Errors
/// As [`build`].
pub fn build_on(
    config: &NetworkConfig,
    seed: u64,
    (device, layer_devices): (Device, &[Device]),
) -> Result<(Box<dyn Network>, Parameters)> {
    memory::check::<f32>(count_weights(config)?.saturating_mul(COPIES), || {
        format!("training with {}", config.sizes())
    })?;
    let init = Initializer::new(Rng::new(seed, Purpose::Weights), device);
    finish(assemble(config, init.with_layers_on(layer_devices))?)
}

/// The same with these weights; none are drawn, and nothing is allocated for a configuration that they aren't of.
///
/// # Errors
/// As [`build`], and [`crate::error::Error::Shape`] for weights of other shapes.
pub fn build_of(
    config: &NetworkConfig,
    weights: Vec<(String, tch::Tensor)>,
    (device, layer_devices): (Device, &[Device]),
) -> Result<(Box<dyn Network>, Parameters)> {
    config.check()?;
    let init = Initializer::of_weights(weights, device);
    finish(assemble(config, init.with_layers_on(layer_devices))?)
}

/// How many weights a network has, by checked arithmetic; nothing is allocated.
///
/// # Errors
/// [`crate::error::Error::Value`] for a configuration that makes no sense, or has more weights than any memory holds.
pub fn count_weights(config: &NetworkConfig) -> Result<usize> {
    config.check()?;
    let count = |num_layers| -> Result<usize> {
        let config = NetworkConfig { num_layers, ..config.clone() };
        Ok(assemble(&config, Initializer::counting())?.1.count())
    };
    // all layers above the first are alike
    let (one, two) = (count(1)?, count(2)?);
    add_numbers(one, multiply_numbers(two - one, config.num_layers - 1)?)
}

fn finish((network, init): (Box<dyn Network>, Initializer)) -> Result<(Box<dyn Network>, Parameters)> {
    Ok((network, init.finish()?))
}

/// The same network over the same weights, with gradients of its own: for another thread.
///
/// # Errors
/// As [`build`], for other weights than this configuration's.
pub fn replicate(config: &NetworkConfig, weights: &Parameters) -> Result<(Box<dyn Network>, Parameters)> {
    finish(assemble(config, Initializer::sharing(weights))?)
}

fn assemble(config: &NetworkConfig, mut init: Initializer) -> Result<(Box<dyn Network>, Initializer)> {
    let network: Box<dyn Network> = match (&config.architecture, config.skip) {
        (Architecture::Lstm, _) => Box::new(LstmForecastNetwork::new(config, &mut init)?),
        (Architecture::Attention { num_heads }, _) => Box::new(attention::build(config, *num_heads, &mut init)?),
        (Architecture::CnnLstm { kernel_sizes, out_channels }, _) => {
            Box::new(convolution::build(config, kernel_sizes, *out_channels, &mut init)?)
        }
        (&Architecture::Transformer { num_heads, dim_feedforward, causal }, _) => {
            Box::new(TransformerNetwork::new(config, (num_heads, dim_feedforward), causal, &mut init)?)
        }
        (Architecture::Linear, Some(skip)) => Box::new(LinearSkip::new(skip, &mut init)?),
        (Architecture::Linear, None) => {
            return Err(Error::Value("expected linear_skip=True with architecture 'linear', got False".to_owned()))
        }
    };
    Ok((network, init))
}
