//! What a user decides about a training.

use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointConfig;
use super::loss::Loss;
use super::mixed_precision::Precision;
use super::optimizer::OptimizerKind;
use super::processes::{Processes, Share};
use super::schedule::LrSchedule;
use super::transfer::Transfer;
use crate::error::{check_positive, Error, Result};

/// The options of [`super::fit`], under the names of the Python estimators' parameters.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainConfig {
    /// What is minimised.
    pub loss: Loss,
    /// How.
    pub optimizer: OptimizerKind,
    /// Step size, above 0.
    pub learning_rate: f64,
    /// L2 penalty (Adam) or decoupled decay (AdamW).
    pub weight_decay: f64,
    /// Windows in one batch.
    pub batch_size: usize,
    /// Batches in one step, which takes the mean of their gradients: a step of so many times as large a batch, in the memory
    /// of one.
    #[serde(default = "one")]
    pub accumulate_grad_batches: usize,
    /// Epochs at the most.
    pub max_epochs: usize,
    /// Optimiser steps between two looks at the held-out windows, which are called an epoch; `None`: a pass over the training windows.
    #[serde(default)]
    pub steps_per_epoch: Option<usize>,
    /// Epochs without improvement before stopping; `None`: no early stopping and nothing is held out.
    pub patience: Option<usize>,
    /// Least decrease of the monitored loss that counts as an improvement.
    pub min_delta: f64,
    /// How the learning rate goes on.
    #[serde(default)]
    pub lr_schedule: LrSchedule,
    /// Epochs without improvement before [`LrSchedule::Plateau`] cuts the learning rate; `None`: never.
    pub lr_patience: Option<usize>,
    /// What the learning rate is multiplied by then.
    pub lr_factor: f64,
    /// Greatest norm of the gradient, `None`: unlimited.
    pub clip_grad_norm: Option<f64>,
    /// Greatest magnitude of an element of the gradient, after its norm was clipped; `None`: unlimited.
    #[serde(default)]
    pub clip_grad_value: Option<f64>,
    /// What libtorch goes forwards and back in.
    #[serde(default)]
    pub precision: Precision,
    /// Whether the windows are visited in a new random order in each epoch.
    pub shuffle: bool,
    /// Seed of the order and of dropout.
    pub seed: u64,
    /// Threads of libtorch during the training, `None`: the model's choice.
    pub n_threads: Option<usize>,
    /// Files to go on from; `None`: none are written.
    #[serde(default)]
    pub checkpoint: Option<CheckpointConfig>,
    /// With which processes, `None`: this one alone.
    #[serde(skip)]
    pub processes: Option<Processes>,
    /// What is frozen, and what has a learning rate of its own.
    #[serde(default)]
    pub transfer: Transfer,
}

fn one() -> usize {
    1
}

impl TrainConfig {
    /// The rows of each batch, and of the held-out samples, that this process computes.
    pub(super) fn share(&self) -> Share {
        self.processes.as_ref().map_or(Share::WHOLE, Processes::share)
    }

    /// The sum of a number over the processes.
    ///
    /// # Errors
    /// [`Error::Process`] when one is gone.
    pub(super) fn sum(&self, number: f64) -> Result<f64> {
        self.processes.as_ref().map_or(Ok(number), |processes| processes.sum(Vec::new(), number))
    }

    /// Windows in one step.
    pub fn step_size(&self) -> usize {
        self.batch_size.saturating_mul(self.accumulate_grad_batches)
    }

    /// Whether every number makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first that doesn't.
    pub fn check(&self) -> Result<()> {
        self.loss.check()?;
        self.transfer.check()?;
        let positive = [
            ("batch_size", self.batch_size),
            ("accumulate_grad_batches", self.accumulate_grad_batches),
            ("max_epochs", self.max_epochs),
        ];
        let optional = [("n_threads", self.n_threads), ("steps_per_epoch", self.steps_per_epoch)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        check_positive(positive.into_iter().chain(optional))?;
        let above_zero = [
            ("learning_rate", Some(self.learning_rate)),
            ("clip_grad_norm", self.clip_grad_norm),
            ("clip_grad_value", self.clip_grad_value),
        ];
        for (name, value) in above_zero.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::Value(format!("expected {name} above 0, got {value}")));
            }
        }
        for (name, value) in [("weight_decay", self.weight_decay), ("min_delta", self.min_delta)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Value(format!("expected {name} of at least 0, got {value}")));
            }
        }
        if !(self.lr_factor > 0.0 && self.lr_factor < 1.0) {
            return Err(Error::Value(format!("expected lr_factor between 0 and 1, got {}", self.lr_factor)));
        }
        self.checkpoint.as_ref().map_or(Ok(()), CheckpointConfig::check)
    }
}
