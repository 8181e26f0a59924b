//! Learning by our own kernel: no tensor in the loop.

use super::config::TrainConfig;
use super::fused_gradient::{FusedGradient, Rows, Task};
use super::packed_optimizer::PackedOptimizer;
use super::processes::Share;
use super::{Learner, Part, Step};
use crate::error::Result;
use crate::kernel::aligned::Aligned;
use crate::kernel::pool;
use crate::kernel::workspace::Needs;
use crate::network::fused::{FusedMemory, FusedNetwork};
use crate::rng::DropoutMasks;
use crate::series::augment::Augmenter;
use crate::series::Samples;

/// Held-out windows in one pass of one thread, where there is room.
const VALIDATION_ROWS: usize = 32;

/// A network of slices with its optimiser.
pub struct FusedLearner<'a> {
    network: &'a mut FusedNetwork,
    train: &'a dyn Samples,
    validation: Option<&'a dyn Samples>,
    config: &'a TrainConfig,
    dropout: DropoutMasks,
    augmenter: Option<&'a Augmenter>,
    n_steps: u64,
    gradient: FusedGradient,
    packed: PackedOptimizer,
    validators: Vec<Validator>,
    remembered: Aligned,
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
        let steps = train.input_len() / network.lstm.shape().input_size;
        let batch_size = config.share().most_rows(config.batch_size.min(train.len()));
        let needs = Needs { dropout: dropout > 0.0, output_gradient: train.supervised_steps() > 1, ..Needs::default() };
        let mut gradient = FusedGradient::new(network, batch_size, steps, needs, n_threads).with_line();
        let packed = PackedOptimizer::new(&network.names, network.owners(), config);
        gradient.freeze(packed.frozen(), network);
        let rows = network.lstm.forward_rows(VALIDATION_ROWS, steps, gradient.n_workers());
        let validator = |_| Validator { memory: network.memory(rows, steps), samples: Rows::default(), loss: 0.0 };
        let n_validators = if validation.is_some() { gradient.n_workers() } else { 0 };
        Self {
            validators: (0..n_validators).map(validator).collect(),
            gradient,
            packed,
            remembered: network.parameters.clone(),
            network,
            train,
            validation,
            config,
            dropout: DropoutMasks::new(config.seed, dropout),
            augmenter: None,
            n_steps: 0,
        }
    }

    /// Changes the training samples in each step.
    pub fn augmented(self, augmenter: &'a Augmenter) -> Self {
        Self { augmenter: Some(augmenter), ..self }
    }

    /// One step against the gradient of all processes. Takes this one's share in the loss and gives all of it.
    fn descend(&mut self, learning_rate: f64, mut loss: f64) -> Result<Step> {
        let n_workers = self.gradient.n_workers();
        let set = self.network.lstm.set();
        let (gradient, mut grad_norm) = self.gradient.sum(self.network);
        if let Some(processes) = &self.config.processes {
            loss = processes.sum_slice(gradient, Vec::new(), loss)?;
            grad_norm = set.sum_of_squares(gradient).sqrt();
        }
        let rates = (learning_rate, grad_norm);
        self.packed.step(self.config, rates, (&mut self.network.parameters, gradient), (set, n_workers));
        Ok(Step { loss, grad_norm })
    }
}

impl Learner for FusedLearner<'_> {
    fn n_samples(&self) -> usize {
        self.train.len()
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        let masks = (self.dropout.p() > 0.0).then(|| self.dropout.during(self.n_steps));
        let augmented = self.augmenter.map(|augmenter| augmenter.during(self.train, self.n_steps));
        let samples = augmented.as_ref().map_or(self.train, |samples| samples as &dyn Samples);
        let task = Task { samples, indices, share: self.config.share(), loss: &self.config.loss, masks };
        let loss = self.gradient.compute(self.network, task);
        let step = self.descend(learning_rate, loss)?;
        self.gradient.update(self.network);
        self.n_steps += 1;
        Ok(step)
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        let Some(samples) = self.validation else { return Ok(None) };
        let (network, config, n_parts) = (&*self.network, self.config, self.validators.len());
        let own = config.share().rows(samples.len());
        pool::for_each(&mut self.validators, |at, validator| {
            let share = Share { rank: at, world_size: n_parts };
            validator.evaluate(network, samples, share.of(&own), config);
        });
        config.sum(self.validators.iter().map(|validator| validator.loss).sum()).map(Some)
    }

    fn remember(&mut self) {
        self.remembered.copy_from_slice(&self.network.parameters);
    }

    fn restore(&mut self) {
        self.network.parameters.copy_from_slice(&self.remembered);
        self.gradient.update(self.network);
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        self.packed.parts(&mut self.network.parameters, &mut self.remembered).collect()
    }

    fn resume(&mut self, n_steps: u64) {
        self.n_steps = n_steps;
        self.unfreeze(&[]);
        self.gradient.update(self.network);
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.packed.unfreeze(names);
        self.gradient.freeze(self.packed.frozen(), self.network);
    }
}

/// One thread's look at held-out samples.
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
