//! Drawing a symbol: temperature, the most probable few (top-k), the nucleus (top-p).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};

/// How symbols are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SamplingConfig {
    /// What logits are divided by; 0: the most probable symbol is taken each time.
    pub temperature: f64,
    /// Only so many of the most probable symbols are drawn.
    pub top_k: Option<usize>,
    /// Only the fewest of the most probable symbols whose probabilities, among those that are left, sum up to this (Holtzman et
    /// al. 2020).
    pub top_p: Option<f64>,
    /// Seed.
    pub seed: u64,
}

impl SamplingConfig {
    /// Whether every number makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first that doesn't.
    pub fn check(&self) -> Result<()> {
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err(Error::Value(format!("expected temperature of at least 0, got {}", self.temperature)));
        }
        match (self.top_k, self.top_p) {
            (Some(0), _) => Err(Error::Value("expected top_k of at least 1, got 0".to_owned())),
            (_, Some(p)) if !(p > 0.0 && p <= 1.0) => {
                Err(Error::Value(format!("expected top_p above 0 and at most 1, got {p}")))
            }
            _ => Ok(()),
        }
    }
}

/// Draws symbols, one after the other.
#[derive(Debug, Clone)]
pub struct Sampler {
    config: SamplingConfig,
    rng: Rng,
    /// Symbols that may be drawn, with their probabilities up to a factor.
    candidates: Vec<(u32, f64)>,
}

impl Sampler {
    /// A sampler at the beginning of its seed's numbers.
    pub fn new(config: SamplingConfig) -> Self {
        Self { config, rng: Rng::new(config.seed, Purpose::Sampling), candidates: Vec::new() }
    }

    /// Draws a symbol from what logits say. One number of the generator is taken for each, whatever is drawn.
    pub fn draw(&mut self, logits: &[f32]) -> u32 {
        let chance = self.rng.unit();
        self.list(logits);
        if self.config.temperature == 0.0 {
            return self.candidates[0].0;
        }
        let total: f64 = self.candidates.iter().map(|(_, weight)| weight).sum();
        let mut left = chance * total;
        for &(symbol, weight) in &self.candidates {
            left -= weight;
            if left < 0.0 {
                return symbol;
            }
        }
        // rounding may leave a little of the last one's share
        self.candidates[self.candidates.len() - 1].0
    }

    /// Lists the candidates, the most probable first where not all of them are.
    fn list(&mut self, logits: &[f32]) {
        let SamplingConfig { temperature, top_k, top_p, .. } = self.config;
        self.candidates.clear();
        self.candidates.extend((0..).zip(logits.iter().map(|&logit| f64::from(logit))));
        if temperature == 0.0 || top_k.is_some() || top_p.is_some() {
            // equal ones stay in the order of symbols
            self.candidates.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            self.candidates.truncate(top_k.unwrap_or(logits.len()));
        }
        let greatest = self.candidates.iter().map(|&(_, logit)| logit).fold(f64::NEG_INFINITY, f64::max);
        let scale = if temperature == 0.0 { 1.0 } else { temperature };
        self.candidates.iter_mut().for_each(|(_, logit)| *logit = ((*logit - greatest) / scale).exp());
        if let Some(p) = top_p {
            self.keep_nucleus(p);
        }
    }

    fn keep_nucleus(&mut self, p: f64) {
        let mut missing = p * self.candidates.iter().map(|(_, weight)| weight).sum::<f64>();
        let before = self.candidates.iter().take_while(|(_, weight)| {
            missing -= weight;
            missing > 0.0
        });
        let n = before.count() + 1;
        self.candidates.truncate(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: SamplingConfig = SamplingConfig { temperature: 1.0, top_k: None, top_p: None, seed: 3 };
    /// Probabilities 0.1, 0.4, 0.2, 0.3.
    const SHARES: [f64; 4] = [0.1, 0.4, 0.2, 0.3];

    #[allow(clippy::cast_possible_truncation)]
    fn logits() -> [f32; 4] {
        SHARES.map(|p| (p.ln() + 7.0) as f32)
    }

    /// How often each symbol is drawn.
    fn drawn(config: SamplingConfig, n: u32) -> [f64; 4] {
        let (mut sampler, mut counts) = (Sampler::new(config), [0.0; 4]);
        (0..n).for_each(|_| counts[sampler.draw(&logits()) as usize] += 1.0 / f64::from(n));
        counts
    }

    #[test]
    fn symbols_come_as_often_as_they_should() {
        let by_square = SHARES.map(|p| p * p / 0.3);
        let cases = [
            (PLAIN, SHARES),
            (SamplingConfig { temperature: 0.5, ..PLAIN }, by_square),
            (SamplingConfig { top_k: Some(2), ..PLAIN }, [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]),
            (SamplingConfig { top_k: Some(9), top_p: Some(1.0), ..PLAIN }, SHARES),
            (SamplingConfig { top_p: Some(0.71), ..PLAIN }, [0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]),
            (SamplingConfig { top_p: Some(0.69), ..PLAIN }, [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]),
            (SamplingConfig { top_p: Some(1e-9), ..PLAIN }, [0.0, 1.0, 0.0, 0.0]),
            // of three, the first two have 7/9
            (SamplingConfig { top_k: Some(3), top_p: Some(0.77), ..PLAIN }, [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]),
            (SamplingConfig { temperature: 0.0, ..PLAIN }, [0.0, 1.0, 0.0, 0.0]),
        ];
        for (config, expected) in cases {
            for (share, expected) in drawn(config, 40_000).into_iter().zip(expected) {
                // five standard deviations of a share of 40,000 draws are 0.0125 at the most
                assert!(
                    (share - expected).abs() <= 0.0125 * f64::from(expected > 0.0),
                    "{config:?}: {share} {expected}"
                );
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let text = |seed| {
            let mut sampler = Sampler::new(SamplingConfig { seed, ..PLAIN });
            (0..40).map(|_| sampler.draw(&logits())).collect::<Vec<_>>()
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        let error = |config: SamplingConfig| config.check().unwrap_err().to_string();
        let temperature = SamplingConfig { temperature: -1.0, ..PLAIN };
        assert_eq!(error(temperature), "expected temperature of at least 0, got -1");
        assert_eq!(error(SamplingConfig { top_k: Some(0), ..PLAIN }), "expected top_k of at least 1, got 0");
        assert_eq!(error(SamplingConfig { top_p: Some(0.0), ..PLAIN }), "expected top_p above 0 and at most 1, got 0");
        assert!(PLAIN.check().is_ok());
    }
}
