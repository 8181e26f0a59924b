//! Learning where our own kernel runs the LSTM and libtorch what stands around it.

use tch::Tensor;

use super::hybrid::{HybridNetwork, Surroundings};
use super::hybrid_gradient::{gather, windows, HybridGradient};
use super::optimizer::Optimizer;
use super::threads::one_thread;
use super::weights::Weights;
use crate::error::Result;
use crate::kernel::forward_only::ForwardMemory;
use crate::kernel::pool;
use crate::network::NetworkConfig;
use crate::series::augment::Augmenter;
use crate::series::{Gathered, Samples};
use crate::train::config::TrainConfig;
use crate::train::pace::Pace;
use crate::train::packed_training::PackedTraining;
use crate::train::processes::Share;
use crate::train::sample_batch::SampleBatch;
use crate::train::{Learner, Part, Step};

/// Held-out windows in one pass of one thread, where there is room.
const VALIDATION_ROWS: usize = 32;

/// A network of a slice, the LSTM, and tensors, all else, with an optimiser for each.
pub struct HybridLearner<'a> {
    network: &'a mut HybridNetwork,
    train: &'a dyn Samples,
    validation: Option<&'a dyn Samples>,
    n_features: usize,
    augmenter: Option<&'a Augmenter>,
    gradient: HybridGradient,
    /// Of the LSTM's parameters.
    training: PackedTraining<'a>,
    validators: Vec<Validator>,
    /// Of all other layers' parameters.
    optimizer: Optimizer,
    remembered: Vec<Tensor>,
}

impl<'a> HybridLearner<'a> {
    /// Trains `network`, and the other layers of `weights`, in place on `train`, whose inputs are `(rows, n_features)`, on up
    /// to `n_threads` threads; `validation` is held out. The present weights are remembered.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub fn new(
        (network, weights): (&'a mut HybridNetwork, &Weights),
        network_config: &NetworkConfig,
        (train, validation, n_features): (&'a dyn Samples, Option<&'a dyn Samples>, usize),
        n_threads: usize,
        config: &'a TrainConfig,
    ) -> Result<Self> {
        let rows = train.input_len() / n_features;
        let batch_size = config.share().most_rows(config.batch_size.min(train.len()));
        let sizes = (batch_size, rows, n_features);
        let mut gradient = HybridGradient::new((&*network, weights), network_config, sizes, n_threads)?;
        let named = (&*network.names, network.owners());
        let training = PackedTraining::new(named, &network.parameters, network_config.dropout, config);
        gradient.freeze(training.frozen());
        let validator = |_| {
            let steps = network_config.n_steps(train.input_len());
            let rows = network.lstm.forward_rows(VALIDATION_ROWS, steps, gradient.n_workers());
            let memory = network.lstm.forward_memory(rows, steps);
            let surroundings = Surroundings::new(network, weights)?;
            Ok(Validator { surroundings, memory, samples: Gathered::default(), outputs: Vec::new(), loss: Ok(0.0) })
        };
        let n_validators = if validation.is_some() { gradient.n_workers() } else { 0 };
        let trained =
            gradient.others().map(|(name, tensor)| (tensor.shallow_clone(), Pace::new(name, config))).collect();
        let optimizer = Optimizer::new(config.optimizer, trained, config.weight_decay);
        let mut learner = Self {
            validators: (0..n_validators).map(validator).collect::<Result<_>>()?,
            remembered: Vec::new(),
            gradient,
            training,
            optimizer,
            network,
            train,
            validation,
            n_features,
            augmenter: None,
        };
        learner.remember();
        Ok(learner)
    }

    /// Changes the training samples in each step.
    pub fn augmented(self, augmenter: &'a Augmenter) -> Self {
        Self { augmenter: Some(augmenter), ..self }
    }

