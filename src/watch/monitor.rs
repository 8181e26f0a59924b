//! Three rooms in a row: forecast errors, smoothed scores, a threshold. One row after the other, in constant time.

use serde::{Deserialize, Serialize};

use super::feed::{Feed, Judged};
use super::scores::{joint, spreads, Scorer};
use super::threshold::{Threshold, ThresholdConfig};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::series::scale::{ranges, Range};
use crate::series::Matrix;

/// An error below this part of its column's scale is none: so much a network in single precision is off by itself, and what
/// is forecast without error shall not divide by zero.
const LEAST_SPREAD: f64 = 1e-4;
/// The same of a column that never moved, whose forecasts have no rounding, as a part of its size.
const LEAST_MOVE: f64 = 1e-6;
/// Values that differ by less than this part of their size differ by rounding.
const ROUNDING: f64 = 1e-12;

/// How scores and thresholds are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorConfig {
    /// Span of the exponentially weighted mean of errors, in rows; 1: none.
    pub smoothing: f64,
    /// The threshold.
    pub threshold: ThresholdConfig,
    /// What is forecast from a row lies at most so many usual errors from the forecast of it; `None`: it is the row.
    #[serde(default)]
    pub clip: Option<f64>,
}

/// Watches a series: what it remembers of it is of constant size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    feed: Feed,
    scorer: Scorer,
    threshold: Threshold,
    #[serde(default)]
    clip: Option<f64>,
}

/// What was found of rows, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// Forecasts a row ahead `(n, n_columns)`.
    pub forecasts: Vec<f64>,
    /// Smoothed errors in units of their usual sizes `(n, n_columns)`.
    pub errors: Vec<f64>,
    /// Their joint score `(n)`; NaN where nothing is known of a row.
    pub scores: Vec<f64>,
    /// What each score is held against `(n)`: made of those before it.
    pub thresholds: Vec<f64>,
}

impl Monitor {
    /// Learns from the rows `(n, n_columns)` that a model was fitted to, the first `n_train` of them with its weights, and
    /// stands at their end. The first window has no gaps.
    ///
    /// Errors of the rows that the weights were fitted to are smaller than those to come: each of the two parts is measured
    /// in its own usual sizes, and the second's are kept.
    ///
    /// # Errors
    /// As [`Feed::new`] and [`Threshold::fit`]; [`Error::TooShort`] for no row beyond a window.
    pub fn fit(
        model: &mut Model,
        config: &MonitorConfig,
        rows: Matrix<f64>,
        n_train: usize,
        n_threads: Option<usize>,
    ) -> Result<(Self, Findings)> {
        let window_size = model.config().window_size;
        if rows.n_rows() <= window_size {
            let expected = format!("more than {window_size} rows, those of a window,");
            return Err(Error::too_short(expected, rows.n_rows().to_string()));
        }
        if let Some(clip) = config.clip.filter(|clip| clip.is_nan() || *clip <= 0.0) {
            return Err(Error::Value(format!("expected clip above 0, got {clip}")));
        }
        if config.smoothing < 1.0 {
            return Err(Error::Value(format!("expected smoothing of at least 1, got {}", config.smoothing)));
        }
        let mut feed = Feed::new(model, rows.rows(0, window_size).values())?.with_still(still_columns(rows));
        let mut judged = Vec::new();
        let all = rows.rows(window_size, rows.n_rows());
        feed.run(model, all, n_threads, |row| {
            judged.push(row);
            None
        })?;
        let least = least_spreads(model, &feed, rows);
        let n_train = n_train.saturating_sub(window_size);
        let (scorer, mut findings) = score_parts(model, &judged, n_train, config.smoothing, &least);
        let threshold = Threshold::fit(&config.threshold, &findings.scores)?;
        findings.thresholds = vec![threshold.level(); findings.scores.len()];
        Ok((Self { feed, scorer, threshold, clip: config.clip }, findings))
    }

    /// Takes rows `(n, n_columns)` in, NaN what is missing.
    ///
    /// # Errors
    /// As [`Feed::run`]; it is then as if the rows had never come.
    pub fn run(&mut self, model: &mut Model, rows: Matrix<f64>, n_threads: Option<usize>) -> Result<Findings> {
        let before = self.clone();
        self.take(model, rows, n_threads).inspect_err(|_| *self = before)
    }

    fn take(&mut self, model: &mut Model, rows: Matrix<f64>, n_threads: Option<usize>) -> Result<Findings> {
        let Self { feed, scorer, threshold, clip } = self;
        let mut findings = Findings::default();
        feed.run(model, rows, n_threads, |row| {
            let clipped = clip.and_then(|clip| clipped(&row, scorer.one_step_spreads(), clip));
            let known = findings.add(scorer, &row);
            findings.thresholds.push(threshold.level());
            threshold.push(known);
            clipped
        })?;
        Ok(findings)
    }

    /// The same scores and thresholds after another window, as if nothing had been seen between.
    ///
    /// # Errors
    /// As [`Feed::new`].
    pub fn moved(&self, model: &Model, window: &[f64]) -> Result<Self> {
        let feed = Feed::new(model, window)?.with_still(self.feed.still().to_vec());
        Ok(Self { feed, ..self.clone() })
    }

