//! Networks: what maps windows to forecasts, built from a configuration.

pub mod config;
pub mod fused;
pub mod fused_skip;
pub mod head;
pub mod lstm;
pub mod parameter;
pub mod skip;

use tch::{Device, Tensor};

pub use config::{Architecture, NetworkConfig, SkipConfig};
pub use parameter::Parameters;

use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng, StepMasks};
use lstm::LstmForecastNetwork;
use parameter::Initializer;
use skip::LinearSkip;

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
}

/// Builds the network that `config` describes, with PyTorch's initialisation drawn from `seed`, and lists its parameters.
///
/// # Errors
/// [`crate::error::Error::Value`] for a configuration that makes no sense.
pub fn build(config: &NetworkConfig, seed: u64, device: Device) -> Result<(Box<dyn Network>, Parameters)> {
    config.check()?;
    let mut init = Initializer::new(Rng::new(seed, Purpose::Weights), device);
    let network: Box<dyn Network> = match (config.architecture, config.skip) {
        (Architecture::Lstm, _) => Box::new(LstmForecastNetwork::new(config, &mut init)?),
        (Architecture::Linear, Some(skip)) => Box::new(LinearSkip::new(skip, &mut init)?),
        (Architecture::Linear, None) => {
            return Err(Error::Value("expected linear_skip=True with architecture 'linear', got False".to_owned()))
        }
    };
    Ok((network, init.finish()))
}
