//! A network of tensors, ready to forecast.

use tch::Tensor;

use super::build::build;
use super::devices::Devices;
use super::network::Network;
use super::tensor::{numbers_of, sizes, tensor};
use super::weights::Weights;
use crate::error::Result;
use crate::network::{NetworkConfig, Parameters};

/// A network without gradients on its devices.
pub struct TorchForecaster {
    network: Box<dyn Network>,
    devices: Devices,
}

impl TorchForecaster {
    /// Of these weights.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for them.
    pub fn new(config: &NetworkConfig, parameters: &Parameters, devices: &Devices) -> Result<Self> {
        let weights = Weights::new(parameters, devices)?;
        Ok(Self { network: build(config, &weights)?, devices: devices.clone() })
    }

    /// The outputs, row-major, of inputs of the shape `(batch, rows, n_features)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn forecast(&self, inputs: (&[f32], &[usize])) -> Result<Vec<f32>> {
        numbers_of(&tch::no_grad(|| self.network.forward(&self.tensor(inputs)?, None))?)
    }

    /// How much each step of the inputs attends to each, and the shape of that, `(batch, num_heads, steps, steps)`; `None` of
    /// a network without attention.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub fn attention_weights(&self, inputs: (&[f32], &[usize])) -> Result<Option<(Vec<f32>, Vec<usize>)>> {
        let weights = tch::no_grad(|| self.network.attention_weights(&self.tensor(inputs)?))?;
        weights.map(|weights| Ok((numbers_of(&weights)?, sizes(&weights)))).transpose()
    }

    fn tensor(&self, (values, shape): (&[f32], &[usize])) -> Result<Tensor> {
        tensor(values, shape, self.devices.main)
    }
}