    /// With the usual errors, scores and threshold of another, whose errors were of another model.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns or steps.
    pub fn with_scores_of(self, other: &Self) -> Result<Self> {
        let shape = |feed: &Feed| format!("a monitor of {} columns and {} steps", feed.n_columns(), feed.horizon());
        if shape(&self.feed) != shape(&other.feed) {
            return Err(Error::shape(shape(&self.feed), shape(&other.feed)));
        }
        Ok(Self { scorer: other.scorer.clone(), threshold: other.threshold.clone(), ..self })
    }

    /// Whether a state from a file can be gone on with.
    ///
    /// # Errors
    /// [`Error::Format`] or [`Error::Shape`] where it can't.
    pub fn check(&self, model: &Model) -> Result<()> {
        self.feed.check(model)?;
        if self.clip.is_some_and(|clip| !clip.is_finite() || clip <= 0.0) {
            return Err(Error::Format("a clip that is not above 0".to_owned()));
        }
        if !self.scorer.is_sound(self.feed.horizon(), self.feed.n_columns()) {
            return Err(Error::Format("a score that doesn't go with its model".to_owned()));
        }
        self.threshold.check()
    }
}

impl Findings {
    /// Appends what is known of a row without its threshold, and gives its score back.
    fn add(&mut self, scorer: &mut Scorer, row: &Judged) -> f64 {
        let smoothed = scorer.push(&row.errors);
        // a row without any value has no score, whatever the rows before it left
        let score = if row.errors.iter().all(|error| error.is_nan()) { f64::NAN } else { joint(smoothed) };
        self.forecasts.extend_from_slice(&row.forecast);
        self.errors.extend_from_slice(smoothed);
        self.scores.push(score);
        score
    }
}

/// A row whose values are at most `clip` usual errors from their forecasts; `None` where all of them are anyway.
fn clipped(row: &Judged, spreads: &[f64], clip: f64) -> Option<Vec<f64>> {
    let each = || row.forecast.iter().zip(&row.errors).zip(spreads);
    let is_beyond = |((_, error), spread): ((&f64, &f64), &f64)| error.abs() > clip * spread;
    each().any(is_beyond).then(|| {
        each().map(|((forecast, error), spread)| forecast + error.clamp(-clip * spread, clip * spread)).collect()
    })
}

/// Columns of which all known values are the same but for rounding.
fn still_columns(rows: Matrix<f64>) -> Vec<usize> {
    let still = |range: &Range| range.max - range.min <= ROUNDING * range.size();
    ranges(&[rows]).iter().enumerate().filter(|(_, range)| still(range)).map(|(column, _)| column).collect()
}

/// The least usual error of each column: what is rounding of the network, or of a column that never moved.
fn least_spreads(model: &Model, feed: &Feed, rows: Matrix<f64>) -> Vec<f64> {
    let mut least: Vec<f64> = model.scalers().1.scale.iter().map(|scale| scale.abs() * LEAST_SPREAD).collect();
    let ranges = ranges(&[rows]);
    for &column in feed.still() {
        // a column of zeros has no size: its scale is 1
        let size = ranges[column].size();
        least[column] = LEAST_MOVE * if size > 0.0 { size } else { 1.0 };
    }
    least
}

/// The scores of rows of which the first `n_train` were trained on.
fn score_parts(model: &Model, judged: &[Judged], n_train: usize, span: f64, least: &[f64]) -> (Scorer, Findings) {
    let n = model.config().n_targets;
    let usual = |part: &[Judged]| {
        let whole = model.config().horizon * n;
        spreads(part.iter().map(|row| &row.errors[..]), whole, least)
    };
    // a part of a few rows tells no usual size
    let n_train =
        if judged.len() - n_train.min(judged.len()) < 2 * model.config().horizon { judged.len() } else { n_train };
    let (train, held_out) = judged.split_at(n_train.min(judged.len()));
    let mut findings = Findings::default();
    let mut scorer = Scorer::new(vec![1.0; model.config().horizon * n], judged.len(), n, span);
    for part in [train, held_out].into_iter().filter(|part| !part.is_empty()) {
        let sizes = usual(part);
        for row in part {
            // those of the whole part: there is no past to be fair to
            scorer = scorer.with_spreads(sizes.clone());
            findings.add(&mut scorer, row);
        }
    }
    (scorer, findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_differ_by_rounding_never_moved() {
        let nan = f64::NAN;
        #[rustfmt::skip]
        let values = [
            1.0, 0.0, 1e6,        nan, 1e-9,
            1.0, 0.0, 1e6 + 1e-7, 3.0, 2e-9,
            nan, 0.0, 1e6 - 1e-7, 3.0, 1e-9,
        ];
        assert_eq!(still_columns(Matrix::new(&values, 5).unwrap()), [0, 1, 2, 3]);
    }

    #[test]
    fn what_is_beyond_the_clip_is_brought_to_it() {
        let row = Judged { forecast: vec![1.0, 2.0], errors: vec![0.5, -9.0, f64::NAN, f64::NAN] };
        assert_eq!(clipped(&row, &[1.0, 2.0], 3.0), Some(vec![1.5, -4.0]));
        assert_eq!(clipped(&row, &[1.0, 2.0], 4.5), None);
    }
}
