//! Training on one page: order, batches, steps, schedule, stopping, best weights. How to take a step is the learner's affair.

pub mod batch;
pub mod config;
pub mod fused;
pub mod fused_gradient;
pub mod history;
pub mod hybrid;
pub mod hybrid_gradient;
pub mod loss;
pub mod optimizer;
pub mod processes;
pub mod schedule;
pub mod stop;
pub mod threads;
pub mod torch;
pub mod transfer;

use std::ops::ControlFlow;
use std::time::Instant;

pub use batch::Loader;
pub use config::TrainConfig;
pub use history::Epoch;

use crate::error::{Error, Result};
use crate::rng::Permutation;
use schedule::{LrSchedule, ReduceLrOnPlateau};
use stop::EarlyStopping;

/// Whatever learns from numbered samples, one batch at a time.
pub trait Learner {
    /// Number of training samples.
    fn n_samples(&self) -> usize;

    /// One optimiser step on the training samples `indices`: their mean loss before it, and the norm of the gradient before
    /// clipping.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step>;

    /// Mean loss of the validation samples under the present weights, `None` where nothing is held out.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn validate(&mut self) -> Result<Option<f64>>;

    /// Remembers the present weights, in place of those remembered before.
    fn remember(&mut self);

    /// Goes back to the remembered weights.
    fn restore(&mut self);

    /// Trains these parameters from now on, which [`transfer::Transfer::frozen`] has kept as they were.
    fn unfreeze(&mut self, _names: &[String]) {}
}

/// What one optimiser step found out about its batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean loss of the batch, before the step.
    pub loss: f64,
    /// Norm of the gradient, before clipping.
    pub grad_norm: f64,
}

/// What watches the training and may end it.
pub trait Observer {
    /// Called after every batch; to break is to interrupt, and the best weights so far are kept.
    fn on_batch(&mut self) -> ControlFlow<()>;
    /// Called after every epoch with its record; to break is to be content.
    fn on_epoch(&mut self, epoch: &Epoch) -> ControlFlow<()>;
    /// Asked after [`Observer::on_epoch`] unless that broke: names of frozen parameters that are trained from now on.
    fn unfrozen(&mut self) -> Vec<String> {
        Vec::new()
    }
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
    /// Another process of the training is gone or doesn't answer; the text says what was found.
    ProcessLost(String),
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
/// What the learner's step or validation fails with.
pub fn fit(learner: &mut dyn Learner, config: &TrainConfig, observer: &mut dyn Observer) -> Result<Outcome> {
    let mut run = Run::new(learner, config);
    let plateau = config.lr_patience.filter(|_| config.lr_schedule == LrSchedule::Plateau);
    let mut plateau = plateau.map(|patience| ReduceLrOnPlateau::new(patience, config.lr_factor));
    let mut stop = config.patience.map(|patience| EarlyStopping::new(patience, config.min_delta));
    let mut best = Best::new(run.learner);
    let mut history: Vec<Epoch> = Vec::new();
    let stop_reason = loop {
        if history.len() == config.max_epochs {
            break StopReason::MaxEpochs;
        }
        let epoch = match run.epoch(history.len() + 1, observer) {
            Ok(Ok(epoch)) => epoch,
            Ok(Err(reason)) => break reason,
            Err(Error::Process(text)) => break StopReason::ProcessLost(text),
            Err(error) => return Err(error),
        };
        let monitored = epoch.monitored();
        best.look(run.learner, epoch.epoch, monitored);
        if let Some(plateau) = &mut plateau {
            run.learning_rate = plateau.step(monitored, run.learning_rate);
        }
        history.push(epoch);
        if observer.on_epoch(&epoch).is_break() {
            break StopReason::Callback;
        }
        let unfrozen = observer.unfrozen();
        if !unfrozen.is_empty() {
            run.learner.unfreeze(&unfrozen);
        }
        if stop.as_mut().is_some_and(|stop| stop.step(monitored)) {
            break StopReason::Patience;
        }
    };
    // an interrupted first epoch has learned something; a diverged one has not
    if best.epoch > 0 || matches!(stop_reason, StopReason::Diverged(_)) {
        run.learner.restore();
    }
    Ok(Outcome { history, best_epoch: best.epoch, stop_reason })
}

/// The epoch of the least loss so far, whose weights the learner remembers; the initial ones, of epoch 0, before the first.
struct Best {
    loss: f64,
    epoch: usize,
}

impl Best {
    fn new(learner: &mut dyn Learner) -> Self {
        learner.remember();
        Self { loss: f64::INFINITY, epoch: 0 }
    }

