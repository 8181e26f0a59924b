//! Training on one page: batches, loss, gradient, clipping, step, schedule, stopping, best weights.

pub mod batch;
pub mod config;
pub mod history;
pub mod loss;
pub mod optimizer;
pub mod schedule;
pub mod stop;
pub mod threads;

use std::ops::ControlFlow;
use std::time::Instant;

use tch::Tensor;

pub use batch::Loader;
pub use config::TrainConfig;
pub use history::Epoch;

use crate::error::Result;
use crate::network::{Network, Parameters};
use crate::rng::{Purpose, Rng};
use optimizer::Optimizer;
use schedule::ReduceLrOnPlateau;
use stop::EarlyStopping;

/// What watches the training and may end it.
pub trait Observer {
    /// Called after every batch; to break is to interrupt, and the best weights so far are kept.
    fn on_batch(&mut self) -> ControlFlow<()>;
    /// Called after every epoch with its record; to break is to be content.
    fn on_epoch(&mut self, epoch: &Epoch) -> ControlFlow<()>;
}

/// Why a training ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// All epochs were run.
    MaxEpochs,
    /// The monitored loss had not improved for `patience` epochs.
    Patience,
    /// The observer was content.
    Callback,
    /// The observer interrupted an epoch.
    Interrupted,
    /// The loss became NaN or infinite; the text says where and what may help.
    Diverged(String),
}

/// What a training leaves besides the weights.
#[derive(Debug)]
pub struct Outcome {
    /// One record for each finished epoch.
    pub history: Vec<Epoch>,
    /// The epoch, from 1, whose weights were kept; 0 when none was finished.
    pub best_epoch: usize,
    /// Why it ended.
    pub stop_reason: StopReason,
}

/// Trains in place and leaves the weights of the epoch with the least validation loss (training loss where nothing is
/// held out), however the training ends.
///
/// # Errors
/// [`crate::error::Error::Torch`] when libtorch refuses an operation.
pub fn fit(
    network: &dyn Network,
    parameters: &Parameters,
    (train, validation): (&Loader, Option<&Loader>),
    config: &TrainConfig,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let mut run = Run::new(network, parameters, config);
    let mut schedule = config.lr_patience.map(|patience| ReduceLrOnPlateau::new(patience, config.lr_factor));
    let mut stop = config.patience.map(|patience| EarlyStopping::new(patience, config.min_delta));
    let mut best = Best::new(parameters);
    let mut history: Vec<Epoch> = Vec::new();
    let stop_reason = loop {
        if history.len() == config.max_epochs {
            break StopReason::MaxEpochs;
        }
        let epoch = match run.epoch(history.len() + 1, train, validation, observer)? {
            Ok(epoch) => epoch,
            Err(reason) => break reason,
        };
        let monitored = epoch.monitored();
        best.look(parameters, epoch.epoch, monitored);
        if let Some(schedule) = &mut schedule {
            run.optimizer.learning_rate = schedule.step(monitored, run.optimizer.learning_rate);
        }
        history.push(epoch);
        if observer.on_epoch(&epoch).is_break() {
            break StopReason::Callback;
        }
        if stop.as_mut().is_some_and(|stop| stop.step(monitored)) {
            break StopReason::Patience;
        }
    };
    // an interrupted first epoch has learned something; a diverged one has not
    if best.epoch > 0 || matches!(stop_reason, StopReason::Diverged(_)) {
        parameters.restore(&best.weights);
    }
    Ok(Outcome { history, best_epoch: best.epoch, stop_reason })
}

/// The weights of the least loss so far; the initial ones, of epoch 0, before the first epoch.
struct Best {
    loss: f64,
    epoch: usize,
    weights: Vec<Tensor>,
}

impl Best {
    fn new(parameters: &Parameters) -> Self {
        Self { loss: f64::INFINITY, epoch: 0, weights: parameters.snapshot() }
    }

