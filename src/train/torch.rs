//! Learning by libtorch: its operations forward, its automatic differentiation back.

use tch::{Kind, Tensor};

use super::batch::Loader;
use super::config::TrainConfig;
use super::optimizer::Optimizer;
use super::transfer::Pace;
use super::{Learner, Step};
use crate::error::Result;
use crate::network::parameter::is_of_line;
use crate::network::{Network, Parameters};
use crate::rng::DropoutMasks;

/// The least number of held-out samples in one pass, which keeps no gradients and so has room for more.
const VALIDATION_BATCH: usize = 256;

/// A network of tensors with its optimiser.
pub struct TorchLearner<'a> {
    network: &'a dyn Network,
    parameters: &'a Parameters,
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
        (network, parameters): (&'a dyn Network, &'a Parameters),
        (train, validation): (Loader<'a>, Option<Loader<'a>>),
        dropout: f64,
        config: &'a TrainConfig,
    ) -> Self {
        Self {
            network,
            parameters,
            train,
            validation,
            config,
            optimizer: Optimizer::new(config.optimizer, trained(parameters, config), config.weight_decay),
            dropout: DropoutMasks::new(config.seed, dropout),
            n_steps: 0,
            remembered: parameters.snapshot(),
        }
    }

    /// The share of this process in the mean loss of a batch, its gradients attached.
    fn share_of(&self, indices: &[usize]) -> Result<Tensor> {
        let rows = self.config.share().rows(indices.len());
        if rows.is_empty() {
            // gradients of zero, which the others' are added to
            let zeros = self.parameters.iter().map(|(_, p)| Ok(p.f_sum(Kind::Float)?.f_mul_scalar(0.0)?));
            return Ok(Tensor::f_stack(&zeros.collect::<Result<Vec<_>>>()?, 0)?.f_sum(Kind::Float)?);
        }
        let batch = self.train.training_batch(&indices[rows.clone()], self.n_steps)?;
        let dropout = Some(self.dropout.during(self.n_steps).from_row(rows.start));
        let output = match self.train.supervised_steps() {
            1 => self.network.forward(&batch.inputs, dropout)?,
            _ => self.network.forward_every_step(&batch.inputs, dropout)?,
        };
        let mean = self.config.loss.mean(&output, &batch)?;
        Ok(mean.f_mul_scalar(rows.len() as f64 / indices.len() as f64)?)
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
        let share = self.share_of(indices)?;
        self.n_steps += 1;
        if self.optimizer.is_idle() {
            return Ok(Step { loss: self.config.sum(number(&share)?)?, grad_norm: 0.0 });
        }
        share.f_backward()?;
        let loss = match &self.config.processes {
            None => number(&share)?,
            Some(processes) => processes.sum(self.optimizer.gradients(), number(&share)?)?,
        };
        let grad_norm = self.optimizer.grad_norm()?;
        self.optimizer.clip_grad_norm(self.config.clip_grad_norm, grad_norm)?;
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

    fn unfreeze(&mut self, names: &[String]) {
        self.optimizer.unfreeze(names);
    }
}

/// What is trained, each at its pace; nothing of a network that is a line alone, which is solved.
fn trained(parameters: &Parameters, config: &TrainConfig) -> Vec<(Tensor, Pace)> {
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
    use tch::Device;

    use super::*;
    use crate::network::{build, Architecture, NetworkConfig};
    use crate::series::table::Table;
    use crate::series::Matrix;
    use crate::train::loss::Loss;
    use crate::train::optimizer::OptimizerKind;
    use crate::train::schedule::LrSchedule;
    use crate::train::transfer::Transfer;

    const NETWORK: NetworkConfig = NetworkConfig {
        architecture: Architecture::Lstm,
        input_size: 1,
        hidden_size: 8,
        num_layers: 2,
        bidirectional: false,
        dropout: 0.4,
        output_size: 1,
        skip: None,
        tbptt: None,
    };
    static TRAINING: TrainConfig = TrainConfig {
        loss: Loss::Mse,
        optimizer: OptimizerKind::Adam,
        learning_rate: 0.1,
        weight_decay: 0.0,
        batch_size: 4,
        max_epochs: 1,
        patience: None,
        min_delta: 0.0,
        steps_per_epoch: None,
        lr_schedule: LrSchedule::Plateau,
        lr_patience: None,
        lr_factor: 0.5,
        clip_grad_norm: None,
        shuffle: true,
        seed: 9,
        n_threads: None,
        processes: None,
        transfer: Transfer::none(),
    };
    const INPUTS: [f32; 6] = [0.1, -0.3, 0.5, 0.9, -0.7, 0.2];
    const TARGETS: [f32; 3] = [0.4, 0.8, -0.6];

    fn table() -> Table<'static> {
        Table::new(Matrix::new(&INPUTS, 2).unwrap(), Matrix::new(&TARGETS, 1).unwrap(), &[1.0; 3])
    }

    #[test]
    fn each_step_has_its_own_masks_and_reports_the_loss_before_it() {
        let (network, parameters) = build(&NETWORK, 0, Device::Cpu).unwrap();
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
        let (network, parameters) = build(&NETWORK, 0, Device::Cpu).unwrap();
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
        let (network, parameters) = build(&NETWORK, 0, Device::Cpu).unwrap();
        let table = table();
        let samples = (Loader::new(&table, 1, Device::Cpu), None);
        let mut learner = TorchLearner::new((&*network, &parameters), samples, NETWORK.dropout, &TRAINING);
        assert_eq!((learner.n_samples(), learner.validate().unwrap()), (3, None));
    }
}
