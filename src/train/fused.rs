//! Learning by our own kernel: no tensor in the loop.

use super::checkpoint::PARTS;
use super::config::TrainConfig;
use super::fused_gradient::{FusedGradient, Rows, Task};
use super::processes::Share;
use super::transfer::{within, PackedPaces};
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
    paces: PackedPaces,
    validators: Vec<Validator>,
    /// First and second moments of the gradient.
    moments: [Aligned; 2],
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
        let paces = PackedPaces::new(network.names.iter(), network.owners(), config);
        gradient.freeze(paces.frozen(), network);
        let rows = network.lstm.forward_rows(VALIDATION_ROWS, steps, gradient.n_workers());
        let validator = |_| Validator { memory: network.memory(rows, steps), samples: Rows::default(), loss: 0.0 };
        let n_validators = if validation.is_some() { gradient.n_workers() } else { 0 };
        Self {
            validators: (0..n_validators).map(validator).collect(),
            gradient,
            paces,
            moments: [Aligned::zeros(network.parameters.len()), Aligned::zeros(network.parameters.len())],
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
        self.paces.advance();
        let steps = self.paces.steps(self.config, learning_rate, grad_norm);
        let chunk = gradient.len().div_ceil(n_workers);
        let [first, second] = &mut self.moments;
        let moments = first.chunks_mut(chunk).zip(second.chunks_mut(chunk));
        let mut parts: Vec<_> = self.network.parameters.chunks_mut(chunk).zip(moments).collect();
        pool::for_each(&mut parts, |at, (parameters, (first, second))| {
            let gradient = &gradient[at * chunk..at * chunk + parameters.len()];
            for (run, step) in &steps {
                let range = within(run, at * chunk, parameters.len());
                let moments = [&mut first[range.clone()], &mut second[range.clone()]];
                set.adam(*step, &mut parameters[range.clone()], &gradient[range], moments);
            }
        });
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
        let [first, second] = &mut self.moments;
        let numbers = [&mut self.network.parameters, first, second, &mut self.remembered];
        let numbers = PARTS.into_iter().zip(numbers).map(|(name, numbers)| (name.to_owned(), Part::Numbers(numbers)));
        numbers.chain(self.paces.parts()).collect()
    }

    fn resume(&mut self, n_steps: u64) {
        self.n_steps = n_steps;
        self.unfreeze(&[]);
        self.gradient.update(self.network);
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.paces.unfreeze(names);
        self.gradient.freeze(self.paces.frozen(), self.network);
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
