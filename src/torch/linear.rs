//! The linear layer.

use tch::Tensor;

use super::weights::Weights;
use crate::error::Result;

/// `y = x W^T + b` (`torch.nn.Linear`).
#[derive(Debug)]
pub(super) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// The layer whose parameters are `{name}.weight` of shape `(output_size, input_size)` and `{name}.bias`.
    pub(super) fn new(name: &str, weights: &Weights) -> Result<Self> {
        Ok(Self { weight: weights.get(&format!("{name}.weight"))?, bias: weights.get(&format!("{name}.bias"))? })
    }

    /// `(batch, input_size)` to `(batch, output_size)`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }
}
