//! Learning by our own kernel: no tensor in the loop.

use super::config::TrainConfig;
use super::fused_gradient::{FusedGradient, Rows};
use super::learner::{Learner, Part, Step};
use super::packed_training::PackedTraining;
use super::processes::Share;
use super::sample_batch::SampleBatch;
use crate::error::Result;
use crate::kernel::pool;
use crate::kernel::workspace::Needs;
use crate::network::fused::{FusedMemory, FusedNetwork};
use crate::series::augment::Augmenter;
use crate::series::Samples;

/// Held-out windows in one pass of one thread, where there is room.
const VALIDATION_ROWS: usize = 32;

/// A network of slices with its optimiser.
pub struct FusedLearner<'a> {
    network: &'a mut FusedNetwork,
    train: &'a dyn Samples,
    validation: Option<&'a dyn Samples>,
    augmenter: Option<&'a Augmenter>,
    gradient: FusedGradient,
    training: PackedTraining<'a>,
    validators: Vec<Validator>,
}

impl<'a> FusedLearner<'a> {
    /// Trains `network` in place on `train`, on up to `n_threads` threads; `validation` is held out. `dropout` is the
    /// probability that an output between layers is dropped. The present weights are remembered.
    pub fn new(
        network: &'a mut FusedNetwork,
        (train, validation): (&'a dyn Samples, Option<&'a dyn Samples>),
        dropout: f64,
        n_threads: usize,
        config: &'a TrainConfig,
    ) -> Self {
        let steps = network.n_steps(train.input_len());
        let batch_size = config.share().most_rows(config.batch_size.min(train.len()));
        let needs = Needs { dropout: dropout > 0.0, output_gradient: train.supervised_steps() > 1, ..Needs::default() };
        let mut gradient = FusedGradient::new(network, batch_size, steps, needs, n_threads).with_line();
        let named = (&*network.names, network.owners());
        let training = PackedTraining::new(named, &network.parameters, dropout, config);
        gradient.freeze(training.frozen(), network);
        let rows = network.lstm.forward_rows(VALIDATION_ROWS, steps, gradient.n_workers());
        let validator = |_| Validator { memory: network.memory(rows, steps), samples: Rows::default(), loss: 0.0 };
        let n_validators = if validation.is_some() { gradient.n_workers() } else { 0 };
        Self {
            validators: (0..n_validators).map(validator).collect(),
            gradient,
            training,
            network,
            train,
            validation,
            augmenter: None,
        }
    }

    /// Changes the training samples in each step.
    pub fn augmented(self, augmenter: &'a Augmenter) -> Self {
        Self { augmenter: Some(augmenter), ..self }
    }

    /// One step against the gradient of all processes. Takes this one's share in the loss and gives all of it.
    fn descend(&mut self, learning_rate: f64, loss: f64) -> Result<Step> {
        let (set, n_workers) = (self.network.lstm.set(), self.gradient.n_workers());
        let (gradient, grad_norm) = self.gradient.sum(self.network);
        let found = self.training.sum_over_processes(gradient, Vec::new(), (loss, grad_norm), set)?;
        let numbers = (&mut *self.network.parameters, &*gradient);
        Ok(self.training.descend(learning_rate, found, numbers, (set, n_workers)))
    }
}

impl Learner for FusedLearner<'_> {
    fn n_samples(&self) -> usize {
        self.train.len()
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        let augmented = self.augmenter.map(|augmenter| augmenter.during(self.train, self.training.n_steps()));
        let samples = augmented.as_ref().map_or(self.train, |samples| samples as &dyn Samples);
        let loss = self.gradient.compute(self.network, SampleBatch::of_step(&self.training, samples, indices));
        let step = self.descend(learning_rate, loss)?;
        self.gradient.update(self.network);
        Ok(step)
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        let Some(samples) = self.validation else { return Ok(None) };
        let (network, config, n_parts) = (&*self.network, self.training.config, self.validators.len());
        let own = config.share().rows(samples.len());
        pool::for_each(&mut self.validators, |at, validator| {
            let share = Share { rank: at, world_size: n_parts };
            validator.evaluate(network, samples, share.of(&own), config);
        });
        config.sum(self.validators.iter().map(|validator| validator.loss).sum()).map(Some)
    }

    fn remember(&mut self) {
        self.training.remember(&self.network.parameters);
    }

    fn restore(&mut self) {
        self.training.restore(&mut self.network.parameters);
        self.gradient.update(self.network);
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        self.training.parts(&mut self.network.parameters).collect()
    }

    fn resume(&mut self, n_steps: u64) {
        self.training.resume(n_steps);
        self.unfreeze(&[]);
        self.gradient.update(self.network);
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.training.unfreeze(names);
        self.gradient.freeze(self.training.frozen(), self.network);
    }
}

/// One thread's evaluation of held-out samples.
struct Validator {
    memory: FusedMemory,
    samples: Rows,
    loss: f64,
}

impl Validator {
    /// The part of the mean loss that the samples of a range make up.
    fn evaluate(
        &mut self,
        network: &FusedNetwork,
        samples: &dyn Samples,
        range: std::ops::Range<usize>,
        config: &TrainConfig,
    ) {
        self.loss = 0.0;
        let at_once = self.memory.max_rows();
        for start in range.clone().step_by(at_once) {
            let indices = start..range.end.min(start + at_once);
            let rows = indices.len();
            self.memory.start(rows, 1);
            self.samples.gather(samples, indices, |row, window| network.set_window(&mut self.memory, row, window));
            let Rows { gathered, outputs, .. } = &mut self.samples;
            outputs.clear();
            outputs.extend(network.forward(&mut self.memory, rows).flatten());
            self.loss += config.loss.share(outputs, gathered, samples.len(), None);
        }
    }
}
