//! Thresholds that follow the scores: each learns one score at a time, in constant time and memory.

pub mod dynamic;
pub mod ewma;
pub mod pareto;
pub mod pot;
pub mod quantile;
pub mod ring;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use dynamic::{Dynamic, DynamicConfig};
use ewma::{Ewma, EwmaConfig};
use pot::{Pot, PotConfig};
use quantile::{Quantile, QuantileConfig};

/// Which threshold, and how it is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdConfig {
    /// Nonparametric and dynamic.
    Dynamic(DynamicConfig),
    /// A rolling quantile.
    Quantile(QuantileConfig),
    /// A band above an exponentially weighted mean.
    Ewma(EwmaConfig),
    /// Peaks over threshold.
    Pot(PotConfig),
}

/// A threshold and all that it remembers of the scores so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// See [`ThresholdConfig::Dynamic`].
    Dynamic(Dynamic),
    /// See [`ThresholdConfig::Quantile`].
    Quantile(Quantile),
    /// See [`ThresholdConfig::Ewma`].
    Ewma(Ewma),
    /// See [`ThresholdConfig::Pot`].
    Pot(Pot),
}

impl ThresholdConfig {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first number that doesn't.
    pub fn check(&self) -> Result<()> {
        let inside = |value: f64| value > 0.0 && value < 1.0;
        let least = |name, value: usize| (name, value >= 1, "at least 1", value as f64);
        let checks = match *self {
            Self::Dynamic(DynamicConfig { window, every, pruning }) => vec![
                least("window", window),
                least("every", every),
                ("pruning", (0.0..1.0).contains(&pruning), "at least 0 and below 1", pruning),
            ],
            Self::Quantile(QuantileConfig { window, level, factor }) => vec![
                least("window", window),
                ("level", inside(level), "between 0 and 1", level),
                ("factor", factor > 0.0, "above 0", factor),
            ],
            Self::Ewma(EwmaConfig { span, n_sigmas }) => {
                vec![("span", span >= 1.0, "at least 1", span), ("n_sigmas", n_sigmas > 0.0, "above 0", n_sigmas)]
            }
            Self::Pot(PotConfig { risk, level, n_peaks }) => vec![
                ("risk", inside(risk), "between 0 and 1", risk),
                ("level", inside(level), "between 0 and 1", level),
                least("n_peaks", n_peaks),
            ],
        };
        match checks.into_iter().find(|(_, holds, ..)| !holds) {
            Some((name, _, expected, got)) => Err(Error::Value(format!("expected {name} {expected}, got {got}"))),
            None => Ok(()),
        }
    }
}

impl Threshold {
    /// Begins with these scores, in time order; those that aren't known are left out.
    ///
    /// # Errors
    /// As [`ThresholdConfig::check`]; [`Error::TooShort`] where no score is known.
    pub fn fit(config: &ThresholdConfig, scores: &[f64]) -> Result<Self> {
        config.check()?;
        let known: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
        if known.is_empty() {
            return Err(Error::too_short("at least 1 score for a threshold", "none"));
        }
        Ok(match *config {
            ThresholdConfig::Dynamic(config) => Self::Dynamic(Dynamic::fit(config, &known)),
            ThresholdConfig::Quantile(config) => Self::Quantile(Quantile::fit(config, &known)),
            ThresholdConfig::Ewma(config) => Self::Ewma(Ewma::fit(config, &known)),
            ThresholdConfig::Pot(config) => Self::Pot(Pot::fit(config, &known)),
        })
    }

    /// What the next score is held against: an anomaly lies above it.
    pub fn level(&self) -> f64 {
        match self {
            Self::Dynamic(threshold) => threshold.level(),
            Self::Quantile(threshold) => threshold.level(),
            Self::Ewma(threshold) => threshold.level(),
            Self::Pot(threshold) => threshold.level(),
        }
    }

    /// Learns a score; one that isn't known changes nothing.
    pub fn push(&mut self, score: f64) {
        if !score.is_finite() {
            return;
        }
        match self {
            Self::Dynamic(threshold) => threshold.push(score),
            Self::Quantile(threshold) => threshold.push(score),
            Self::Ewma(threshold) => threshold.push(score),
            Self::Pot(threshold) => threshold.push(score),
        }
    }

    /// Whether a state from a file can be gone on with.
    ///
    /// # Errors
    /// [`Error::Format`] where it can't.
    pub fn check(&self) -> Result<()> {
        let (config, sound) = match self {
            Self::Dynamic(t) => (ThresholdConfig::Dynamic(t.config), t.scores.is_sound()),
            Self::Quantile(t) => (ThresholdConfig::Quantile(t.config), t.scores.is_sound() && t.is_sorted_alike()),
            Self::Ewma(t) => (ThresholdConfig::Ewma(t.config), true),
            Self::Pot(t) => (ThresholdConfig::Pot(t.config), t.is_sound()),
        };
        config.check()?;
        if sound && self.level().is_finite() {
            return Ok(());
        }
        Err(Error::Format("a threshold that doesn't go with its scores".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [ThresholdConfig; 4] {
        [
            ThresholdConfig::Dynamic(DynamicConfig { window: 50, every: 5, pruning: 0.13 }),
            ThresholdConfig::Quantile(QuantileConfig { window: 50, level: 0.99, factor: 1.0 }),
            ThresholdConfig::Ewma(EwmaConfig { span: 20.0, n_sigmas: 4.0 }),
            ThresholdConfig::Pot(PotConfig { risk: 1e-3, level: 0.9, n_peaks: 30 }),
        ]
    }

    #[test]
    fn a_state_that_was_written_goes_on_with_the_same_bits() {
        let scores: Vec<f64> = (0..300).map(|i| f64::from(i * 37 % 101) / 50.0).collect();
        for config in all() {
            let mut threshold = Threshold::fit(&config, &scores[..120]).unwrap();
            let mut copy: Threshold = serde_json::from_value(serde_json::to_value(&threshold).unwrap()).unwrap();
            copy.check().unwrap();
            for &score in &scores[120..] {
                assert_eq!(threshold.level().to_bits(), copy.level().to_bits(), "{config:?}");
                threshold.push(score);
                copy.push(score);
            }
        }
    }

    #[test]
    fn what_is_not_known_changes_nothing() {
        for config in all() {
            let mut threshold = Threshold::fit(&config, &[1.0, f64::NAN, 2.0, 3.0]).unwrap();
            assert_eq!(threshold, Threshold::fit(&config, &[1.0, 2.0, 3.0]).unwrap());
            let before = threshold.clone();
            threshold.push(f64::NAN);
            assert_eq!(threshold, before);
            assert!(Threshold::fit(&config, &[f64::NAN]).is_err());
        }
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        let text = |config: ThresholdConfig| config.check().unwrap_err().to_string();
        let pot = PotConfig { risk: 0.0, level: 0.9, n_peaks: 30 };
        assert_eq!(text(ThresholdConfig::Pot(pot)), "expected risk between 0 and 1, got 0");
        let dynamic = DynamicConfig { window: 0, every: 5, pruning: 0.1 };
        assert_eq!(text(ThresholdConfig::Dynamic(dynamic)), "expected window at least 1, got 0");
        assert!(all().iter().all(|config| config.check().is_ok()));
    }
}
