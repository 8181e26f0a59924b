//! Errors of many forecasts to one smoothed score.

use serde::{Deserialize, Serialize};

/// Errors that a usual size is the mean of, at most: beyond, the oldest weigh less and less.
const MOST_ERRORS: f64 = 10_000.0;

/// What scales and smooths errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorer {
    /// The usual size of an error, of each step ahead and column: `(horizon, n_columns)`, above 0.
    spreads: Vec<f64>,
    /// Errors that they are the means of.
    n_errors: f64,
    /// The newest error weighs `2 / (span + 1)`.
    span: f64,
    /// Smoothed errors of each column; NaN before the first.
    smoothed: Vec<f64>,
}

impl Scorer {
    /// Knows nothing of what was before but usual sizes, the means of `n_errors`, at least 1.
    pub fn new(spreads: Vec<f64>, n_errors: usize, n_columns: usize, span: f64) -> Self {
        Self { spreads, n_errors: n_errors as f64, span, smoothed: vec![f64::NAN; n_columns] }
    }

    /// With other sizes of errors.
    pub fn with_spreads(self, spreads: Vec<f64>) -> Self {
        Self { spreads, ..self }
    }

    /// Whether a state from elsewhere can be gone on with.
    pub fn is_sound(&self, horizon: usize, n_columns: usize) -> bool {
        let sizes = (self.spreads.len(), self.smoothed.len()) == (horizon * n_columns, n_columns);
        let are_finite = [self.span, self.n_errors].iter().chain(&self.spreads).all(|number| number.is_finite())
            && self.smoothed.iter().all(|value| !value.is_infinite());
        sizes
            && are_finite
            && self.span >= 1.0
            && self.n_errors >= 1.0
            && self.spreads.iter().all(|&spread| spread > 0.0)
    }

    /// The usual size of an error a step ahead, of each column.
    pub fn one_step_spreads(&self) -> &[f64] {
        &self.spreads[..self.smoothed.len()]
    }

    /// The smoothed errors of the columns after those of the newest row: each its mean over the forecasts that were made of
    /// it, in units of their usual sizes so far. A column whose value is missing stays where it was.
    pub fn push(&mut self, errors: &[f64]) -> &[f64] {
        self.smooth(errors);
        self.learn(errors);
        &self.smoothed
    }

    fn smooth(&mut self, errors: &[f64]) {
        let (n_columns, alpha) = (self.smoothed.len(), 2.0 / (self.span + 1.0));
        for (column, smoothed) in self.smoothed.iter_mut().enumerate() {
            let (mut sum, mut n) = (0.0, 0.0);
            let of_column = errors.iter().zip(&self.spreads).skip(column).step_by(n_columns);
            for (error, spread) in of_column.filter(|(error, _)| !error.is_nan()) {
                sum += error.abs() / spread;
                n += 1.0;
            }
            if n > 0.0 {
                let newest: f64 = sum / n;
                *smoothed = if smoothed.is_nan() { newest } else { *smoothed + alpha * (newest - *smoothed) };
            }
        }
    }

    fn learn(&mut self, errors: &[f64]) {
        self.n_errors = (self.n_errors + 1.0).min(MOST_ERRORS);
        for (spread, error) in self.spreads.iter_mut().zip(errors).filter(|(_, error)| !error.is_nan()) {
            // a series without errors keeps what it began with, above 0
            *spread += ((error.abs() - *spread) / self.n_errors).max(-0.5 * *spread);
            *spread = spread.max(f64::MIN_POSITIVE);
        }
    }
}

/// The root mean square over columns, between their mean and their maximum; NaN where nothing is known.
pub fn joint(smoothed: &[f64]) -> f64 {
    let known = || smoothed.iter().filter(|value| !value.is_nan());
    let mean_square = |unit: f64| {
        let (sum, n) = known().fold((0.0, 0.0_f64), |(sum, n), value| (sum + (value / unit).powi(2), n + 1.0));
        sum / n
    };
    match mean_square(1.0) {
        // the square of what is farther than 1e154 away has no end, its root has
        mean if mean.is_infinite() => {
            let greatest = known().copied().fold(0.0, f64::max);
            greatest * mean_square(greatest).sqrt()
        }
        mean => mean.sqrt(),
    }
}

/// The usual size of errors: the mean of their absolute values, of each step ahead and column, and nowhere less than
/// `least` of the column.
pub fn spreads<'e>(errors: impl Iterator<Item = &'e [f64]>, n: usize, least: &[f64]) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; n], vec![0.0_f64; n]);
    for errors in errors {
        for ((sum, count), error) in sums.iter_mut().zip(&mut counts).zip(errors) {
            if !error.is_nan() {
                *sum += error.abs();
                *count += 1.0;
            }
        }
    }
    let means = sums.iter().zip(counts).map(|(sum, count)| sum / count.max(1.0));
    means.zip(least.iter().cycle()).map(|(mean, least)| mean.max(*least)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn errors_are_scaled_averaged_over_steps_and_smoothed() {
        // two steps ahead, two columns; span 3: the newest weighs a half
        let mut scorer = Scorer::new(vec![1.0, 2.0, 4.0, 8.0], usize::MAX, 2, 3.0);
        let sizes = scorer.spreads.clone();
        for (errors, expected) in [
            ([3.0, -4.0, NAN, NAN], [3.0, 2.0]),
            ([-1.0, NAN, 12.0, NAN], [2.5, 2.0]),
            ([0.5, 0.0, 2.0, 0.0], [1.5, 1.0]),
        ] {
            assert_eq!(scorer.push(&errors), expected);
            // their usual sizes, held still here
            scorer.spreads.clone_from(&sizes);
        }
    }

    #[test]
    fn usual_sizes_are_means_of_all_errors_so_far() {
        let mut scorer = Scorer::new(vec![1.0], 1, 1, 1.0);
        assert_eq!(scorer.push(&[-3.0]), [3.0]);
        assert_eq!(scorer.push(&[5.0]), [2.5]);
        assert_eq!(scorer.spreads, [3.0]);
        scorer.push(&[NAN]);
        assert_eq!(scorer.spreads, [3.0]);
    }

    #[test]
    fn columns_are_joined_by_their_root_mean_square() {
        assert_eq!(joint(&[3.0, NAN, 4.0]), 12.5_f64.sqrt());
        assert!(joint(&[NAN]).is_nan());
        assert_eq!(joint(&[3e200, NAN, 4e200]), 12.5_f64.sqrt() * 1e200);
    }

    #[test]
    fn the_usual_size_has_a_floor() {
        let errors = [[1.0, 0.0], [-3.0, NAN]];
        assert_eq!(spreads(errors.iter().map(|each| &each[..]), 2, &[0.1, 0.2]), [2.0, 0.2]);
    }
}
