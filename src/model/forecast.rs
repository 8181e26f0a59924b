//! Forecasts in the user's units.

use super::Model;
use crate::error::{Error, Result};
use crate::series::Matrix;
use crate::train::batch::tensor;
use crate::train::threads::ThreadsGuard;

/// Windows in one pass, always. libtorch's order of summation changes with the size of a batch; at one size the forecast
/// of a window is independent, to the bit, of the company in which it comes.
const BATCH: usize = 32;

impl Model {
    /// Windows `(n, window_size * n_features)` to forecasts `(n, horizon * n_targets)`, row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] for windows of another length.
    pub fn forecast(&self, windows: Matrix<f64>, n_threads: Option<usize>) -> Result<Vec<f64>> {
        let expected = self.config.window_size * self.config.n_features;
        if windows.n_columns() != expected {
            return Err(Error::shape(
                format!("windows of {} x {} numbers", self.config.window_size, self.config.n_features),
                format!("{}", windows.n_columns()),
            ));
        }
        let scaled = self.input_scaler.transform(windows.values());
        self.forecast_each(windows.n_rows(), |i| &scaled[i * expected..(i + 1) * expected], n_threads)
    }

    /// One forecast for each origin, from the `window_size` rows before that row of a series `(n_rows, n_features)`.
    ///
    /// # Errors
    /// [`Error::TooShort`] for an origin with too few rows before it.
    pub fn forecast_series(
        &self,
        series: Matrix<f64>,
        origins: &[usize],
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let window_size = self.config.window_size;
        self.check_columns(series.n_columns())?;
        if let Some(origin) = origins.iter().find(|&&origin| origin < window_size || origin > series.n_rows()) {
            return Err(Error::too_short(
                format!("origins between window_size {window_size} and {} rows", series.n_rows()),
                format!("{origin}"),
            ));
        }
        let scaled = self.input_scaler.transform(series.values());
        let scaled = Matrix::new(&scaled, series.n_columns())?;
        self.forecast_each(origins.len(), |i| scaled.rows(origins[i] - window_size, origins[i]).values(), n_threads)
    }

    fn forecast_each<'a>(
        &self,
        n: usize,
        window: impl Fn(usize) -> &'a [f32],
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let _threads = ThreadsGuard::new(self.n_threads(n_threads));
        let indices: Vec<usize> = (0..n).collect();
        let mut forecasts = Vec::with_capacity(n * self.config.horizon * self.config.n_targets);
        for batch in indices.chunks(BATCH) {
            let mut windows: Vec<&[f32]> = batch.iter().map(|&i| window(i)).collect();
            windows.resize(BATCH, windows[0]);
            let batch_len = batch.len() * self.config.horizon * self.config.n_targets;
            forecasts.extend(self.output_scaler.inverse(&self.forecast_batch(&windows)?[..batch_len]));
        }
        Ok(forecasts)
    }

    fn forecast_batch(&self, windows: &[&[f32]]) -> Result<Vec<f32>> {
        let (n_features, n_targets) = (self.config.n_features, self.config.n_targets);
        let mut inputs = windows.concat();
        if let Some(normalize) = self.config.normalize {
            for window in inputs.chunks_exact_mut(self.config.window_size * n_features) {
                normalize.apply(window, n_features, &mut [], n_targets);
            }
        }
        let inputs = tensor(&inputs, &[windows.len(), self.config.window_size, n_features], self.device)?;
        let output = tch::no_grad(|| self.network.forward(&inputs, None))?;
        let mut forecasts: Vec<f32> = output.f_reshape([-1])?.f_to_device(tch::Device::Cpu)?.try_into()?;
        if let Some(normalize) = self.config.normalize {
            let each = forecasts.chunks_exact_mut(self.config.horizon * n_targets);
            for (forecast, window) in each.zip(windows) {
                normalize.revert(forecast, &window[window.len() - n_features..], n_targets);
            }
        }
        Ok(forecasts)
    }
}
