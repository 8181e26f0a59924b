//! The weights of a network as tensors: shared by the layers that use them and the list that saves and trains them.

use tch::{Kind, Tensor};

use super::devices::Devices;
use super::tensor::{numbers_of, tensor};
use crate::error::{Error, Result};
use crate::network::Parameters;

/// Leaves of the graph under PyTorch's names, in PyTorch's order.
#[derive(Debug)]
pub struct Weights {
    named: Vec<(String, Tensor)>,
}

impl Weights {
    /// Copies of arrays on their devices.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is no memory for them.
    pub fn new(parameters: &Parameters, devices: &Devices) -> Result<Self> {
        let leaf = |(name, array): (&str, &crate::array::Array)| {
            let tensor = tensor(array.values(), array.shape(), devices.of(name))?;
            Ok((name.to_owned(), tensor.set_requires_grad(true)))
        };
        Ok(Self { named: parameters.iter().map(leaf).collect::<Result<_>>()? })
    }

    /// Names and tensors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.named.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensors alone.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.named.iter().map(|(_, tensor)| tensor.shallow_clone()).collect()
    }

    /// The tensor of a name, for the layer that uses it.
    ///
    /// # Errors
    /// [`Error::Value`] when there is none.
    pub(super) fn get(&self, name: &str) -> Result<Tensor> {
        let found = self.iter().find(|(known, _)| *known == name).map(|(_, tensor)| tensor.shallow_clone());
        found.ok_or_else(|| Error::Value(format!("expected a network with the parameter {name}, got one without")))
    }

    /// The same memory, with gradients of its own: for another thread.
    pub fn sharing(&self) -> Self {
        let share = |(name, tensor): &(String, Tensor)| (name.clone(), tensor.detach().set_requires_grad(true));
        Self { named: self.named.iter().map(share).collect() }
    }

    /// Copies of another kind of number.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is no memory for them.
    pub fn to_kind(&self, kind: Kind) -> Result<Self> {
        let copy = |(name, tensor): &(String, Tensor)| {
            Ok((name.clone(), tensor.f_detach()?.f_to_kind(kind)?.set_requires_grad(true)))
        };
        Ok(Self { named: self.named.iter().map(copy).collect::<Result<_>>()? })
    }

    /// Copies of all values, for [`Weights::restore`].
    pub fn snapshot(&self) -> Vec<Tensor> {
        self.named.iter().map(|(_, tensor)| tensor.detach().copy()).collect()
    }

    /// Puts the values of a snapshot back.
    pub fn restore(&self, snapshot: &[Tensor]) {
        tch::no_grad(|| {
            for ((_, tensor), saved) in self.named.iter().zip(snapshot) {
                tensor.shallow_clone().copy_(saved);
            }
        });
    }

    /// Writes all values into the arrays that they were copied from.
    ///
    /// # Errors
    /// [`Error::Torch`] when they can't be read.
    pub fn store(&self, parameters: &mut Parameters) -> Result<()> {
        for ((_, tensor), (_, array)) in self.iter().zip(parameters.iter_mut()) {
            array.values_mut().copy_from_slice(&numbers_of(tensor)?);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod drawn {
    use tch::Tensor;

    use super::Weights;
    use crate::rng::{Purpose, Rng};
    use crate::torch::tensor::tensor;

    /// Weights of these names and shapes for the tests of a layer, uniform within 0.5.
    pub(crate) fn weights(shapes: &[(&str, &[usize])]) -> Weights {
        let mut rng = Rng::new(0, Purpose::Weights);
        let mut leaf = |shape: &[usize]| -> Tensor {
            let values = rng.uniform(shape.iter().product(), 0.5);
            tensor(&values, shape, tch::Device::Cpu).unwrap().set_requires_grad(true)
        };
        Weights { named: shapes.iter().map(|(name, shape)| ((*name).to_owned(), leaf(shape))).collect() }
    }
}
