//! The linear skip connection past the LSTM, under libtorch.

use tch::Tensor;

use super::linear::Linear;
use super::network::Network;
use super::tensor::dimensions;
use super::weights::Weights;
use crate::error::Result;
use crate::network::SkipConfig;
use crate::rng::StepMasks;

/// `Linear(window_size -> horizon)` named `skip`, which each target passes through by itself, and a weight `known.weight` of
/// shape `(n_targets, n_known)`.
#[derive(Debug)]
pub(super) struct LinearSkip {
    linear: Linear,
    known: Option<Tensor>,
    config: SkipConfig,
}

impl LinearSkip {
    /// The connection of this configuration.
    pub(super) fn new(config: SkipConfig, weights: &Weights) -> Result<Self> {
        let known = (config.n_known > 0).then(|| weights.get("known.weight"));
        Ok(Self { linear: Linear::new("skip", weights)?, known: known.transpose()?, config })
    }

    /// Inputs `(batch, rows, n_features)` to `(batch, horizon * n_targets * n_parameters)`.
    pub(super) fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        let [window_size, horizon, n_targets] =
            dimensions(&[self.config.window_size, self.config.horizon, self.config.n_targets])[..]
        else {
            unreachable!("three sizes")
        };
        let mut targets = inputs.f_narrow(1, 0, window_size)?.f_narrow(2, 0, n_targets)?;
        let effect = self.known.as_ref().map(|weight| self.effect(inputs, weight)).transpose()?;
        if let Some(effect) = &effect {
            targets = targets.f_sub(&effect.f_narrow(1, 0, window_size)?)?;
        }
        let mut forecast = self.linear.forward(&targets.f_transpose(1, 2)?)?.f_transpose(1, 2)?;
        if let Some(effect) = &effect {
            forecast = forecast.f_add(&effect.f_narrow(1, window_size, horizon)?)?;
        }
        let padding = dimensions(&[self.config.n_parameters - 1])[0];
        Ok(forecast.f_unsqueeze(-1)?.f_constant_pad_nd([0, padding])?.f_flatten(1, -1)?)
    }

    /// What is known in advance adds to each row `(batch, rows, n_targets)`.
    fn effect(&self, inputs: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let [at, n_known, last] =
            dimensions(&[self.config.known_at, self.config.n_known, self.config.window_size - 1])[..]
        else {
            unreachable!("three sizes")
        };
        let known = inputs.f_narrow(2, at, n_known)?;
        Ok(known.f_sub(&known.f_narrow(1, last, 1)?)?.f_matmul(&weight.f_transpose(0, 1)?)?)
    }
}

/// Nothing but the linear skip connection.
impl Network for LinearSkip {
    fn forward(&self, windows: &Tensor, _dropout: Option<StepMasks>) -> Result<Tensor> {
        self.forward(windows)
    }
}
