//! Peaks over threshold for streams (SPOT: Siffer et al. 2017): what lies above a high quantile has the tail of a
//! generalised Pareto distribution, of which the quantile of a given risk is the threshold.

use serde::{Deserialize, Serialize};

use super::pareto::Pareto;
use super::ring::Ring;

/// How rare an anomaly is, and what its rarity is found from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PotConfig {
    /// Probability that a normal score lies above the threshold.
    pub risk: f64,
    /// Part of the first scores below which none is a peak; between 0 and 1.
    pub level: f64,
    /// Peaks that the distribution is fitted to, the newest.
    pub n_peaks: usize,
}

/// Counts and excesses of the scores that were no anomalies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pot {
    pub(super) config: PotConfig,
    /// Above it a score is a peak.
    base: f64,
    pub(super) excesses: Ring,
    n_peaks: f64,
    n_scores: f64,
    pareto: Pareto,
}

impl Pot {
    /// Whether its parts could have come about.
    pub(super) fn is_sound(&self) -> bool {
        let counts = [self.n_peaks, self.n_scores];
        self.excesses.is_sound() && counts.iter().all(|count| count.is_finite() && *count >= 0.0)
    }

    /// Begins with these scores, at least one.
    pub fn fit(config: PotConfig, scores: &[f64]) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place within the vector
        let base = sorted[(config.level * (sorted.len() - 1) as f64) as usize];
        let mut excesses = Ring::new(config.n_peaks);
        let mut n_peaks = 0.0;
        for &score in scores.iter().filter(|&&score| score > base) {
            excesses.push(score - base);
            n_peaks += 1.0;
        }
        let pareto = Pareto::fit(excesses.values());
        Self { config, base, excesses, n_peaks, n_scores: scores.len() as f64, pareto }
    }

    /// What the next score is held against; never below what makes a peak.
    pub fn level(&self) -> f64 {
        if self.n_peaks == 0.0 {
            return self.base;
        }
        self.base + self.pareto.excess_of(self.config.risk * self.n_scores / self.n_peaks).max(0.0)
    }

    /// Learns a score, unless it is an anomaly.
    pub fn push(&mut self, score: f64) {
        if score > self.level() {
            return;
        }
        self.n_scores += 1.0;
        if score > self.base {
            self.n_peaks += 1.0;
            self.excesses.push(score - self.base);
            self.pareto = Pareto::fit(self.excesses.values());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles of the exponential distribution with mean 1, in a scattered order.
    fn exponential(n: usize) -> Vec<f64> {
        (0..n).map(|i| -(1.0 - ((i * 7919 % n) as f64 + 0.5) / n as f64).ln()).collect()
    }

    #[test]
    fn the_threshold_is_exceeded_as_rarely_as_was_asked() {
        let config = PotConfig { risk: 1e-4, level: 0.9, n_peaks: 2000 };
        let level = Pot::fit(config, &exponential(10_000)).level();
        // -ln(1e-4); 1000 excesses tell the shape to some 3 %, which at 7 means 5 % of the distance
        assert!((level + 1e-4_f64.ln()).abs() < 0.5, "{level}");
    }

    #[test]
    fn an_anomaly_is_not_learned_and_a_peak_is() {
        let config = PotConfig { risk: 1e-3, level: 0.9, n_peaks: 100 };
        let mut pot = Pot::fit(config, &exponential(1000));
        let before = pot.clone();
        pot.push(1e6);
        assert_eq!(pot, before);
        pot.push(before.level());
        assert!(pot.level() > before.level());
        pot.push(0.0);
        assert_eq!(pot.n_scores, 1002.0);
    }

    #[test]
    fn scores_that_are_all_alike_are_their_own_threshold() {
        let pot = Pot::fit(PotConfig { risk: 1e-3, level: 0.9, n_peaks: 10 }, &[2.0; 20]);
        assert_eq!(pot.level(), 2.0);
    }
}
