//! Training on one page: order, batches, steps, schedule, stopping, best weights. How to take a step is the learner's affair.

pub mod batch;
pub mod config;
pub mod fused;
pub mod fused_gradient;
pub mod history;
pub mod loss;
pub mod optimizer;
pub mod schedule;
pub mod stop;
pub mod threads;
pub mod torch;

use std::ops::ControlFlow;
use std::time::Instant;

pub use batch::Loader;
pub use config::TrainConfig;
pub use history::Epoch;

use crate::error::Result;
use crate::rng::Permutation;
use schedule::ReduceLrOnPlateau;
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
/// What the learner's step or validation fails with.
pub fn fit(learner: &mut dyn Learner, config: &TrainConfig, observer: &mut dyn Observer) -> Result<Outcome> {
    let mut run = Run::new(learner, config);
    let mut schedule = config.lr_patience.map(|patience| ReduceLrOnPlateau::new(patience, config.lr_factor));
    let mut stop = config.patience.map(|patience| EarlyStopping::new(patience, config.min_delta));
    let mut best = Best::new(run.learner);
    let mut history: Vec<Epoch> = Vec::new();
    let stop_reason = loop {
        if history.len() == config.max_epochs {
            break StopReason::MaxEpochs;
        }
        let epoch = match run.epoch(history.len() + 1, observer)? {
            Ok(epoch) => epoch,
            Err(reason) => break reason,
        };
        let monitored = epoch.monitored();
        best.look(run.learner, epoch.epoch, monitored);
        if let Some(schedule) = &mut schedule {
            run.learning_rate = schedule.step(monitored, run.learning_rate);
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
}

impl<'a> Run<'a> {
    fn new(learner: &'a mut dyn Learner, config: &'a TrainConfig) -> Self {
        Self { learner, config, learning_rate: config.learning_rate }
    }

    /// One pass over all samples and a look at the held-out ones; the inner error is a reason to stop, not a failure.
    fn epoch(&mut self, number: usize, observer: &mut dyn Observer) -> Result<std::result::Result<Epoch, StopReason>> {
        let started = Instant::now();
        let learning_rate = self.learning_rate;
        let n_samples = self.learner.n_samples();
        let order = self.config.shuffle.then(|| Permutation::new(self.config.seed, number, n_samples));
        let (mut loss, mut grad_norm, mut indices) = (0.0, 0.0, Vec::new());
        for (i, start) in (0..n_samples).step_by(self.config.batch_size).enumerate() {
            let places = start..n_samples.min(start + self.config.batch_size);
            indices.clear();
            indices.extend(places.map(|place| order.map_or(place, |order| order.at(place))));
            let step = self.learner.step(&indices, learning_rate)?;
            if !step.loss.is_finite() || !step.grad_norm.is_finite() {
                return Ok(Err(StopReason::Diverged(format!(
                    "the training loss became {} in epoch {number}, batch {}: try a lower learning_rate (it was \
                     {learning_rate:e}) or clip_grad_norm=1.0, and data of ordinary size",
                    step.loss,
                    i + 1
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
            train_loss: loss / count(n_samples),
            val_loss: self.learner.validate()?,
            learning_rate,
            grad_norm: grad_norm / count(n_samples),
            seconds: started.elapsed().as_secs_f64(),
        }))
    }
}

fn count(n: usize) -> f64 {
    n as f64
}