    fn look(&mut self, learner: &mut dyn Learner, epoch: usize, loss: f64) {
        if loss < self.loss {
            learner.remember();
            *self = Self { loss, epoch };
        }
    }
}

struct Run<'a> {
    learner: &'a mut dyn Learner,
    config: &'a TrainConfig,
    learning_rate: f64,
    n_steps: usize,
    order: Order,
}

impl<'a> Run<'a> {
    fn new(learner: &'a mut dyn Learner, config: &'a TrainConfig) -> Self {
        let order = Order::new(learner.n_samples(), config);
        Self { learner, config, learning_rate: config.learning_rate, n_steps: 0, order }
    }

    /// The steps of an epoch and a look at the held-out samples; the inner error is a reason to stop, not a failure.
    fn epoch(&mut self, number: usize, observer: &mut dyn Observer) -> Result<std::result::Result<Epoch, StopReason>> {
        let started = Instant::now();
        let (epoch_len, batch_size) = (self.order.epoch_len, self.order.batch_size);
        let n_batches = epoch_len.div_ceil(batch_size);
        let (mut loss, mut grad_norm, mut indices) = (0.0, 0.0, Vec::new());
        let mut learning_rate = self.learning_rate;
        for batch in 0..n_batches {
            let places = batch * batch_size..epoch_len.min((batch + 1) * batch_size);
            self.order.indices(number, places, &mut indices);
            let factor = self.config.lr_schedule.factor(self.n_steps, self.config.max_epochs * n_batches);
            learning_rate = self.learning_rate * factor;
            let step = self.learner.step(&indices, learning_rate)?;
            self.n_steps += 1;
            if !step.loss.is_finite() || !step.grad_norm.is_finite() {
                return Ok(Err(StopReason::Diverged(format!(
                    "the training loss became {} in epoch {number}, batch {}: try a lower learning_rate (it was \
                     {learning_rate:e}) or clip_grad_norm=1.0, and data of ordinary size",
                    step.loss,
                    batch + 1
                ))));
            }
            loss += step.loss * count(indices.len());
            grad_norm += step.grad_norm * count(indices.len());
            if observer.on_batch().is_break() {
                return Ok(Err(StopReason::Interrupted));
            }
        }
        Ok(Ok(Epoch {
            epoch: number,
            train_loss: loss / count(epoch_len),
            val_loss: self.learner.validate()?,
            learning_rate,
            grad_norm: grad_norm / count(epoch_len),
            seconds: started.elapsed().as_secs_f64(),
        }))
    }
}

/// The order in which samples are visited: pass after pass over all of them, whatever the length of an epoch.
struct Order {
    n_samples: usize,
    /// Never more than there are samples.
    batch_size: usize,
    epoch_len: usize,
    seed: Option<u64>,
    pass: usize,
    permutation: Option<Permutation>,
}

impl Order {
    fn new(n_samples: usize, config: &TrainConfig) -> Self {
        let batch_size = config.batch_size.min(n_samples);
        let epoch_len = config.steps_per_epoch.map_or(n_samples, |steps| steps * batch_size);
        Self {
            n_samples,
            batch_size,
            epoch_len,
            seed: config.shuffle.then_some(config.seed),
            pass: 0,
            permutation: None,
        }
    }

    /// The samples at these places of epoch `number`, from 1.
    fn indices(&mut self, number: usize, places: std::ops::Range<usize>, indices: &mut Vec<usize>) {
        indices.clear();
        for place in places {
            let place = (number - 1) * self.epoch_len + place;
            let pass = place / self.n_samples + 1;
            if pass != self.pass {
                self.pass = pass;
                self.permutation = self.seed.map(|seed| Permutation::new(seed, pass, self.n_samples));
            }
            let place = place % self.n_samples;
            indices.push(self.permutation.map_or(place, |permutation| permutation.at(place)));
        }
    }
}

fn count(n: usize) -> f64 {
    n as f64
}
