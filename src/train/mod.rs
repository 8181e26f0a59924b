//! Training on one page: order, batches, steps, schedule, stopping, best weights. How to take a step is the learner's affair.

pub mod checkpoint;
pub mod config;
pub mod fingerprint;
pub mod fused;
pub mod fused_gradient;
pub mod history;
pub mod learner;
pub mod line;
pub mod loss;
pub mod observer;
pub mod pace;
pub mod packed_optimizer;
pub mod packed_training;
pub mod processes;
pub mod progress;
pub mod sample_batch;
pub mod schedule;
pub mod stop;
pub mod together;

use std::time::Instant;

pub use checkpoint::Checkpoints;
pub use config::TrainConfig;
pub use history::Epoch;
pub use learner::{Elsewhere, Learner, Part, Step};
pub use observer::{Observer, Outcome, StopReason};

use crate::error::{Error, Result};
use crate::rng::Permutation;
use progress::Progress;

fn diverged(what: &str, place: &str, learning_rate: f64) -> StopReason {
    StopReason::Diverged(format!(
        "the {what} {place}: try a lower learning_rate (it was {learning_rate:e}) or clip_grad_norm=1.0, and data of \
         ordinary size"
    ))
}

/// Trains in place and leaves the weights of the epoch with the least validation loss (training loss where nothing is
/// held out), however the training ends.
///
/// # Errors
/// What the learner's step or validation fails with.
pub fn fit(learner: &mut dyn Learner, config: &TrainConfig, observer: &mut dyn Observer) -> Result<Outcome> {
    fit_with_checkpoints(learner, config, observer, None)
}

/// [`fit`] from the checkpoint that was found on, writing others: after an epoch that the observer was told of, and when
/// training has come to its end.
///
/// # Errors
/// As [`fit`], and [`crate::error::Error::Io`] when a checkpoint can't be written.
pub fn fit_with_checkpoints(
    learner: &mut dyn Learner,
    config: &TrainConfig,
    observer: &mut dyn Observer,
    mut checkpoints: Option<Checkpoints>,
) -> Result<Outcome> {
    learner.remember();
    let mut progress = Progress::new(config);
    if let Some(checkpoints) = &mut checkpoints {
        checkpoints.restore(learner, &mut progress)?;
    }
    if let Some(processes) = config.processes.as_ref().filter(|_| config.checkpoint.is_some()) {
        checkpoint::share(processes, learner, &mut progress)?;
    }
    let mut run = Run::new(learner, config, progress);
    let stop_reason = loop {
        if let Some(reason) = run.progress.end(config) {
            break reason;
        }
        let epoch = match run.epoch(observer) {
            Ok(Ok(epoch)) => epoch,
            Ok(Err(reason)) => break reason,
            Err(Error::Process(text)) => break StopReason::ProcessLost(text),
            Err(error) => return Err(error),
        };
        if run.progress.record(epoch) {
            run.learner.remember();
        }
        let ends_here = observer.on_epoch(&epoch).is_break();
        let unfrozen = observer.unfrozen();
        if !unfrozen.is_empty() {
            run.learner.unfreeze(&unfrozen);
        }
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.after_epoch(run.learner, &run.progress, run.progress.end(config).is_some())?;
        }
        if ends_here {
            break StopReason::Callback;
        }
    };
    let Progress { history, best: (_, best_epoch), .. } = run.progress;
    // an interrupted first epoch has learned something; a diverged one has not
    if best_epoch > 0 || matches!(stop_reason, StopReason::Diverged(_)) {
        run.learner.restore();
    }
    Ok(Outcome { history, best_epoch, stop_reason })
}

struct Run<'a> {
    learner: &'a mut dyn Learner,
    config: &'a TrainConfig,
    progress: Progress,
    order: Order,
}

impl<'a> Run<'a> {
    fn new(learner: &'a mut dyn Learner, config: &'a TrainConfig, progress: Progress) -> Self {
        let order = Order::new(learner.n_samples(), config);
        Self { learner, config, progress, order }
    }

    /// The steps of the next epoch and the loss of the held-out samples; the inner error is a reason to stop, not a
    /// failure.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<std::result::Result<Epoch, StopReason>> {
        let (started, number) = (Instant::now(), self.progress.history.len() + 1);
        let (epoch_len, step_size) = (self.order.epoch_len, self.order.step_size);
        let n_steps = epoch_len.div_ceil(step_size);
        let (mut loss, mut grad_norm, mut indices) = (0.0, 0.0, Vec::new());
        let mut learning_rate = self.progress.learning_rate;
        for step in 0..n_steps {
            let places = step * step_size..epoch_len.min((step + 1) * step_size);
            self.order.indices(number, places, &mut indices);
            let factor = self.config.lr_schedule.factor(self.progress.n_steps, self.config.max_epochs * n_steps);
            learning_rate = self.progress.learning_rate * factor;
            let found = self.learner.step(&indices, learning_rate)?;
            self.progress.n_steps += 1;
            if let Some(what) = found.not_finite() {
                return Ok(Err(diverged(&what, &format!("in epoch {number}, batch {}", step + 1), learning_rate)));
            }
            loss += found.loss * count(indices.len());
            grad_norm += found.grad_norm * count(indices.len());
            if observer.on_batch().is_break() {
                return Ok(Err(StopReason::Interrupted));
            }
        }
        let val_loss = self.learner.validate()?;
        if let Some(loss) = val_loss.filter(|loss| !loss.is_finite()) {
            let place = format!("after epoch {number}, batch {n_steps}");
            return Ok(Err(diverged(&format!("validation loss became {loss}"), &place, learning_rate)));
        }
        Ok(Ok(Epoch {
            epoch: number,
            train_loss: loss / count(epoch_len),
            val_loss,
            learning_rate,
            grad_norm: grad_norm / count(epoch_len),
            seconds: started.elapsed().as_secs_f64(),
        }))
    }
}

/// The order in which samples are visited: pass after pass over all of them, whatever the length of an epoch.
struct Order {
    n_samples: usize,
    /// Samples in one step, never more than there are.
    step_size: usize,
    epoch_len: usize,
    seed: Option<u64>,
    pass: usize,
    permutation: Option<Permutation>,
}

impl Order {
    fn new(n_samples: usize, config: &TrainConfig) -> Self {
        let step_size = config.step_size().min(n_samples);
        let epoch_len = config.steps_per_epoch.map_or(n_samples, |steps| steps * step_size);
        Self {
            n_samples,
            step_size,
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
