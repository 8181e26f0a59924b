//! Forecasts in the user's units.

use super::config::ModelConfig;
use super::engine::Engine;
use super::task::ForecastTask;
use super::Model;
use crate::error::{Error, Result};
use crate::memory;
use crate::series::lens::Lens;
use crate::series::{Matrix, Panel};

impl Model {
    /// Windows `(n, rows * n_features)`, of `window_size` rows and those of the horizon where something is known of them, to
    /// forecasts `(n, horizon * n_targets * n_parameters)`, row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] for windows of another length, or scales of another number.
    pub fn forecast(
        &mut self,
        windows: Matrix<f64>,
        scales: Option<Matrix<f64>>,
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let (panel, window_size) = (self.panel_of(windows, scales)?, self.config.window_size);
        self.forecast_each(&panel, windows.n_rows(), |i| (i, window_size), n_threads)
    }

    /// How much each step of windows, as [`Model::forecast`] takes them, attends to each: numbers and their shape
    /// `(n * channels, num_heads, steps, steps)`.
    ///
    /// # Errors
    /// As [`Model::forecast`]; [`Error::Value`] of a network without attention.
    pub fn attention_weights(
        &self,
        windows: Matrix<f64>,
        scales: Option<Matrix<f64>>,
        n_threads: Option<usize>,
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        let panel = self.panel_of(windows, scales)?;
        let origin = |i| (i, self.config.window_size);
        let effects = self.row_effects(&panel);
        let lens = Lens {
            panel: &panel,
            scaler: &self.input_scaler,
            output_scaler: &self.output_scaler,
            layout: self.config.layout(),
            effects: effects.as_ref(),
        };
        let task = ForecastTask { lens, config: &self.config, origin: &origin };
        match &self.engine {
            Engine::Torch(engine) => {
                let n = windows.n_rows() * task.lens.layout.n_channels();
                engine.attention_weights(&task, &self.parameters, (n, n_threads))
            }
            _ => Err(Error::no_attention(self.config.architecture.name())),
        }
    }

    fn panel_of<'w>(&self, windows: Matrix<'w, f64>, scales: Option<Matrix<'w, f64>>) -> Result<Panel<'w>> {
        let ModelConfig { window_size, horizon, n_features, n_known, .. } = self.config;
        let n_rows = window_size + if n_known > 0 { horizon } else { 0 };
        if windows.n_columns() != n_rows * n_features {
            return Err(Error::shape(
                format!("windows of {n_rows} x {n_features} numbers"),
                format!("{}", windows.n_columns()),
            ));
        }
        let rows = Matrix::new(windows.values(), n_features)?;
        match scales {
            None => Ok(Panel::of_windows(rows, n_rows)),
            Some(scales) => Panel::of_scaled_windows(rows, n_rows, scales, self.config.n_targets),
        }
    }

    /// One forecast for each series and origin, from the `window_size` rows before that row.
    ///
    /// # Errors
    /// [`Error::TooShort`] for an origin with too few rows before it, or after it where something is known of them.
    pub fn forecast_series(
        &mut self,
        panel: &Panel,
        origins: &[(usize, usize)],
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        self.check_columns(panel.n_columns())?;
        let least = if panel.reaches_back { 1 } else { self.config.window_size };
        let n_after = if self.config.n_known > 0 { self.config.horizon } else { 0 };
        for &(series, origin) in origins {
            if series >= panel.n_series() {
                return Err(Error::Value(format!("expected a series below {}, got {series}", panel.n_series())));
            }
            let n_rows = panel.series(series).n_rows();
            if origin < least || origin + n_after > n_rows {
                return Err(Error::too_short(
                    format!("origins from {least} to {n_rows} rows, less {n_after} that are known in advance"),
                    format!("{origin}"),
                ));
            }
        }
        self.forecast_each(panel, origins.len(), |i| origins[i], n_threads)
    }

    fn forecast_each(
        &mut self,
        panel: &Panel,
        n: usize,
        origin: impl Fn(usize) -> (usize, usize) + Sync,
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let len = n.saturating_mul(self.config.forecast_len());
        memory::check::<f64>(len, || format!("{n} forecasts of {} numbers each", self.config.forecast_len()))?;
        let mut forecasts = vec![0.0; len];
        let effects = self.row_effects(panel);
        let lens = Lens {
            panel,
            scaler: &self.input_scaler,
            output_scaler: &self.output_scaler,
            layout: self.config.layout(),
            effects: effects.as_ref(),
        };
        let task = ForecastTask { lens, config: &self.config, origin: &origin };
        self.engine.run(&task, (&self.parameters, self.int8), (n, n_threads), &mut forecasts)?;
        Ok(forecasts)
    }
}
