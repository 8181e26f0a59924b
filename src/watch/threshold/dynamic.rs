//! Nonparametric dynamic thresholds with error pruning (Hundman et al. 2018, section 3.2 and 3.3), for streams.

use serde::{Deserialize, Serialize};

use super::ring::Ring;

/// Standard deviations above the mean that are tried, in this step.
const LEAST_Z: f64 = 2.5;
const MOST_Z: f64 = 12.0;
const STEP_Z: f64 = 0.5;

/// How the threshold is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicConfig {
    /// Scores that it is found from, the newest.
    pub window: usize,
    /// Scores after which it is found anew.
    pub every: usize,
    /// Least part by which a peak must stand above what isn't one; below 1.
    pub pruning: f64,
}

/// The threshold above which the scores of a window stand out the most for their number, raised to where a new peak would
/// survive pruning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dynamic {
    pub(super) config: DynamicConfig,
    pub(super) scores: Ring,
    since: usize,
    pub(super) level: f64,
}

impl Dynamic {
    /// Begins with these scores, at least one.
    pub fn fit(config: DynamicConfig, scores: &[f64]) -> Self {
        let mut ring = Ring::new(config.window);
        for &score in scores {
            ring.push(score);
        }
        let level = level_of(&ring, config.pruning);
        Self { config, scores: ring, since: 0, level }
    }

    /// What the next score is held against.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Learns a score.
    pub fn push(&mut self, score: f64) {
        self.scores.push(score);
        self.since += 1;
        if self.since >= self.config.every {
            self.since = 0;
            self.level = level_of(&self.scores, self.config.pruning);
        }
    }
}

/// The least score that, were it the next peak, both steps of the paper would call an anomaly.
fn level_of(scores: &Ring, pruning: f64) -> f64 {
    let epsilon = best_epsilon(scores);
    // peaks from the highest to the lowest, and below them what is no peak
    let mut peaks = peaks_above(scores, epsilon);
    peaks.sort_by(|a, b| b.total_cmp(a));
    let below = scores.iter().filter(|&score| score <= epsilon).fold(f64::NEG_INFINITY, f64::max);
    peaks.push(below);
    // the highest of those that no later fall of more than `pruning` parts from what is no peak
    let falls = peaks.windows(2).map(|pair| pair[0] - pair[1] > pruning * pair[0].abs());
    let n_kept = falls.enumerate().filter(|(_, falls)| *falls).map(|(at, _)| at + 1).next_back().unwrap_or(0);
    let nominal = peaks[n_kept];
    epsilon.max(if nominal > 0.0 { nominal / (1.0 - pruning) } else { nominal })
}

/// The threshold without which mean and deviation would fall the most, for the anomalies that it makes.
fn best_epsilon(scores: &Ring) -> f64 {
    let (mean, deviation) = moments(scores.iter());
    let n_steps = ((MOST_Z - LEAST_Z) / STEP_Z).round();
    let (mut best, mut most) = (mean + MOST_Z * deviation, f64::NEG_INFINITY);
    let mut z = LEAST_Z;
    while deviation > 0.0 && z <= LEAST_Z + n_steps * STEP_Z {
        let epsilon = mean + z * deviation;
        let n_above = scores.iter().filter(|&score| score > epsilon).count();
        if n_above == 0 {
            break;
        }
        let (mean_below, deviation_below) = moments(scores.iter().filter(|&score| score <= epsilon));
        let n_runs = peaks_above(scores, epsilon).len();
        let falls = (mean - mean_below) / mean + (deviation - deviation_below) / deviation;
        let merit = falls / (n_above + n_runs * n_runs) as f64;
        if merit >= most {
            (best, most) = (epsilon, merit);
        }
        z += STEP_Z;
    }
    best
}

/// The greatest score of each run above a threshold, in time order.
fn peaks_above(scores: &Ring, threshold: f64) -> Vec<f64> {
    let (mut peaks, mut above) = (Vec::new(), false);
    for score in scores.iter() {
        if score > threshold {
            match peaks.last_mut() {
                Some(peak) if above => *peak = score.max(*peak),
                _ => peaks.push(score),
            }
        }
        above = score > threshold;
    }
    peaks
}

/// Mean and standard deviation (`ddof` 0) of at least one number.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(scores: &[f64], pruning: f64) -> Dynamic {
        Dynamic::fit(DynamicConfig { window: 100, every: 10, pruning }, scores)
    }

    #[test]
    fn a_peak_that_stands_out_is_above_and_its_foot_is_below() {
        let mut scores = [1.0, 1.2, 0.8, 1.1, 0.9].repeat(20);
        scores[50] = 10.0;
        let level = fitted(&scores, 0.13).level();
        assert!(level > 1.2 / 0.87 - 1e-12 && level < 10.0, "{level}");
    }

    #[test]
    fn peaks_that_fall_off_slowly_are_nominal() {
        // epsilon lies between 3 and 2.85: one peak, which falls by 5 % to what is below
        let mut scores = vec![1.0; 100];
        (scores[10], scores[40], scores[70]) = (3.0, 2.85, 2.71);
        assert!((fitted(&scores, 0.13).level() - 3.0 / 0.87).abs() < 1e-12);
        let level = fitted(&scores, 0.01).level();
        assert!(level > 2.85 && level < 3.0, "{level}");
    }

    #[test]
    fn it_is_found_anew_after_so_many_scores() {
        let mut threshold = fitted(&[1.0, 2.0].repeat(50), 0.1);
        let before = threshold.level();
        for _ in 0..9 {
            threshold.push(50.0);
            assert_eq!(threshold.level(), before);
        }
        threshold.push(50.0);
        assert_ne!(threshold.level(), before);
    }

    #[test]
    fn scores_that_are_all_alike_leave_room_above() {
        assert!((fitted(&[2.0; 30], 0.5).level() - 4.0).abs() < 1e-12);
        assert_eq!(fitted(&[0.0; 30], 0.5).level(), 0.0);
    }
}
