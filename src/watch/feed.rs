//! Rows in, the errors of all forecasts that were made of them out.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::series::{Matrix, Panel};

/// Rows that are forecast at once: what lies between them is kept until then.
const AT_ONCE: usize = 1024;

/// The end of a series, and the forecasts of rows that are still to come. Constant in size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    n_columns: usize,
    horizon: usize,
    /// `(window_size, n_columns)`, what was missing filled by forecasts.
    window: Vec<f64>,
    /// The forecasts of the rows before the newest, the newest first: each `(horizon, n_columns)`, at most `horizon` of them.
    pending: VecDeque<Vec<f64>>,
    /// Columns that never moved while the model was fitted, ascending. Each is forecast to stay what it is: what a network
    /// says of it is its own rounding.
    #[serde(default)]
    still: Vec<usize>,
}

/// What is known of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The forecast from the rows before: `(n_columns)`.
    pub forecast: Vec<f64>,
    /// Truth less forecast, of the forecasts made 1 to `horizon` rows before: `(horizon, n_columns)`; NaN where the value is
    /// missing, or the forecast would have been made before the first.
    pub errors: Vec<f64>,
}

impl Feed {
    /// Begins after a window `(window_size, n_columns)` without gaps.
    ///
    /// # Errors
    /// [`Error::Value`] for a model that needs more than rows, [`Error::Shape`] for another window.
    pub fn new(model: &Model, window: &[f64]) -> Result<Self> {
        let config = model.config();
        if config.n_features != config.n_targets || config.distribution.is_some() {
            return Err(Error::Value("expected a model of points, without covariates, got another".to_owned()));
        }
        let expected = config.window_size * config.n_targets;
        if window.len() != expected {
            return Err(Error::shape(format!("a window of {expected} numbers"), window.len().to_string()));
        }
        let (n_columns, horizon) = (config.n_targets, config.horizon);
        Ok(Self { n_columns, horizon, window: window.to_vec(), pending: VecDeque::new(), still: Vec::new() })
    }

    /// With columns that stay what they are.
    pub fn with_still(self, still: Vec<usize>) -> Self {
        Self { still, ..self }
    }

    /// Columns that stay what they are.
    pub fn still(&self) -> &[usize] {
        &self.still
    }

    /// Whether it goes with a model.
    ///
    /// # Errors
    /// [`Error::Shape`] where it doesn't.
    pub fn check(&self, model: &Model) -> Result<()> {
        let fresh = Self::new(model, &self.window)?;
        let whole = self.horizon * self.n_columns;
        let fits = (fresh.n_columns, fresh.horizon) == (self.n_columns, self.horizon);
        let are_there = self.still.iter().all(|&column| column < self.n_columns);
        let are_finite = self.window.iter().chain(self.pending.iter().flatten()).all(|value| value.is_finite());
        let are_whole = self.pending.len() <= self.horizon && self.pending.iter().all(|each| each.len() == whole);
        if fits && are_there && are_finite && are_whole {
            return Ok(());
        }
        Err(Error::shape(format!("a state of horizon {}", fresh.horizon), self.horizon.to_string()))
    }

    /// Columns of a row.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Steps of a forecast.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// Takes rows `(n, n_columns)` in and judges the forecasts of each by `judge`, which may give other values for what
    /// comes after to be forecast from. A value that is missing (NaN) is filled by its forecast.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another length.
    pub fn run(
        &mut self,
        model: &mut Model,
        rows: Matrix<f64>,
        n_threads: Option<usize>,
        mut judge: impl FnMut(Judged) -> Option<Vec<f64>>,
    ) -> Result<()> {
        if rows.n_columns() != self.n_columns {
            let expected = format!("rows of {} columns", self.n_columns);
            return Err(Error::shape(expected, rows.n_columns().to_string()));
        }
        let (mut start, mut at_once) = (0, AT_ONCE);
        while start < rows.n_rows() {
            // up to a row with a gap, which must be forecast before those after it can be
            let most = (start + at_once).min(rows.n_rows());
            let end = (start..most).find(|&row| has_gap(rows.row(row))).map_or(most, |row| row + 1);
            let taken = self.run_part(model, rows.rows(start, end), n_threads, &mut judge)?;
            // where one row is replaced, the next ones often are
            at_once = if start + taken < end { 1 } else { AT_ONCE.min(2 * at_once) };
            start += taken;
        }
        Ok(())
    }

