//! Layer normalisation (Ba et al. 2016), as `torch.nn.LayerNorm`.

use tch::Tensor;

use super::tensor::dimensions;
use super::weights::Weights;
use crate::error::Result;

/// PyTorch's default, added to the variance.
const EPSILON: f64 = 1e-5;

/// Brings the last dimension to mean 0 and deviation 1, then to a learned scale and centre.
#[derive(Debug)]
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    size: usize,
}

impl LayerNorm {
    /// Parameters `{name}.weight` and `{name}.bias`.
    pub(super) fn new(name: &str, size: usize, weights: &Weights) -> Result<Self> {
        let weight = weights.get(&format!("{name}.weight"))?;
        Ok(Self { weight, bias: weights.get(&format!("{name}.bias"))?, size })
    }

    /// `(..., size)` to the same shape.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_layer_norm(dimensions(&[self.size]), Some(&self.weight), Some(&self.bias), EPSILON, false)?)
    }
}
