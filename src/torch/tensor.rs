//! Between slices and tensors.

use tch::{Device, Tensor};

use crate::array::Array;
use crate::error::{is_of_memory, Error, Result, NO_MEMORY};
use crate::train::Elsewhere;

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        let text = error.to_string();
        if is_of_memory(&text) {
            return Self::Memory(NO_MEMORY.to_owned());
        }
        // libtorch appends a C++ stack trace, which helps no user.
        Self::Torch(text.lines().next().unwrap_or_default().to_owned())
    }
}

impl Elsewhere for Tensor {
    fn count(&self) -> usize {
        self.numel()
    }

    fn read(&self) -> Result<Vec<f32>> {
        numbers_of(self)
    }

    fn write(&mut self, values: &[f32]) -> Result<()> {
        overwrite(self, values)
    }
}

/// A tensor with a copy of `values`.
///
/// # Errors
/// [`Error::Torch`] when the device has no room.
pub fn tensor(values: &[f32], shape: &[usize], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(values)?.f_reshape(dimensions(shape))?.f_to_device(device)?)
}

/// A copy of an array as a tensor in the processor's memory.
///
/// # Errors
/// [`Error::Torch`] when there is no memory for it.
pub fn of_array(array: &Array) -> Result<Tensor> {
    tensor(array.values(), array.shape(), Device::Cpu)
}

/// A copy of a tensor as an array.
///
/// # Errors
/// [`Error::Torch`] when it can't be read.
pub fn array(tensor: &Tensor) -> Result<Array> {
    Array::new(&sizes(tensor), numbers_of(tensor)?)
}

/// The numbers of a tensor, row after row.
///
/// # Errors
/// [`Error::Torch`] when it can't be read.
pub fn numbers_of(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::try_from(tensor.f_detach()?.f_to_device(Device::Cpu)?.f_flatten(0, -1)?)?)
}

/// Writes as many numbers into a tensor, past automatic differentiation.
///
/// # Errors
/// [`Error::Torch`] when they are of another number.
pub fn overwrite(tensor: &Tensor, values: &[f32]) -> Result<()> {
    let values = Tensor::f_from_slice(values)?.f_reshape(tensor.size())?;
    tch::no_grad(|| tensor.shallow_clone().f_copy_(&values))?;
    Ok(())
}

/// A shape as libtorch takes it.
#[allow(clippy::cast_possible_wrap)]
pub fn dimensions(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&size| size as i64).collect()
}

/// The size of each dimension of a tensor.
pub fn sizes(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect()
}
