//! Batches: samples gathered into tensors.

use tch::{Device, Tensor};

use crate::error::Result;
use crate::network::parameter::dimensions;
use crate::series::Samples;

/// One batch on the network's device.
#[derive(Debug)]
pub struct Batch {
    /// Inputs of shape `(batch, window_size, n_features)`.
    pub inputs: Tensor,
    /// Targets of shape `(batch, target_len)`.
    pub targets: Tensor,
    /// Weights of shape `(batch,)`, of mean 1 over all samples.
    pub weights: Tensor,
}

/// Samples, and where their batches go.
pub struct Loader<'a> {
    samples: &'a dyn Samples,
    n_features: usize,
    device: Device,
}

impl<'a> Loader<'a> {
    /// Loads `samples` whose windows have `n_features` numbers at each step.
    pub fn new(samples: &'a dyn Samples, n_features: usize, device: Device) -> Self {
        Self { samples, n_features, device }
    }

    /// Number of samples.
    pub fn n_samples(&self) -> usize {
        self.samples.len()
    }

    /// The indices of all samples.
    pub fn in_order(&self) -> Vec<usize> {
        (0..self.n_samples()).collect()
    }

    /// Gathers some samples.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when the device has no room.
    pub fn batch(&self, indices: &[usize]) -> Result<Batch> {
        let n = indices.len();
        let mut inputs = Vec::with_capacity(n * self.samples.input_len());
        let mut targets = Vec::with_capacity(n * self.samples.target_len());
        let mut weights = Vec::with_capacity(n);
        self.samples.gather(indices, &mut inputs, &mut targets, &mut weights);
        let steps = self.samples.input_len() / self.n_features;
        Ok(Batch {
            inputs: tensor(&inputs, &[n, steps, self.n_features], self.device)?,
            targets: tensor(&targets, &[n, self.samples.target_len()], self.device)?,
            weights: tensor(&weights, &[n], self.device)?,
        })
    }
}

/// A tensor with a copy of `values`.
///
/// # Errors
/// [`crate::error::Error::Torch`] when the device has no room.
pub fn tensor(values: &[f32], shape: &[usize], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(values)?.f_reshape(dimensions(shape))?.f_to_device(device)?)
}