    /// The same for rows of which only the last has gaps, up to one that `judge` replaces: how many that were.
    fn run_part(
        &mut self,
        model: &mut Model,
        rows: Matrix<f64>,
        n_threads: Option<usize>,
        judge: &mut impl FnMut(Judged) -> Option<Vec<f64>>,
    ) -> Result<usize> {
        let window_size = self.window.len() / self.n_columns;
        self.window.extend_from_slice(rows.values());
        let series = Panel::one(Matrix::new(&self.window, self.n_columns)?);
        let origins: Vec<(usize, usize)> = (0..rows.n_rows()).map(|row| (0, window_size + row)).collect();
        let forecasts = model.forecast_series(&series, &origins, n_threads);
        let forecasts = match forecasts.and_then(|found| self.checked(model, found)) {
            Ok(forecasts) => forecasts,
            Err(error) => {
                // as if the rows had never come
                self.window.truncate(window_size * self.n_columns);
                return Err(error);
            }
        };
        let (mut taken, mut replaced) = (0, None);
        for forecast in forecasts.chunks_exact(self.horizon * self.n_columns) {
            let mut forecast = forecast.to_vec();
            let before = &self.window[(window_size + taken - 1) * self.n_columns..][..self.n_columns];
            for step in forecast.chunks_exact_mut(self.n_columns) {
                for &column in &self.still {
                    step[column] = before[column];
                }
            }
            self.pending.push_front(forecast);
            self.pending.truncate(self.horizon);
            replaced = judge(self.judged(rows.row(taken)));
            taken += 1;
            if replaced.is_some() {
                break;
            }
        }
        self.window.truncate((window_size + taken) * self.n_columns);
        let newest = self.window.len() - self.n_columns;
        if let Some(values) = replaced {
            self.window[newest..].copy_from_slice(&values);
        }
        if let Some(forecasts) = self.pending.front() {
            for (value, forecast) in self.window[newest..].iter_mut().zip(forecasts) {
                if value.is_nan() {
                    *value = *forecast;
                }
            }
        }
        self.window.drain(..taken * self.n_columns);
        Ok(taken)
    }

    /// Forecasts, or an error that names the value of the window for which the first of them isn't finite.
    fn checked(&self, model: &Model, forecasts: Vec<f64>) -> Result<Vec<f64>> {
        let Some(at) = forecasts.iter().position(|forecast| !forecast.is_finite()) else { return Ok(forecasts) };
        let column = at % self.n_columns;
        let center = model.scalers().1.center[column];
        let values = self.window.iter().skip(column).step_by(self.n_columns).filter(|value| !value.is_nan());
        let farthest = values.copied().max_by(|a, b| (a - center).abs().total_cmp(&(b - center).abs()));
        let expected = "expected values of which the network can make a forecast";
        Err(Error::Value(format!("{expected}, got {:e} in column {column} of X", farthest.unwrap_or(f64::NAN))))
    }

    fn judged(&self, truth: &[f64]) -> Judged {
        let mut errors = vec![f64::NAN; self.horizon * self.n_columns];
        let leads = errors.chunks_exact_mut(self.n_columns).zip(&self.pending);
        for (lead, (errors, forecast)) in leads.enumerate() {
            let forecast = &forecast[lead * self.n_columns..];
            for ((error, truth), forecast) in errors.iter_mut().zip(truth).zip(forecast) {
                *error = truth - forecast;
            }
        }
        Judged { forecast: self.pending[0][..self.n_columns].to_vec(), errors }
    }
}

fn has_gap(row: &[f64]) -> bool {
    row.iter().any(|value| value.is_nan())
}
