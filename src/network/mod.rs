//! Networks: what maps windows to forecasts, built from a configuration.

mod attention;
pub mod config;
mod convolution;
mod dropout;
pub mod fused;
pub mod fused_skip;
pub mod head;
pub mod hybrid;
pub mod lstm;
mod norm;
pub mod parameter;
pub mod skip;
mod transformer;

use tch::{Device, Tensor};

pub use config::{Architecture, NetworkConfig, SkipConfig};
pub use parameter::Parameters;

use crate::error::{Error, Result};
use crate::memory;
use crate::rng::{Purpose, Rng, StepMasks};
use lstm::LstmForecastNetwork;
use parameter::{add_numbers, multiply_numbers, Initializer};
use skip::LinearSkip;
use transformer::TransformerNetwork;

/// Copies of the weights that a training holds besides the gradient of each thread: under their names, in the kernel's order
/// and transposed, two moments, the best so far, and what comes and goes.
pub const COPIES: usize = 8;

/// A differentiable function of windows.
pub trait Network: Send {
    /// Inputs of shape `(batch, rows, n_features)` to outputs of shape `(batch, output_size)`.
    ///
    /// `dropout` has the masks of the step while training, `None` otherwise.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn forward(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;

    /// Outputs `(batch * steps, output_size)` after each step of the windows, of which the last is [`Network::forward`]'s.
    ///
    /// # Errors
    /// [`Error::Value`] for a network that reads no window step by step.
    fn forward_every_step(&self, _windows: &Tensor, _dropout: Option<StepMasks>) -> Result<Tensor> {
        Err(Error::Value("expected an LSTM alone for a forecast after every step, got another network".to_owned()))
    }

    /// How much each step of the windows hears of each, `(batch, num_heads, steps, steps)`; `None` of a network without
    /// attention.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn attention_weights(&self, _windows: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// What stands around the LSTM, where there is one.
    fn around_lstm(&self) -> Option<&dyn AroundLstm> {
        None
    }
}

/// Layers that an LSTM stands between, so that our own kernel can take its place.
pub trait AroundLstm {
    /// Whether there are layers before the LSTM, which need the gradient of what it reads.
    fn has_layers_before(&self) -> bool;

    /// Whether those after it read the outputs of all steps, `(batch, steps, size)`, or the final state, `(batch, size)`.
    fn reads_every_state(&self) -> bool;

    /// Inputs `(batch, rows, n_features)` to what the LSTM reads `(batch, steps, lstm_input_size)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn before(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;

    /// The LSTM's outputs, and the inputs that led to them, to `(batch, output_size)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn after(&self, states: &Tensor, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;
}

/// Layers before or after an LSTM.
trait Layer: std::fmt::Debug + Send {
    /// `(batch, steps, size)` to what the LSTM reads at each step, or to one state `(batch, size)`.
    fn forward(&self, x: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;

    /// See [`Network::attention_weights`].
    fn attention_weights(&self, _x: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

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
    weights: Vec<(String, Tensor)>,
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
