//! Heads: from what the recurrent layers remember to the forecast.

use tch::Tensor;

use super::linear::Linear;
use super::skip::LinearSkip;
use super::weights::Weights;
use crate::error::Result;
use crate::network::NetworkConfig;

/// A linear head named `fc`; beside it, if wanted, a linear skip connection named `skip`.
#[derive(Debug)]
pub(super) struct ForecastHead {
    fc: Linear,
    skip: Option<LinearSkip>,
}

impl ForecastHead {
    /// The head of a network of this configuration.
    pub(super) fn new(config: &NetworkConfig, weights: &Weights) -> Result<Self> {
        let skip = config.skip.map(|skip| LinearSkip::new(skip, weights)).transpose()?;
        Ok(Self { fc: Linear::new("fc", weights)?, skip })
    }

    /// States `(n, state_size)` to `(n, output_size)`, without a linear skip connection.
    pub(super) fn of_every_step(&self, states: &Tensor) -> Result<Tensor> {
        self.fc.forward(states)
    }

    /// States `(batch, state_size)` and the windows that led to them to `(batch, output_size)`.
    pub(super) fn forward(&self, states: &Tensor, windows: &Tensor) -> Result<Tensor> {
        let output = self.fc.forward(states)?;
        match &self.skip {
            Some(skip) => Ok(output.f_add(&skip.forward(windows)?)?),
            None => Ok(output),
        }
    }
}
