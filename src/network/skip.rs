//! The linear way past the LSTM, under libtorch.

use tch::Tensor;

use super::config::SkipConfig;
use super::head::Linear;
use super::parameter::{dimensions, Initializer};
use super::Network;
use crate::error::Result;
use crate::rng::StepMasks;

/// `Linear(window_size -> horizon)` named `skip`, which each target passes through by itself.
#[derive(Debug)]
pub struct LinearSkip {
    linear: Linear,
    config: SkipConfig,
}

impl LinearSkip {
    /// Starts from zeros, for outputs of `output_size = horizon * n_targets`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub fn new(config: SkipConfig, output_size: usize, init: &mut Initializer) -> Result<Self> {
        let linear = Linear::zeros("skip", config.window_size, output_size / config.n_targets, init)?;
        Ok(Self { linear, config })
    }

    /// Windows `(batch, window_size, n_features)` to `(batch, horizon * n_targets)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn forward(&self, windows: &Tensor) -> Result<Tensor> {
        let n_targets = dimensions(&[self.config.n_targets])[0];
        let targets = windows.f_narrow(2, 0, n_targets)?.f_transpose(1, 2)?;
        Ok(self.linear.forward(&targets)?.f_transpose(1, 2)?.f_flatten(1, 2)?)
    }
}

/// Nothing but the linear way.
impl Network for LinearSkip {
    fn forward(&self, windows: &Tensor, _dropout: Option<StepMasks>) -> Result<Tensor> {
        self.forward(windows)
    }
}
