//! A band above the exponentially weighted mean (Roberts 1959; variance as Finch 2009).

use serde::{Deserialize, Serialize};

/// How far back the mean looks, and how wide the band is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EwmaConfig {
    /// The newest score weighs `2 / (span + 1)`, as in pandas.
    pub span: f64,
    /// Standard deviations from the mean to the threshold.
    pub n_sigmas: f64,
}

/// Mean and variance whose weights fall off exponentially.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ewma {
    pub(super) config: EwmaConfig,
    mean: f64,
    variance: f64,
}

impl Ewma {
    /// Begins at the moments of the first `span` of these scores, of which there is at least one, and learns the others.
    pub fn fit(config: EwmaConfig, scores: &[f64]) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at least 1
        let (first, others) = scores.split_at(scores.len().min(config.span.ceil() as usize));
        let n = first.len() as f64;
        let mean = first.iter().sum::<f64>() / n;
        let variance = first.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n;
        let mut band = Self { config, mean, variance };
        for &score in others {
            band.push(score);
        }
        band
    }

    /// What the next score is held against.
    pub fn level(&self) -> f64 {
        self.mean + self.config.n_sigmas * self.variance.sqrt()
    }

    /// Learns a score, one above the band as if it lay on it: a spike shall not open the door to the next.
    pub fn push(&mut self, score: f64) {
        let alpha = 2.0 / (self.config.span + 1.0);
        let difference = score.min(self.level()) - self.mean;
        self.mean += alpha * difference;
        self.variance = (1.0 - alpha) * (self.variance + alpha * difference * difference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_calculation_agrees() {
        // alpha = 1/2; mean 2, variance 1 of the beginning
        let mut band = Ewma::fit(EwmaConfig { span: 3.0, n_sigmas: 2.0 }, &[1.0, 3.0]);
        assert_eq!(band.level(), 4.0);
        band.push(1.0);
        // mean 2 - 1/2; variance 1/2 * (1 + 1/2)
        assert_eq!((band.mean, band.variance), (1.5, 0.75));
        // 100 counts as the threshold: 2 * sqrt(0.75) above the mean, with a square of 3
        let level = band.level();
        band.push(100.0);
        assert!((band.mean - f64::midpoint(1.5, level)).abs() < 1e-15);
        assert!((band.variance - 0.5 * (0.75 + 0.5 * 3.0)).abs() < 1e-15);
    }
}
