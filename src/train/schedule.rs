//! Learning-rate schedules.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate goes on in the course of a training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrSchedule {
    /// It stays.
    Constant,
    /// It is cut when the loss stops falling: [`ReduceLrOnPlateau`].
    #[default]
    Plateau,
    /// It falls to zero along half a cosine (`torch.optim.lr_scheduler.CosineAnnealingLR`, stepped after every batch).
    Cosine,
    /// It rises from a 25th and falls to almost nothing, both along half a cosine: `torch.optim.lr_scheduler.OneCycleLR` with
    /// its defaults, momentum aside (Smith & Topin 2018).
    OneCycle,
}

/// The part of the steps in which one cycle rises.
const RISE: f64 = 0.3;
const FIRST_RATE: f64 = 1.0 / 25.0;
const LAST_RATE: f64 = FIRST_RATE / 1e4;

impl LrSchedule {
    /// What the learning rate is multiplied by at `step`, from 0, of `n_steps`; 1 where the loss decides about it.
    pub fn factor(self, step: usize, n_steps: usize) -> f64 {
        let (step, n_steps) = (step as f64, n_steps as f64);
        match self {
            Self::Constant | Self::Plateau => 1.0,
            Self::Cosine => anneal(1.0, 0.0, step / n_steps),
            Self::OneCycle => {
                let top = RISE * n_steps - 1.0;
                if step <= top {
                    anneal(FIRST_RATE, 1.0, step / top)
                } else {
                    anneal(1.0, LAST_RATE, (step - top) / (n_steps - 1.0 - top))
                }
            }
        }
    }
}

/// From one number to another along half a cosine.
fn anneal(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (PI * progress).cos())
}

/// Cuts the rate when the loss stops falling: `torch.optim.lr_scheduler.ReduceLROnPlateau` with its defaults
/// (`mode="min"`, relative threshold 1e-4, no cooldown, changes below 1e-8 left out).
#[derive(Debug, Clone)]
pub struct ReduceLrOnPlateau {
    patience: usize,
    factor: f64,
    best: f64,
    n_bad: usize,
}

const THRESHOLD: f64 = 1e-4;
const LEAST_CHANGE: f64 = 1e-8;

impl ReduceLrOnPlateau {
    /// After more than `patience` epochs without improvement the rate is multiplied by `factor`.
    pub fn new(patience: usize, factor: f64) -> Self {
        Self { patience, factor, best: f64::INFINITY, n_bad: 0 }
    }

    /// The best loss, and how many epochs in a row were no better.
    pub(super) fn state(&self) -> [f64; 2] {
        [self.best, self.n_bad as f64]
    }

    pub(super) fn resume(&mut self, best: f64, n_bad: usize) {
        (self.best, self.n_bad) = (best, n_bad);
    }

    /// Takes the epoch's loss and the rate, gives the next rate.
    pub fn step(&mut self, loss: f64, learning_rate: f64) -> f64 {
        if loss < self.best * (1.0 - THRESHOLD) {
            self.best = loss;
            self.n_bad = 0;
        } else {
            self.n_bad += 1;
        }
        if self.n_bad <= self.patience {
            return learning_rate;
        }
        self.n_bad = 0;
        let reduced = learning_rate * self.factor;
        if learning_rate - reduced > LEAST_CHANGE {
            reduced
        } else {
            learning_rate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_rises_and_falls() {
        let factors: Vec<f64> = (0..101).map(|step| LrSchedule::OneCycle.factor(step, 101)).collect();
        // the top lies between the steps 29 and 30: 0.3 * 101 - 1 = 29.3
        assert!(factors[..30].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(factors[30..].windows(2).all(|pair| pair[0] > pair[1]));
        // to rounding of the cosine of a multiple of a half turn
        assert!((factors[0] - 0.04).abs() < 1e-15 && (factors[100] - 4e-6).abs() < 1e-15);
        assert!(factors[29] > 0.999 && factors[30] > 0.999);
    }

    #[test]
    fn a_cosine_is_half_way_in_the_middle() {
        assert_eq!(LrSchedule::Cosine.factor(0, 8), 1.0);
        assert!((LrSchedule::Cosine.factor(4, 8) - 0.5).abs() < 1e-15);
        assert!(LrSchedule::Cosine.factor(7, 8) > 0.0);
        assert_eq!(LrSchedule::Plateau.factor(7, 8), 1.0);
    }

    #[test]
    fn the_rate_falls_after_patience_bad_epochs() {
        let mut schedule = ReduceLrOnPlateau::new(1, 0.5);
        let mut rate = 1.0;
        let rates: Vec<f64> = [3.0, 2.0, 2.0, 2.0, 1.0, 1.5, 1.5]
            .iter()
            .map(|&loss| {
                rate = schedule.step(loss, rate);
                rate
            })
            .collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
    }
}
