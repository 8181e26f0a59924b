//! Learning by libtorch: its operations forward, its automatic differentiation back.

use tch::{Kind, Tensor};

use super::batch::Loader;
use super::mixed_precision::HalfNetwork;
use super::network::Network;
use super::optimizer::Optimizer;
use super::weights::Weights;
use crate::error::Result;
use crate::network::parameter::is_of_line;
use crate::network::NetworkConfig;
use crate::rng::DropoutMasks;
use crate::train::config::{Precision, TrainConfig};
use crate::train::pace::Pace;
use crate::train::processes::Summed;
use crate::train::{Learner, Part, Step};

/// The least number of held-out samples in one pass, which keeps no gradients and so has room for more.
const VALIDATION_BATCH: usize = 256;

/// A network of tensors with its optimiser.
pub struct TorchLearner<'a> {
    network: &'a dyn Network,
    parameters: &'a Weights,
    /// Its copy that computes the forward and the backward pass.
    half: Option<HalfNetwork>,
    train: Loader<'a>,
    validation: Option<Loader<'a>>,
    config: &'a TrainConfig,
    optimizer: Optimizer,
    dropout: DropoutMasks,
    n_steps: u64,
    remembered: Vec<Tensor>,
}

impl<'a> TorchLearner<'a> {
    /// Trains `network`, whose weights are `parameters`, in place on the first loader's samples; the second has those held
    /// out. `dropout` is the probability that an output between layers is dropped. The present weights are remembered.
    pub fn new(
        (network, parameters): (&'a dyn Network, &'a Weights),
        (train, validation): (Loader<'a>, Option<Loader<'a>>),
        dropout: f64,
        config: &'a TrainConfig,
    ) -> Self {
        Self {
            network,
            parameters,
            half: None,
            train,
            validation,
            config,
            optimizer: Optimizer::new(config.optimizer, trained(parameters, config), config.weight_decay),
            dropout: DropoutMasks::new(config.seed, dropout),
            n_steps: 0,
            remembered: parameters.snapshot(),
        }
    }

    /// Computes the forward and the backward pass in bfloat16, if that is asked for.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there is no memory for it.
    pub fn with_precision(self, network_config: &NetworkConfig) -> Result<Self> {
        let half = match self.config.precision {
            Precision::Float32 => None,
            Precision::Bfloat16 => Some(HalfNetwork::new(network_config, self.parameters)?),
        };
        Ok(Self { half, ..self })
    }

    /// The mean loss of a batch of training samples, the first of which is row `first_row` of the step.
    fn loss(&self, indices: &[usize], first_row: usize) -> Result<Tensor> {
        let batch = self.train.training_batch(indices, self.n_steps)?;
        let dropout = Some(self.dropout.during(self.n_steps).from_row(first_row));
        let output = match (self.train.supervised_steps(), &self.half) {
            (steps, Some(half)) => half.forward(&batch.inputs, dropout, steps > 1)?,
            (1, None) => self.network.forward(&batch.inputs, dropout)?,
            (_, None) => self.network.forward_every_step(&batch.inputs, dropout)?,
        };
        self.config.loss.mean(&output, &batch)
    }

    /// The mean loss of `samples` (weighted by their weights) under the present weights.
    fn evaluate(&self, samples: &Loader) -> Result<f64> {
        tch::no_grad(|| {
            let all = samples.in_order();
            let indices = &all[self.config.share().rows(all.len())];
            let mut sum = 0.0;
            for indices in indices.chunks(self.config.batch_size.max(VALIDATION_BATCH)) {
                let batch = samples.batch(indices)?;
                let output = self.network.forward(&batch.inputs, None)?;
                sum += number(&self.config.loss.mean(&output, &batch)?)? * indices.len() as f64;
            }
            self.config.sum(sum / all.len() as f64)
        })
    }
}

impl Learner for TorchLearner<'_> {
    fn n_samples(&self) -> usize {
        self.train.n_samples()
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        self.optimizer.zero_grad();
        let (own, mut loss) = (self.config.share().rows(indices.len()), 0.0);
        let at_once = self.config.share().most_rows(self.config.batch_size);
        let is_idle = self.optimizer.is_idle();
        if (own.is_empty() || self.half.is_some()) && !is_idle {
            // gradients of zero, which others are added to
            let zeros = self.parameters.iter().map(|(_, p)| Ok(p.f_sum(Kind::Float)?.f_mul_scalar(0.0)?));
            Tensor::f_stack(&zeros.collect::<Result<Vec<_>>>()?, 0)?.f_sum(Kind::Float)?.f_backward()?;
        }
        if let Some(half) = &self.half {
            half.update(self.parameters)?;
        }
        for start in own.clone().step_by(at_once) {
            let rows = start..own.end.min(start + at_once);
            let share = rows.len() as f64 / indices.len() as f64;
            let of_batch = self.loss(&indices[rows.clone()], rows.start)?.f_mul_scalar(share)?;
            loss += number(&of_batch)?;
            if !is_idle {
                of_batch.f_backward()?;
            }
        }
        if let Some(half) = self.half.as_ref().filter(|_| !is_idle) {
            half.give_gradients(self.parameters)?;
        }
        self.n_steps += 1;
        if is_idle {
            return Ok(Step { loss: self.config.sum(loss)?, grad_norm: 0.0 });
        }
        if let Some(processes) = &self.config.processes {
            let mut gradients = self.optimizer.gradients()?;
            loss = processes.sum(gradients.iter_mut().map(|gradient| Summed::Single(gradient)).collect(), loss)?;
            self.optimizer.replace_gradients(&gradients)?;
        }
        let grad_norm = self.optimizer.grad_norm()?;
        self.optimizer.clip_grad_norm(self.config.clip_grad_norm, grad_norm)?;
        self.optimizer.clip_grad_value(self.config.clip_grad_value)?;
        self.optimizer.step(learning_rate)?;
        Ok(Step { loss, grad_norm })
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        self.validation.as_ref().map(|samples| self.evaluate(samples)).transpose()
    }

    fn remember(&mut self) {
        self.remembered = self.parameters.snapshot();
    }

    fn restore(&mut self) {
        self.parameters.restore(&self.remembered);
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        let weights = self.parameters.iter().zip(&self.remembered).flat_map(|((name, weights), best)| {
            [(format!("weights.{name}"), weights), (format!("best_weights.{name}"), best)]
        });
        let weights = weights.map(|(name, tensor)| (name, Part::Elsewhere(Box::new(tensor.shallow_clone()))));
        weights.chain(self.optimizer.parts()).collect()
    }

    fn resume(&mut self, n_steps: u64) {
        self.n_steps = n_steps;
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.optimizer.unfreeze(names);
    }
}

