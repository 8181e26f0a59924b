//! How far a training has come: all that its loop knows, in one place that can be kept.

use super::config::TrainConfig;
use super::history::Epoch;
use super::observer::StopReason;
use super::schedule::{LrSchedule, ReduceLrOnPlateau};
use super::stop::EarlyStopping;
use crate::error::Result;

/// Steps that can be counted in double precision.
const MOST_STEPS: usize = 1 << 53;

/// The state of a training between two epochs, that of the learner aside.
#[derive(Debug, Clone)]
pub struct Progress {
    /// One record for each finished epoch.
    pub history: Vec<Epoch>,
    /// Optimiser steps taken.
    pub n_steps: usize,
    /// The rate of the next epoch, before the factor of a curve.
    pub learning_rate: f64,
    /// The least monitored loss, and its epoch; infinite and 0 before the first.
    pub best: (f64, usize),
    plateau: Option<ReduceLrOnPlateau>,
    stopping: Option<EarlyStopping>,
}

impl Progress {
    /// Nothing was done yet.
    pub fn new(config: &TrainConfig) -> Self {
        let plateau = config.lr_patience.filter(|_| config.lr_schedule == LrSchedule::Plateau);
        Self {
            history: Vec::new(),
            n_steps: 0,
            learning_rate: config.learning_rate,
            best: (f64::INFINITY, 0),
            plateau: plateau.map(|patience| ReduceLrOnPlateau::new(patience, config.lr_factor)),
            stopping: config.patience.map(|patience| EarlyStopping::new(patience, config.min_delta)),
        }
    }

    /// Records an epoch; true: it was the best so far.
    pub(super) fn record(&mut self, epoch: Epoch) -> bool {
        let monitored = epoch.monitored();
        let is_best = monitored < self.best.0;
        if is_best {
            self.best = (monitored, epoch.epoch);
        }
        if let Some(plateau) = &mut self.plateau {
            self.learning_rate = plateau.step(monitored, self.learning_rate);
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.step(monitored);
        }
        self.history.push(epoch);
        is_best
    }

    /// Why there is no further epoch, if there is none.
    pub(super) fn end(&self, config: &TrainConfig) -> Option<StopReason> {
        if !self.history.is_empty() && self.stopping.as_ref().is_some_and(EarlyStopping::is_over) {
            return Some(StopReason::Patience);
        }
        (self.history.len() >= config.max_epochs).then_some(StopReason::MaxEpochs)
    }

    /// All of it as numbers by name, the history aside; those that there are none of are 0.
    pub(super) fn numbers(&self) -> [(&'static str, f64); 8] {
        let [plateau_best, plateau_n_bad] = self.plateau.as_ref().map_or([0.0; 2], ReduceLrOnPlateau::state);
        let [stopping_best, stopping_n_bad] = self.stopping.as_ref().map_or([0.0; 2], EarlyStopping::state);
        [
            ("n_steps", self.n_steps as f64),
            ("learning_rate", self.learning_rate),
            ("best_loss", self.best.0),
            ("best_epoch", self.best.1 as f64),
            ("plateau_best", plateau_best),
            ("plateau_n_bad", plateau_n_bad),
            ("stopping_best", stopping_best),
            ("stopping_n_bad", stopping_n_bad),
        ]
    }

    /// Goes on from what [`Progress::numbers`] gave, by name, and its history.
    ///
    /// # Errors
    /// What `number` fails with.
    pub(super) fn resume(&mut self, history: Vec<Epoch>, number: impl Fn(&str) -> Result<f64>) -> Result<()> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts, as they were written
        let count = |name| -> Result<usize> { Ok(number(name)? as usize) };
        self.n_steps = count("n_steps")?;
        self.learning_rate = number("learning_rate")?;
        self.best = (number("best_loss")?, count("best_epoch")?);
        if let Some(plateau) = &mut self.plateau {
            plateau.resume(number("plateau_best")?, count("plateau_n_bad")?);
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.resume(number("stopping_best")?, count("stopping_n_bad")?);
        }
        self.history = history;
        Ok(())
    }

    /// Whether a training could have come so far.
    pub(super) fn is_sound(&self) -> bool {
        let is_record = |(i, epoch): (usize, &Epoch)| {
            let numbers = [epoch.train_loss, epoch.learning_rate, epoch.grad_norm, epoch.seconds, epoch.monitored()];
            epoch.epoch == i + 1 && numbers.iter().all(|number| number.is_finite())
        };
        let n_epochs = self.history.len();
        let counts =
            [self.plateau.as_ref().map(ReduceLrOnPlateau::state), self.stopping.as_ref().map(EarlyStopping::state)];
        let is_best = self.best.1.checked_sub(1).and_then(|i| self.history.get(i));
        self.history.iter().enumerate().all(is_record)
            && (n_epochs..=MOST_STEPS).contains(&self.n_steps)
            && self.learning_rate.is_finite()
            && self.learning_rate > 0.0
            && is_best.is_some_and(|epoch| epoch.monitored() == self.best.0)
            && counts.iter().flatten().all(|[best, n_bad]| !best.is_nan() && *n_bad <= n_epochs as f64)
    }
}
