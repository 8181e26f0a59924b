//! A quantile of the newest scores.

use serde::{Deserialize, Serialize};

use super::ring::Ring;

/// Which quantile, of how many scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantileConfig {
    /// Scores that it is taken of, the newest.
    pub window: usize,
    /// Part of them that lies below it; between 0 and 1.
    pub level: f64,
    /// By what it is multiplied.
    pub factor: f64,
}

/// The rolling quantile, between order statistics as `numpy.quantile` does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    pub(super) config: QuantileConfig,
    pub(super) scores: Ring,
    /// The same scores in ascending order: one more costs two binary searches and a move of some kilobytes.
    pub(super) sorted: Vec<f64>,
}

impl Quantile {
    /// Begins with these scores, at least one.
    pub fn fit(config: QuantileConfig, scores: &[f64]) -> Self {
        let mut quantile = Self { config, scores: Ring::new(config.window), sorted: Vec::new() };
        for &score in &scores[scores.len().saturating_sub(config.window)..] {
            quantile.push(score);
        }
        quantile
    }

    /// What the next score is held against.
    pub fn level(&self) -> f64 {
        let at = self.config.level * (self.sorted.len() - 1) as f64;
        let below = at.floor();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place within the vector
        let (low, high) = (self.sorted[below as usize], self.sorted[at.ceil() as usize]);
        self.config.factor * (low + (at - below) * (high - low))
    }

    /// Learns a score.
    pub fn push(&mut self, score: f64) {
        let place = |sorted: &[f64], score: f64| sorted.partition_point(|other| *other < score);
        if let Some(gone) = self.scores.push(score) {
            self.sorted.remove(place(&self.sorted, gone));
        }
        self.sorted.insert(place(&self.sorted, score), score);
    }

    /// Whether both hold the same scores.
    pub(super) fn is_sorted_alike(&self) -> bool {
        let mut scores = self.scores.values().to_vec();
        scores.sort_by(f64::total_cmp);
        !scores.is_empty() && scores == self.sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_between_the_order_statistics_of_the_newest() {
        let config = QuantileConfig { window: 4, level: 0.5, factor: 2.0 };
        let mut quantile = Quantile::fit(config, &[9.0, 1.0]);
        assert_eq!(quantile.level(), 10.0);
        for score in [3.0, 2.0, 7.0, 7.0] {
            quantile.push(score);
        }
        // 2, 3, 7, 7
        assert_eq!(quantile.level(), 10.0);
    }
}