/// What is trained, each at its pace; nothing of a network that is a line alone, which is solved.
fn trained(parameters: &Weights, config: &TrainConfig) -> Vec<(Tensor, Pace)> {
    if parameters.iter().all(|(name, _)| is_of_line(name)) {
        return Vec::new();
    }
    parameters.iter().map(|(name, tensor)| (tensor.shallow_clone(), Pace::new(name, config))).collect()
}

fn number(scalar: &Tensor) -> Result<f64> {
    Ok(scalar.f_double_value(&[])?)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use tch::Device;

    use super::*;
    use crate::series::table::Table;
    use crate::series::Matrix;
    use crate::torch::build::drawn;

    static NETWORK: LazyLock<NetworkConfig> =
        LazyLock::new(|| NetworkConfig { hidden_size: 8, num_layers: 2, dropout: 0.4, ..NetworkConfig::default() });
    static TRAINING: LazyLock<TrainConfig> =
        LazyLock::new(|| TrainConfig { learning_rate: 0.1, batch_size: 4, seed: 9, ..TrainConfig::default() });
    const INPUTS: [f32; 6] = [0.1, -0.3, 0.5, 0.9, -0.7, 0.2];
    const TARGETS: [f32; 3] = [0.4, 0.8, -0.6];

    fn table() -> Table<'static> {
        Table::new(Matrix::new(&INPUTS, 2).unwrap(), Matrix::new(&TARGETS, 1).unwrap(), &[1.0; 3])
    }

    #[test]
    fn each_step_has_its_own_masks_and_reports_the_loss_before_it() {
        let (network, parameters) = drawn::network(&NETWORK);
        let table = table();
        let loader = || Loader::new(&table, 1, Device::Cpu);
        let mut learner =
            TorchLearner::new((&*network, &parameters), (loader(), Some(loader())), NETWORK.dropout, &TRAINING);
        let masks = DropoutMasks::new(TRAINING.seed, NETWORK.dropout);
        for step in 0..3 {
            let batch = loader().batch(&[2, 0]).unwrap();
            let output = network.forward(&batch.inputs, Some(masks.during(step))).unwrap();
            let expected = TRAINING.loss.mean(&output, &batch).unwrap().double_value(&[]);
            assert_eq!(learner.step(&[2, 0], 0.1).unwrap().loss, expected, "step {step}");
        }
    }

    #[test]
    fn validation_drops_nothing_and_restoring_goes_back() {
        let (network, parameters) = drawn::network(&NETWORK);
        let table = table();
        let loader = || Loader::new(&table, 1, Device::Cpu);
        let mut learner =
            TorchLearner::new((&*network, &parameters), (loader(), Some(loader())), NETWORK.dropout, &TRAINING);
        let batch = loader().batch(&[0, 1, 2]).unwrap();
        let output = network.forward(&batch.inputs, None).unwrap();
        let initial = TRAINING.loss.mean(&output, &batch).unwrap().double_value(&[]);
        // a mean is multiplied by the number of samples and divided again
        let near = |got: Option<f64>, expected: f64| (got.unwrap() - expected).abs() < 1e-15;
        assert!(near(learner.validate().unwrap(), initial));
        learner.step(&[0, 1], 0.1).unwrap();
        let later = learner.validate().unwrap().unwrap();
        assert_ne!(later, initial);
        learner.restore();
        assert!(near(learner.validate().unwrap(), initial));
        learner.step(&[0, 1], 0.1).unwrap();
        let remembered = learner.validate().unwrap().unwrap();
        learner.remember();
        learner.step(&[0, 1], 0.1).unwrap();
        assert_ne!(learner.validate().unwrap().unwrap(), remembered);
        learner.restore();
        assert!(near(learner.validate().unwrap(), remembered));
    }

    #[test]
    fn nothing_held_out_is_no_loss() {
        let (network, parameters) = drawn::network(&NETWORK);
        let table = table();
        let samples = (Loader::new(&table, 1, Device::Cpu), None);
        let mut learner = TorchLearner::new((&*network, &parameters), samples, NETWORK.dropout, &TRAINING);
        assert_eq!((learner.n_samples(), learner.validate().unwrap()), (3, None));
    }
}
