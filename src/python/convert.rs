//! NumPy arrays to slices, tensors and back.

use std::borrow::Cow;
use std::collections::HashMap;

use numpy::{
    Element, IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use safetensors::Dtype;
use serde::de::DeserializeOwned;

use super::door::exception;
use crate::array::Array;
use crate::error::Error;
use crate::series::effect::KnownEffect;
use crate::series::scale::Scaler;
use crate::store::StoredTensor;

/// The numbers of an array whose last dimensions are joined to rows, and the length of a row; as [`contiguous`].
pub(super) fn rows<'a>(
    array: &'a PyReadonlyArrayDyn<f64>,
    n_dimensions: usize,
    name: &str,
) -> PyResult<(Cow<'a, [f64]>, usize)> {
    let shape = array.shape();
    if shape.len() != n_dimensions {
        let error = Error::shape(format!("{name} with {n_dimensions} dimensions"), format!("shape {shape:?}"));
        return Err(exception(error));
    }
    Ok((contiguous(array), shape[1..].iter().product()))
}

/// A copy of all numbers, the last dimension running fastest.
pub(super) fn values<T: Element + Copy>(array: &PyReadonlyArrayDyn<T>) -> Vec<T> {
    contiguous(array).into_owned()
}

/// All numbers, the last dimension running fastest; copied only where they lie otherwise. As in NumPy's own functions, the
/// array must not be written to while the GIL is away.
pub(super) fn contiguous<'a, T: Element + Copy>(array: &'a PyReadonlyArrayDyn<T>) -> Cow<'a, [T]> {
    let view = array.as_array();
    // as_slice of ndarray, not of NumPy's array, which takes Fortran order for contiguous as well
    match view.to_slice() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(view.iter().copied().collect()),
    }
}

/// A flat vector as an array of the given shape.
pub(super) fn array<'py>(
    py: Python<'py>,
    values: Vec<f64>,
    shape: Vec<usize>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let flat: Bound<'py, PyArray1<f64>> = values.into_pyarray(py);
    flat.reshape(shape)
}

/// A dictionary of plain values as a configuration.
pub(super) fn config<T: DeserializeOwned>(options: &Bound<'_, PyAny>) -> PyResult<T> {
    pythonize::depythonize(options).map_err(|error| PyTypeError::new_err(error.to_string()))
}

/// A weight as a float32 array.
pub(super) fn weight<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    array.values().to_vec().into_pyarray(py).reshape(array.shape())
}

/// A float32 array as a weight.
pub(super) fn read_weight(value: &Bound<'_, PyAny>) -> PyResult<Array> {
    let array: PyReadonlyArrayDyn<f32> = value.extract()?;
    Array::new(array.shape(), values(&array)).map_err(exception)
}

/// Weights by name.
pub(super) fn weights(parameters: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Array)>> {
    parameters.iter().map(|(name, value)| Ok((name.extract()?, read_weight(&value)?))).collect()
}

/// Arrays of float32, float64, int64, int8 or uint16 as they lie in a file; the last are bfloat16, which NumPy doesn't know.
pub(super) fn stored(tensors: &Bound<'_, PyDict>) -> PyResult<HashMap<String, StoredTensor>> {
    tensors.iter().map(|(name, value)| Ok((name.extract()?, stored_tensor(&value)?))).collect()
}

const STORED: &str = "float32, float64, int64, int8 or uint16 (bfloat16)";

