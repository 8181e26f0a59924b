//! Scalers and splits for the Python estimators.

use numpy::{
    Element, IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert;
use super::door::{enter, exception};
use crate::error::Error;
use crate::series::scale::{columns, moments, one_if_tiny, quantile, ranges, sorted, Moments, Range, Scaler};
use crate::series::{split, Matrix};

#[pyfunction]
#[pyo3(signature = (n_rows, validation_fraction, gap=0))]
pub(super) fn time_split(n_rows: usize, validation_fraction: f64, gap: usize) -> PyResult<(usize, usize)> {
    let split = split::time_split(n_rows, validation_fraction, gap).map_err(exception)?;
    Ok((split.train_end, split.validation_start))
}

#[pyfunction]
pub(super) fn panel_split(n_rows: usize, validation_fraction: f64, horizon: usize) -> PyResult<(usize, usize)> {
    let split = split::panel_split(n_rows, validation_fraction, 0, horizon).map_err(exception)?;
    Ok((split.train_end, split.validation_start))
}

/// The options of all three kinds of scaler.
#[derive(Clone, Copy)]
struct Options {
    feature_range: (f64, f64),
    quantile_range: (f64, f64),
    with_centering: bool,
    with_scaling: bool,
}

#[pyfunction]
#[pyo3(signature = (
    kind, data, feature_range=(0.0, 1.0), quantile_range=(25.0, 75.0), with_centering=true, with_scaling=true
))]
pub(super) fn fit_scaler<'py>(
    py: Python<'py>,
    kind: &str,
    data: &Bound<'py, PyAny>,
    feature_range: (f64, f64),
    quantile_range: (f64, f64),
    with_centering: bool,
    with_scaling: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let options = Options { feature_range, quantile_range, with_centering, with_scaling };
    if let Ok(array) = data.extract::<PyReadonlyArrayDyn<f64>>() {
        return fit(py, kind, &array, options);
    }
    let array: PyReadonlyArrayDyn<f32> = data.extract().map_err(|_| wrong_type(data))?;
    fit(py, kind, &array, options)
}

fn fit<'py, T: Element + Copy + Into<f64> + Send + Sync>(
    py: Python<'py>,
    kind: &str,
    array: &PyReadonlyArrayDyn<T>,
    options: Options,
) -> PyResult<Bound<'py, PyDict>> {
    let n_columns = *array.shape().last().unwrap_or(&0);
    let values = convert::contiguous(array);
    let statistics = enter(py, || {
        let data = &[Matrix::new(&values, n_columns)?];
        match kind {
            "standard" => Ok(standard(&moments(data))),
            "minmax" => Ok(minmax(&ranges(data), options.feature_range)),
            "robust" => Ok(robust(columns(data), options)),
            _ => Err(Error::Value(format!("expected scaler 'standard', 'minmax' or 'robust', got '{kind}'"))),
        }
    })?;
    let result = PyDict::new(py);
    for (name, column) in statistics {
        result.set_item(name, column.into_pyarray(py))?;
    }
    Ok(result)
}

type Statistics = Vec<(&'static str, Vec<f64>)>;

fn standard(moments: &[Moments]) -> Statistics {
    let each = |of: fn(&Moments) -> f64| moments.iter().map(of).collect();
    vec![("mean", each(|m| m.mean)), ("var", each(|m| m.variance)), ("scale", each(|m| m.scale))]
}

fn minmax(ranges: &[Range], (low, high): (f64, f64)) -> Statistics {
    let scale: Vec<f64> = ranges.iter().map(|r| (high - low) / one_if_tiny(r.max - r.min)).collect();
    let min = ranges.iter().zip(&scale).map(|(r, scale)| low - r.min * scale).collect();
    let each = |of: fn(&Range) -> f64| ranges.iter().map(of).collect();
    vec![
        ("data_min", each(|r| r.min)),
        ("data_max", each(|r| r.max)),
        ("data_range", each(|r| r.max - r.min)),
        ("scale", scale),
        ("min", min),
    ]
}

fn robust(columns: Vec<Vec<f64>>, options: Options) -> Statistics {
    let (low, high) = options.quantile_range;
    let (center, scale) = columns
        .into_iter()
        .map(|column| {
            let sorted = sorted(column);
            let range = quantile(&sorted, high / 100.0) - quantile(&sorted, low / 100.0);
            let center = if options.with_centering { quantile(&sorted, 0.5) } else { 0.0 };
            (center, if options.with_scaling { one_if_tiny(range) } else { 1.0 })
        })
        .unzip();
    vec![("center", center), ("scale", scale)]
}

#[pyfunction]
pub(super) fn scale_columns<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    center: PyReadonlyArray1<'py, f64>,
    scale: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyAny>> {
    map_columns(py, data, &center, &scale, |value, center, scale| (value - center) / scale)
}

#[pyfunction]
pub(super) fn unscale_columns<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    center: PyReadonlyArray1<'py, f64>,
    scale: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyAny>> {
    map_columns(py, data, &center, &scale, |value, center, scale| value * scale + center)
}

/// Any floating type that keeps its type.
trait Float: Element + Copy + Into<f64> + Send + Sync {
    fn from_f64(value: f64) -> Self;
}
impl Float for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
}
impl Float for f32 {
    #[allow(clippy::cast_possible_truncation)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

fn map_columns<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    center: &PyReadonlyArray1<f64>,
    scale: &PyReadonlyArray1<f64>,
    map: impl Fn(f64, f64, f64) -> f64 + Send + Sync,
) -> PyResult<Bound<'py, PyAny>> {
    let scaler = Scaler { center: center.as_array().to_vec(), scale: scale.as_array().to_vec() };
    if let Ok(array) = data.extract::<PyReadonlyArrayDyn<f64>>() {
        return Ok(map_array(py, &array, &scaler, map)?.into_any());
    }
    let array: PyReadonlyArrayDyn<f32> = data.extract().map_err(|_| wrong_type(data))?;
    Ok(map_array(py, &array, &scaler, map)?.into_any())
}

fn map_array<'py, T: Float>(
    py: Python<'py>,
    array: &PyReadonlyArrayDyn<T>,
    scaler: &Scaler,
    map: impl Fn(f64, f64, f64) -> f64 + Send + Sync,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let shape = array.shape().to_vec();
    let n_columns = shape.last().copied().filter(|&n| n > 0);
    let n_columns =
        n_columns.ok_or_else(|| exception(Error::shape("at least one column", format!("shape {shape:?}"))))?;
    scaler.check(n_columns).map_err(exception)?;
    let values = convert::contiguous(array);
    let mapped: Vec<T> =
        enter(py, || Ok(scaler.map(&values, |value, center, scale| T::from_f64(map(value.into(), center, scale)))))?;
    mapped.into_pyarray(py).reshape(shape)
}

fn wrong_type(data: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("expected an array of float32 or float64, got {}", data.get_type()))
}
