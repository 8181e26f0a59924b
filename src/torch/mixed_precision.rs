//! Mixed precision (Micikevicius et al. 2018): forward and backward pass in bfloat16, all else in single precision.

use tch::{Kind, Tensor};

use super::build::replicate;
use super::network::Network;
use super::weights::Weights;
use crate::error::Result;
use crate::network::NetworkConfig;
use crate::rng::StepMasks;

/// A copy of a network in bfloat16, whose range needs no scaling of the loss.
pub(super) struct HalfNetwork {
    network: Box<dyn Network>,
    weights: Weights,
}

impl HalfNetwork {
    /// A copy of the network of these weights.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub(super) fn new(config: &NetworkConfig, weights: &Weights) -> Result<Self> {
        let (network, weights) = replicate(config, &weights.to_kind(Kind::BFloat16)?)?;
        Ok(Self { network, weights })
    }

    /// Rounds the present weights, and forgets the gradients.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub(super) fn update(&self, weights: &Weights) -> Result<()> {
        for ((_, half), (_, weight)) in self.weights.iter().zip(weights.iter()) {
            half.shallow_clone().zero_grad();
            tch::no_grad(|| half.shallow_clone().f_copy_(weight))?;
        }
        Ok(())
    }

    /// Outputs, in single precision, of windows `(batch, rows, n_features)` after the last step or after every one.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub(super) fn forward(&self, windows: &Tensor, dropout: Option<StepMasks>, every_step: bool) -> Result<Tensor> {
        let windows = windows.f_to_kind(Kind::BFloat16)?;
        let outputs = if every_step {
            self.network.forward_every_step(&windows, dropout)?
        } else {
            self.network.forward(&windows, dropout)?
        };
        Ok(outputs.f_to_kind(Kind::Float)?)
    }

    /// Adds the gradients to those of the weights, which have some.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub(super) fn give_gradients(&self, weights: &Weights) -> Result<()> {
        for ((_, half), (_, weight)) in self.weights.iter().zip(weights.iter()) {
            if half.grad().defined() {
                let _ = tch::no_grad(|| weight.grad().f_add_(&half.grad().f_to_kind(Kind::Float)?))?;
            }
        }
        Ok(())
    }
}
