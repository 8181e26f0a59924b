//! Networks of tensors, built from a configuration.

use super::network::Network;
use super::skip::LinearSkip;
use super::transformer::TransformerNetwork;
use super::weights::Weights;
use super::{attention, convolution, lstm};
use crate::error::{Error, Result};
use crate::network::{Architecture, NetworkConfig};

/// The network that `config` describes, of these weights.
///
/// # Errors
/// [`Error::Value`] for a configuration that makes no sense, or weights of another.
pub fn build(config: &NetworkConfig, weights: &Weights) -> Result<Box<dyn Network>> {
    Ok(match (&config.architecture, config.skip) {
        (Architecture::Lstm, _) => Box::new(lstm::LstmForecastNetwork::new(config, weights)?),
        (Architecture::Attention { num_heads }, _) => Box::new(attention::build(config, *num_heads, weights)?),
        (Architecture::CnnLstm { kernel_sizes, .. }, _) => {
            Box::new(convolution::build(config, kernel_sizes.len(), weights)?)
        }
        (&Architecture::Transformer { num_heads, causal, .. }, _) => {
            Box::new(TransformerNetwork::new(config, num_heads, causal, weights)?)
        }
        (Architecture::Linear, Some(skip)) => Box::new(LinearSkip::new(skip, weights)?),
        (Architecture::Linear, None) => {
            return Err(Error::Value("expected linear_skip=True with architecture 'linear', got False".to_owned()))
        }
    })
}

/// The same network over the same weights, with gradients of its own: for another thread.
///
/// # Errors
/// As [`build`].
pub fn replicate(config: &NetworkConfig, weights: &Weights) -> Result<(Box<dyn Network>, Weights)> {
    let shared = weights.sharing();
    Ok((build(config, &shared)?, shared))
}

#[cfg(test)]
pub(super) mod drawn {
    use super::build;
    use crate::network::{draw, NetworkConfig};
    use crate::torch::devices::Devices;
    use crate::torch::network::Network;
    use crate::torch::weights::Weights;

    /// A network with its initial weights.
    pub(crate) fn network(config: &NetworkConfig) -> (Box<dyn Network>, Weights) {
        let weights = Weights::new(&draw(config, 0).unwrap(), &Devices::CPU).unwrap();
        (build(config, &weights).unwrap(), weights)
    }
}