    fn look(&mut self, parameters: &Parameters, epoch: usize, loss: f64) {
        if loss < self.loss {
            *self = Self { loss, epoch, weights: parameters.snapshot() };
        }
    }
}

/// The mean loss of `samples` (weighted by their weights) under the current weights.
///
/// # Errors
/// [`crate::error::Error::Torch`] when libtorch refuses an operation.
pub fn evaluate(network: &dyn Network, samples: &Loader, config: &TrainConfig) -> Result<f64> {
    tch::no_grad(|| {
        let mut sum = 0.0;
        for indices in samples.in_order().chunks(config.batch_size.max(256)) {
            let batch = samples.batch(indices)?;
            let output = network.forward(&batch.inputs, None)?;
            sum += number(&config.loss.mean(&output, &batch)?)? * count(indices);
        }
        Ok(sum / count(&samples.in_order()))
    })
}

struct Step {
    loss: f64,
    grad_norm: f64,
}

struct Run<'a> {
    network: &'a dyn Network,
    config: &'a TrainConfig,
    optimizer: Optimizer,
    shuffle: Rng,
    dropout: Rng,
}

impl<'a> Run<'a> {
    fn new(network: &'a dyn Network, parameters: &Parameters, config: &'a TrainConfig) -> Self {
        Self {
            network,
            config,
            optimizer: Optimizer::new(
                config.optimizer,
                parameters.tensors(),
                config.learning_rate,
                config.weight_decay,
            ),
            shuffle: Rng::new(config.seed, Purpose::Shuffle),
            dropout: Rng::new(config.seed, Purpose::Dropout),
        }
    }

    /// One pass over all samples and a look at the held-out ones; the inner error is a reason to stop, not a failure.
    fn epoch(
        &mut self,
        number: usize,
        train: &Loader,
        validation: Option<&Loader>,
        observer: &mut dyn Observer,
    ) -> Result<std::result::Result<Epoch, StopReason>> {
        let started = Instant::now();
        let learning_rate = self.optimizer.learning_rate;
        let mut order = train.in_order();
        if self.config.shuffle {
            self.shuffle.shuffle(&mut order);
        }
        let (mut loss, mut grad_norm) = (0.0, 0.0);
        for (i, indices) in order.chunks(self.config.batch_size).enumerate() {
            let step = self.step(train, indices)?;
            if !step.loss.is_finite() || !step.grad_norm.is_finite() {
                return Ok(Err(StopReason::Diverged(format!(
                    "the training loss became {} in epoch {number}, batch {}: try a lower learning_rate (it was \
                     {learning_rate:e}) or clip_grad_norm=1.0, and data of ordinary size",
                    step.loss,
                    i + 1
                ))));
            }
            loss += step.loss * count(indices);
            grad_norm += step.grad_norm * count(indices);
            if observer.on_batch().is_break() {
                return Ok(Err(StopReason::Interrupted));
            }
        }
        Ok(Ok(Epoch {
            epoch: number,
            train_loss: loss / count(&order),
            val_loss: validation.map(|samples| evaluate(self.network, samples, self.config)).transpose()?,
            learning_rate,
            grad_norm: grad_norm / count(&order),
            seconds: started.elapsed().as_secs_f64(),
        }))
    }

    fn step(&mut self, train: &Loader, indices: &[usize]) -> Result<Step> {
        let batch = train.batch(indices)?;
        self.optimizer.zero_grad();
        let output = self.network.forward(&batch.inputs, Some(&mut self.dropout))?;
        let loss = self.config.loss.mean(&output, &batch)?;
        loss.f_backward()?;
        let grad_norm = self.optimizer.clip_grad_norm(self.config.clip_grad_norm)?;
        self.optimizer.step()?;
        Ok(Step { loss: number(&loss)?, grad_norm })
    }
}

fn number(scalar: &Tensor) -> Result<f64> {
    Ok(scalar.f_double_value(&[])?)
}

fn count(indices: &[usize]) -> f64 {
    indices.len() as f64
}
