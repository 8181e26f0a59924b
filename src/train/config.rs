//! What a user decides about a training.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::processes::{Processes, Share};
use super::schedule::LrSchedule;
use crate::error::{check_positive, Error, Result};

/// How weight decay enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// As an L2 penalty, added to the gradient.
    Adam,
    /// Decoupled: the weights shrink by `learning_rate * weight_decay` in each step.
    Adamw,
}

/// The precision of the forward and the backward pass of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    Float32,
    /// Half of it, with the range of single precision and three digits.
    Bfloat16,
}

/// Options of single parameters, under their names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfer {
    /// Learning rates of their own, as the `lr` of parameter groups in `torch.optim`; the schedule goes for them too.
    pub learning_rates: BTreeMap<String, f64>,
    /// Parameters that get no update.
    pub frozen: BTreeSet<String>,
    /// Whether a linear skip connection that isn't zero is solved anew, from where it is, and not left there.
    pub adapt_line: bool,
}

impl Transfer {
    /// Whether every rate makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first that doesn't.
    fn check(&self) -> Result<()> {
        match self.learning_rates.iter().find(|(_, rate)| !(rate.is_finite() && **rate > 0.0)) {
            Some((name, rate)) => Err(Error::Value(format!("expected a learning rate above 0 for {name}, got {rate}"))),
            None => Ok(()),
        }
    }
}

/// When and where checkpoints are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointConfig {
    /// The folder, of one training alone; made where it isn't there.
    pub folder: PathBuf,
    /// Epochs from one to the next; `None`: 1, unless there are minutes.
    pub every_n_epochs: Option<usize>,
    /// Minutes after which the next epoch that ends is followed by one.
    pub every_n_minutes: Option<f64>,
    /// How many of the newest are kept.
    pub keep: usize,
    /// Whether to go on from the newest; else those that are there are deleted.
    pub resume: bool,
}

impl CheckpointConfig {
    /// Whether every number makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first that doesn't.
    fn check(&self) -> Result<()> {
        let every = self.every_n_epochs.map(|n| ("every_n_epochs", n));
        check_positive(every.into_iter().chain([("keep", self.keep)]))?;
        match self.every_n_minutes {
            Some(minutes) if !(minutes.is_finite() && minutes >= 0.0) => {
                Err(Error::Value(format!("expected every_n_minutes of at least 0, got {minutes}")))
            }
            _ => Ok(()),
        }
    }
}

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
    /// Optimiser steps of an epoch, after which the held-out windows are evaluated; `None`: a pass over the training
    /// windows.
    #[serde(default)]
    pub steps_per_epoch: Option<usize>,
    /// Steps of a season of one series, 1 where none is known: a line of few windows is shrunk towards smoothed values, and
    /// its ridge is chosen by cross-validation. `None`: it is shrunk towards zero.
    #[serde(default)]
    pub season: Option<usize>,
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
    /// The precision of the forward and the backward pass under libtorch.
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

/// One epoch of the mean squared error by Adam at PyTorch's rate, nothing held out.
impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            loss: Loss::Mse,
            optimizer: OptimizerKind::Adam,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            batch_size: 32,
            accumulate_grad_batches: 1,
            max_epochs: 1,
            steps_per_epoch: None,
            season: None,
            patience: None,
            min_delta: 0.0,
            lr_schedule: LrSchedule::Plateau,
            lr_patience: None,
            lr_factor: 0.5,
            clip_grad_norm: None,
            clip_grad_value: None,
            precision: Precision::Float32,
            shuffle: true,
            seed: 0,
            n_threads: None,
            checkpoint: None,
            processes: None,
            transfer: Transfer::default(),
        }
    }
}

fn one() -> usize {
    1
}

impl TrainConfig {
    /// The rows of each batch, and of the held-out samples, that this process computes.
    pub(crate) fn share(&self) -> Share {
        self.processes.as_ref().map_or(Share::WHOLE, Processes::share)
    }

    /// The sum of a number over the processes.
    ///
    /// # Errors
    /// [`Error::Process`] when one is gone.
    pub(crate) fn sum(&self, number: f64) -> Result<f64> {
        self.processes.as_ref().map_or(Ok(number), |processes| processes.sum(Vec::new(), number))
    }

    /// The same for one step, where there is nothing to learn.
    pub(crate) fn once(&self) -> Self {
        Self { max_epochs: 1, steps_per_epoch: Some(1), ..self.clone() }
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
        if !cfg!(feature = "torch") && self.precision == Precision::Bfloat16 {
            return Err(Error::NeedsTorch("precision='bfloat16'".to_owned()));
        }
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
