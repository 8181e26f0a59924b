//! Heads: from what the recurrent layers remember to the forecast.

use tch::Tensor;

use super::config::NetworkConfig;
use super::linear::Linear;
use super::parameter::Initializer;
use super::skip::LinearSkip;
use crate::error::Result;

/// A linear head named `fc`; beside it, if wanted, a linear skip connection named `skip`. With that, both start from
/// zeros: an untrained network forecasts zero, and neither part starts with an error that the other must learn to cancel.
#[derive(Debug)]
pub struct ForecastHead {
    fc: Linear,
    skip: Option<LinearSkip>,
}

impl ForecastHead {
    /// A head that reads states of `state_size` numbers.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub fn new(state_size: usize, config: &NetworkConfig, init: &mut Initializer) -> Result<Self> {
        let linear = if config.skip.is_some() { Linear::zeros } else { Linear::new };
        let fc = linear("fc", state_size, config.output_size, init)?;
        let skip = config.skip.map(|skip| LinearSkip::new(skip, init)).transpose()?;
        Ok(Self { fc, skip })
    }

    /// States `(n, state_size)` to `(n, output_size)`, without a linear skip connection.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn of_every_step(&self, states: &Tensor) -> Result<Tensor> {
        self.fc.forward(states)
    }

    /// States `(batch, state_size)` and the windows that led to them to `(batch, output_size)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn forward(&self, states: &Tensor, windows: &Tensor) -> Result<Tensor> {
        let output = self.fc.forward(states)?;
        match &self.skip {
            Some(skip) => Ok(output.f_add(&skip.forward(windows)?)?),
            None => Ok(output),
        }
    }
}
