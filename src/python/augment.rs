//! Augmentation of arrays, as training does it with batches.

use numpy::{Element, IntoPyArray, PyArray1, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::convert;
use super::door::{enter, exception};
use crate::error::{Error, Result};
use crate::series::augment::{Augmentation, Augmenter, Number, Scratch};
use crate::series::lens::WindowLayout;

#[pyfunction]
#[allow(non_snake_case)]
#[pyo3(signature = (X, y, augment, seed, step=0, n_known=0, indicator=false))]
#[allow(clippy::too_many_arguments)] // as Python calls it
pub(super) fn augment_windows<'py>(
    py: Python<'py>,
    X: &Bound<'py, PyAny>,
    y: Option<&Bound<'py, PyAny>>,
    augment: &Bound<'py, PyAny>,
    seed: u64,
    step: u64,
    n_known: usize,
    indicator: bool,
) -> PyResult<(Bound<'py, PyAny>, Option<Bound<'py, PyAny>>)> {
    let augmentations: Vec<Augmentation> = convert::config(augment)?;
    let options = Options { augmentations, seed, step, n_known, indicator };
    if let Ok(X) = X.extract::<PyReadonlyArrayDyn<f64>>() {
        return change(py, &X, y, &options);
    }
    let wrong = || PyTypeError::new_err(format!("expected X of float32 or float64, got {}", X.get_type()));
    change(py, &X.extract::<PyReadonlyArrayDyn<f32>>().map_err(|_| wrong())?, y, &options)
}

#[pyfunction]
pub(super) fn augment_draws(
    py: Python<'_>,
    seed: u64,
    step: u64,
    sample: usize,
    augmentation: usize,
    n: usize,
) -> PyResult<Bound<'_, PyArray1<f64>>> {
    let table = Augmenter::new(&[], WindowLayout::windows_alone(1, 1), seed).map_err(exception)?;
    let mut draws = table.draws(step, sample, augmentation);
    Ok((0..n).map(|_| draws.uniform()).collect::<Vec<_>>().into_pyarray(py))
}

struct Options {
    augmentations: Vec<Augmentation>,
    seed: u64,
    step: u64,
    n_known: usize,
    indicator: bool,
}

fn change<'py, T: Element + Number + Sync>(
    py: Python<'py>,
    windows: &PyReadonlyArrayDyn<'py, T>,
    horizons: Option<&Bound<'py, PyAny>>,
    options: &Options,
) -> PyResult<(Bound<'py, PyAny>, Option<Bound<'py, PyAny>>)> {
    let same = |_| PyTypeError::new_err("expected y of the type of X, got another");
    let horizons: Option<PyReadonlyArrayDyn<'py, T>> = horizons.map(|y| y.extract().map_err(same)).transpose()?;
    let (x_shape, y_shape) = (windows.shape().to_vec(), horizons.as_ref().map(|y| y.shape().to_vec()));
    let layout = options.layout(&x_shape, y_shape.as_deref()).map_err(exception)?;
    let mut inputs = convert::values(windows);
    let mut targets = horizons.as_ref().map(convert::values).unwrap_or_default();
    enter(py, || options.apply(layout, x_shape[0], &mut inputs, &mut targets))?;
    let inputs = inputs.into_pyarray(py).reshape(x_shape)?.into_any();
    let targets = y_shape.map(|shape| Ok::<_, PyErr>(targets.into_pyarray(py).reshape(shape)?.into_any()));
    Ok((inputs, targets.transpose()?))
}

impl Options {
    fn layout(&self, x_shape: &[usize], y_shape: Option<&[usize]>) -> Result<WindowLayout> {
        let expected = "windows of shape (n, rows, features) and horizons of shape (n, rows, targets)";
        let wrong = || Error::shape(expected, format!("{x_shape:?} and {y_shape:?}"));
        let &[n, n_rows, width] = x_shape else { return Err(wrong()) };
        let [m, horizon, n_targets] = match y_shape {
            None => [n, 0, width],
            Some(&[m, horizon, n_targets]) => [m, horizon, n_targets],
            Some(_) => return Err(wrong()),
        };
        let n_future = if self.n_known > 0 { horizon } else { 0 };
        let n_indicators = if self.indicator { n_targets } else { 0 };
        let fits = m == n && n_rows > n_future && width > 0 && width >= n_targets + self.n_known + n_indicators;
        if !fits || (y_shape.is_some() && horizon * n_targets == 0) {
            return Err(wrong());
        }
        Ok(WindowLayout {
            horizon,
            n_targets,
            n_known: self.n_known,
            n_future,
            indicator: self.indicator,
            ..WindowLayout::windows_alone(n_rows - n_future, width - n_indicators)
        })
    }

    fn apply<T: Number>(&self, layout: WindowLayout, n: usize, inputs: &mut [T], targets: &mut [T]) -> Result<()> {
        let augmenter = Augmenter::new(&self.augmentations, layout, self.seed)?;
        let (input_len, target_len) = (layout.n_rows() * layout.width(), layout.horizon * layout.n_targets);
        let mut scratch = Scratch::default();
        for sample in 0..n {
            let input = &mut inputs[sample * input_len..(sample + 1) * input_len];
            let target = &mut targets[sample * target_len..(sample + 1) * target_len];
            augmenter.apply((self.step, sample), (input, target), &mut scratch);
        }
        Ok(())
    }
}
