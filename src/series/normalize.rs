//! Normalisation inside the window: what makes a network trained on one level of a series forecast another.

use serde::{Deserialize, Serialize};

/// How a window is brought to a common level before the network sees it, and back afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// The last value of each target variable is subtracted from its window and added back to its forecasts, so that an
    /// untrained network forecasts "same as now" (NLinear: Zeng et al. 2023, "Are Transformers Effective for Time Series
    /// Forecasting?").
    Last,
}

impl Normalize {
    /// Brings one window `(window_size, n_features)` to its level, and its target `(horizon, n_targets)` if there is one.
    ///
    /// The targets are the first `n_targets` features; the other features are left alone.
    pub fn apply(self, window: &mut [f32], n_features: usize, target: &mut [f32], n_targets: usize) {
        let Self::Last = self;
        let (body, last) = window.split_at_mut(window.len() - n_features);
        let level = &last[..n_targets];
        for step in body.chunks_exact_mut(n_features) {
            subtract(&mut step[..n_targets], level);
        }
        for step in target.chunks_exact_mut(n_targets) {
            subtract(step, level);
        }
        last[..n_targets].fill(0.0);
    }

    /// Brings a forecast `(horizon, n_targets)` back, given the last row of the window it was made from.
    pub fn revert(self, forecast: &mut [f32], last_row: &[f32], n_targets: usize) {
        let Self::Last = self;
        for step in forecast.chunks_exact_mut(n_targets) {
            for (value, level) in step.iter_mut().zip(last_row) {
                *value += level;
            }
        }
    }
}

fn subtract(values: &mut [f32], level: &[f32]) {
    for (value, level) in values.iter_mut().zip(level) {
        *value -= level;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_move_and_come_back() {
        let mut window = [1.0, 10.0, 3.0, 20.0];
        let mut target = [4.0, 5.0];
        Normalize::Last.apply(&mut window, 2, &mut target, 1);
        assert_eq!(window, [-2.0, 10.0, 0.0, 20.0]);
        assert_eq!(target, [1.0, 2.0]);
        Normalize::Last.revert(&mut target, &[3.0, 20.0], 1);
        assert_eq!(target, [4.0, 5.0]);
    }
}