fn stored_tensor(value: &Bound<'_, PyAny>) -> PyResult<StoredTensor> {
    if let Ok(array) = value.extract::<PyReadonlyArrayDyn<f32>>() {
        return Ok(store_as(Dtype::F32, &array, |x| x.to_le_bytes().to_vec()));
    }
    if let Ok(array) = value.extract::<PyReadonlyArrayDyn<f64>>() {
        return Ok(store_as(Dtype::F64, &array, |x| x.to_le_bytes().to_vec()));
    }
    if let Ok(array) = value.extract::<PyReadonlyArrayDyn<i64>>() {
        return Ok(store_as(Dtype::I64, &array, |x| x.to_le_bytes().to_vec()));
    }
    if let Ok(array) = value.extract::<PyReadonlyArrayDyn<i8>>() {
        return Ok(store_as(Dtype::I8, &array, |x| x.to_le_bytes().to_vec()));
    }
    match value.extract::<PyReadonlyArrayDyn<u16>>() {
        Ok(array) => Ok(store_as(Dtype::BF16, &array, |x| x.to_le_bytes().to_vec())),
        Err(_) => Err(PyTypeError::new_err(format!("expected arrays of {STORED}, got {}", value.get_type()))),
    }
}

fn store_as<T: Element + Copy>(
    dtype: Dtype,
    array: &PyReadonlyArrayDyn<T>,
    bytes: impl Fn(T) -> Vec<u8>,
) -> StoredTensor {
    let bytes = values(array).into_iter().flat_map(bytes).collect();
    StoredTensor { dtype, shape: array.shape().to_vec(), bytes }
}

/// The array of a tensor from a file.
pub(super) fn unstored<'py>(py: Python<'py>, name: &str, tensor: &StoredTensor) -> PyResult<Bound<'py, PyAny>> {
    let shape = tensor.shape.clone();
    let any = match tensor.dtype {
        Dtype::F32 => numbers(tensor, f32::from_le_bytes).into_pyarray(py).reshape(shape)?.into_any(),
        Dtype::F64 => numbers(tensor, f64::from_le_bytes).into_pyarray(py).reshape(shape)?.into_any(),
        Dtype::I64 => numbers(tensor, i64::from_le_bytes).into_pyarray(py).reshape(shape)?.into_any(),
        Dtype::I8 => numbers(tensor, i8::from_le_bytes).into_pyarray(py).reshape(shape)?.into_any(),
        Dtype::BF16 => numbers(tensor, u16::from_le_bytes).into_pyarray(py).reshape(shape)?.into_any(),
        other => {
            let text = format!("expected tensors of {STORED}, got {other:?} in {name}");
            return Err(exception(Error::Format(text)));
        }
    };
    Ok(any)
}

fn numbers<T, const N: usize>(tensor: &StoredTensor, number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let chunks = tensor.bytes.chunks_exact(N);
    chunks.map(|chunk| number(chunk.try_into().expect("chunks of N bytes"))).collect()
}

/// The scalers of inputs and outputs.
pub(super) fn scalers(scalers: &HashMap<String, PyReadonlyArray1<'_, f64>>) -> PyResult<(Scaler, Scaler)> {
    let numbers = |name: &str| -> PyResult<Vec<f64>> {
        let missing = || exception(Error::Value(format!("expected scalers with {name}, got none")));
        Ok(scalers.get(name).ok_or_else(missing)?.as_array().to_vec())
    };
    let scaler = |name: &str| -> PyResult<Scaler> {
        Ok(Scaler { center: numbers(&format!("{name}_center"))?, scale: numbers(&format!("{name}_scale"))? })
    };
    Ok((scaler("input")?, scaler("output")?))
}

/// The arrays of an effect of known features beside those of the scalers, if there is one.
pub(super) fn effect(scalers: &HashMap<String, PyReadonlyArray1<'_, f64>>) -> PyResult<Option<[Vec<f64>; 4]>> {
    let found = KnownEffect::NAMES.map(|name| scalers.get(name).map(|array| array.as_array().to_vec()));
    match found {
        [Some(rates), Some(hinges), Some(thresholds), Some(weight)] => Ok(Some([rates, hinges, thresholds, weight])),
        [None, None, None, None] => Ok(None),
        _ => Err(exception(Error::Value(format!("expected all of {:?} or none, got some", KnownEffect::NAMES)))),
    }
}
