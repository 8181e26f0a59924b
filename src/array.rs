//! An array in the processor's memory: what a weight is where nothing computes with it.

use crate::error::{Error, Result};

/// Numbers in single precision, the last dimension running fastest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Array {
    /// These numbers in this shape.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are of another number.
    pub fn new(shape: &[usize], values: Vec<f32>) -> Result<Self> {
        let n = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        if n != Some(values.len()) {
            return Err(Error::shape(format!("the numbers of shape {shape:?}"), format!("{} numbers", values.len())));
        }
        Ok(Self { shape: shape.to_vec(), values })
    }

    /// The size of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// All numbers.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All numbers, to be written to.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_has_the_numbers_of_its_shape() {
        let array = Array::new(&[2, 3], vec![1.0; 6]).unwrap();
        assert_eq!((array.shape(), array.values()), (&[2, 3][..], &[1.0; 6][..]));
        assert!(Array::new(&[], vec![2.0]).unwrap().shape().is_empty());
        for shape in [&[2, 2][..], &[], &[usize::MAX, 2]] {
            let text = Array::new(shape, vec![0.0; 6]).unwrap_err().to_string();
            assert_eq!(text, format!("expected the numbers of shape {shape:?}, got 6 numbers"));
        }
    }
}