    /// One step against the gradient of all processes. Takes this one's share in the loss and gives all of it.
    fn descend(&mut self, learning_rate: f64, loss: f64) -> Result<Step> {
        let (set, n_workers) = (self.network.lstm.set(), self.gradient.n_workers());
        let (gradient, norm) = self.gradient.sum(self.network)?;
        let is_alone = self.training.config.processes.is_none();
        let mut others = if is_alone { Vec::new() } else { self.optimizer.gradients()? };
        let slices = others.iter_mut().map(Vec::as_mut_slice).collect();
        let (loss, norm) = self.training.sum_over_processes(gradient, slices, (loss, norm), set)?;
        self.optimizer.replace_gradients(&others)?;
        let grad_norm = norm.hypot(self.optimizer.grad_norm()?);
        self.optimizer.clip_grad_norm(self.training.config.clip_grad_norm, grad_norm)?;
        self.optimizer.clip_grad_value(self.training.config.clip_grad_value)?;
        self.optimizer.step(learning_rate)?;
        let numbers = (&mut *self.network.parameters, &*gradient);
        Ok(self.training.descend(learning_rate, (loss, grad_norm), numbers, (set, n_workers)))
    }
}

impl Learner for HybridLearner<'_> {
    fn n_samples(&self) -> usize {
        self.train.len()
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        let augmented = self.augmenter.map(|augmenter| augmenter.during(self.train, self.training.n_steps()));
        let samples = augmented.as_ref().map_or(self.train, |samples| samples as &dyn Samples);
        let loss = self.gradient.compute(self.network, SampleBatch::of_step(&self.training, samples, indices))?;
        let step = self.descend(learning_rate, loss)?;
        self.gradient.update(self.network);
        Ok(step)
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        let Some(samples) = self.validation else { return Ok(None) };
        let (network, config, n_parts) = (&*self.network, self.training.config, self.validators.len());
        let n_features = self.n_features;
        let own = config.share().rows(samples.len());
        pool::for_each(&mut self.validators, |at, validator| {
            let share = Share { rank: at, world_size: n_parts };
            validator.loss = validator.evaluate(network, (samples, n_features), share.of(&own), config);
        });
        let losses = self.validators.iter_mut().map(|validator| std::mem::replace(&mut validator.loss, Ok(0.0)));
        config.sum(losses.sum::<Result<f64>>()?).map(Some)
    }

    fn remember(&mut self) {
        self.training.remember(&self.network.parameters);
        self.remembered = self.gradient.others().map(|(_, tensor)| tensor.detach().copy()).collect();
    }

    fn restore(&mut self) {
        self.training.restore(&mut self.network.parameters);
        for ((_, tensor), saved) in self.gradient.others().zip(&self.remembered) {
            tch::no_grad(|| tensor.shallow_clone().copy_(saved));
        }
        self.gradient.update(self.network);
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        let of_lstm = self.training.parts(&mut self.network.parameters);
        let others = self.gradient.others().zip(&self.remembered).flat_map(|((name, weights), best)| {
            [(format!("weights.{name}"), weights), (format!("best_weights.{name}"), best)]
        });
        let others = others.map(|(name, tensor)| (name, Part::Elsewhere(Box::new(tensor.shallow_clone()))));
        of_lstm.chain(others).chain(self.optimizer.parts()).collect()
    }

    fn resume(&mut self, n_steps: u64) {
        self.training.resume(n_steps);
        self.unfreeze(&[]);
        self.gradient.update(self.network);
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.optimizer.unfreeze(names);
        self.training.unfreeze(names);
        self.gradient.freeze(self.training.frozen());
    }
}

/// One thread's evaluation of held-out samples.
struct Validator {
    surroundings: Surroundings,
    memory: ForwardMemory,
    samples: Gathered,
    outputs: Vec<f32>,
    loss: Result<f64>,
}

impl Validator {
    /// The part of the mean loss that the samples of a range make up.
    fn evaluate(
        &mut self,
        network: &HybridNetwork,
        (samples, n_features): (&dyn Samples, usize),
        range: std::ops::Range<usize>,
        config: &TrainConfig,
    ) -> Result<f64> {
        one_thread();
        let (mut loss, at_once) = (0.0, self.memory.max_rows());
        for start in range.clone().step_by(at_once) {
            let indices = start..range.end.min(start + at_once);
            let rows = indices.len();
            gather(samples, indices, &mut self.samples);
            let windows = windows(&self.samples, n_features)?;
            let outputs = self.surroundings.forecast(network, &mut self.memory, &windows, rows)?;
            self.outputs.resize(outputs.numel(), 0.0);
            outputs.f_copy_data(&mut self.outputs, outputs.numel())?;
            loss += config.loss.share(&self.outputs, &self.samples, samples.len(), None);
        }
        Ok(loss)
    }
}
