//! The linear layer.

use tch::Tensor;

use super::parameter::Initializer;
use crate::error::Result;

/// `y = x W^T + b` (`torch.nn.Linear`), with its initialisation: uniform within `1 / sqrt(input_size)`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// A layer whose parameters are `{name}.weight` of shape `(output_size, input_size)` and `{name}.bias`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub fn new(name: &str, input_size: usize, output_size: usize, init: &mut Initializer) -> Result<Self> {
        let bound = 1.0 / (input_size as f64).sqrt();
        Ok(Self {
            weight: init.uniform(&format!("{name}.weight"), &[output_size, input_size], bound)?,
            bias: init.uniform(&format!("{name}.bias"), &[output_size], bound)?,
        })
    }

    /// A layer of zeros.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub fn zeros(name: &str, input_size: usize, output_size: usize, init: &mut Initializer) -> Result<Self> {
        Ok(Self {
            weight: init.zeros(&format!("{name}.weight"), &[output_size, input_size])?,
            bias: init.zeros(&format!("{name}.bias"), &[output_size])?,
        })
    }

    /// `(batch, input_size)` to `(batch, output_size)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses the operation.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }
}
