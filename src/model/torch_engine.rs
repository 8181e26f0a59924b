//! What libtorch computes for a model, alone or around our own kernel: trainings, gradients, forecasts, attention weights.

use super::config::ModelConfig;
use super::hybrid_forecaster::HybridForecaster;
use super::task::ForecastTask;
use crate::error::{Error, Result};
use crate::network::{Architecture, Parameters};
use crate::series::augment::Augmenter;
use crate::series::table::Table;
use crate::series::Samples;
use crate::torch::devices::Devices;
use crate::torch::fit::{self, Data, Gradients};
use crate::torch::forecaster::TorchForecaster;
use crate::torch::threads::ThreadsGuard;
use crate::train::loss::Loss;
use crate::train::{Checkpoints, Observer, Outcome, TrainConfig};

/// Who does the work, and the network as it forecasts, once it has.
pub(super) enum TorchEngine {
    /// Our own kernel for the LSTM, libtorch for what stands around it.
    Hybrid(Option<Box<HybridForecaster>>),
    /// libtorch alone.
    Alone(Devices, Option<Box<TorchForecaster>>),
}

impl TorchEngine {
    /// That of a model of this configuration.
    ///
    /// # Errors
    /// [`Error::Device`] for a device that isn't there.
    pub(super) fn new(config: &ModelConfig) -> Result<Self> {
        if config.is_for_kernel()? && config.architecture.has_lstm() {
            return Ok(Self::Hybrid(None));
        }
        Ok(Self::Alone(Devices::open(&config.device, config.layer_devices.as_deref())?, None))
    }

    /// Whether it is libtorch alone.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Alone(..))
    }

    /// The devices of its tensors.
    fn devices(&self) -> Devices {
        match self {
            Self::Alone(devices, _) => devices.clone(),
            Self::Hybrid(_) => Devices::CPU,
        }
    }

    /// Forgets what it keeps: weights have changed, or what is made of them.
    pub(super) fn forget(&mut self) {
        match self {
            Self::Hybrid(ready) => *ready = None,
            Self::Alone(_, ready) => *ready = None,
        }
    }

    /// Makes `n` forecasts with these weights, on up to `n_threads` threads.
    ///
    /// # Errors
    /// [`Error::Torch`] when libtorch refuses an operation.
    pub(super) fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &ForecastTask<F>,
        (weights, int8): (&Parameters, bool),
        (n, n_threads): (usize, Option<usize>),
        forecasts: &mut [f64],
    ) -> Result<()> {
        match self {
            Self::Hybrid(ready) => {
                let forecaster = match ready {
                    Some(forecaster) => forecaster,
                    None => ready.insert(Box::new(HybridForecaster::new(task.config, weights, int8)?)),
                };
                forecaster.run(task, n, n_threads, forecasts)
            }
            Self::Alone(devices, ready) => {
                let _threads = ThreadsGuard::new(threads(task.config, devices, n_threads));
                let forecaster = match ready {
                    Some(forecaster) => forecaster,
                    None => ready.insert(Box::new(TorchForecaster::new(&task.config.network(), weights, devices)?)),
                };
                let n_channels = n * task.lens.layout.n_channels();
                task.in_batches(0..n_channels, forecasts, |inputs, _| forecaster.forecast(inputs))
            }
        }
    }

    /// Trains a model of these weights, which are replaced.
    ///
    /// # Errors
    /// What the learner's step or validation fails with.
    pub(super) fn train(
        &self,
        (config, parameters): (&ModelConfig, &mut Parameters),
        (train, validation, augmenter): (&dyn Samples, Option<&dyn Samples>, &Augmenter),
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let network = (&config.network(), parameters);
        let data = Data { train, validation, n_features: config.layout().width(), augmenter: Some(augmenter) };
        match self {
            Self::Hybrid(_) => fit::train_hybrid(network, data, training, observer, checkpoints),
            Self::Alone(devices, _) => {
                let devices = (devices, threads(config, devices, training.n_threads));
                if config.architecture == Architecture::Linear {
                    let data = Data { augmenter: None, ..data };
                    return fit::train(network, devices, data, &training.once(), observer, checkpoints);
                }
                fit::train(network, devices, data, training, observer, checkpoints)
            }
        }
    }

    /// The loss of a table, all in one batch, and its gradient for each parameter.
    ///
    /// # Errors
    /// [`Error::Torch`] when libtorch refuses an operation.
    pub(super) fn gradients(
        &self,
        (config, parameters): (&ModelConfig, &Parameters),
        table: &Table,
        loss: &Loss,
    ) -> Result<Gradients> {
        let (network, table) = ((&config.network(), parameters), (table, config.layout().width()));
        match self {
            Self::Hybrid(_) => fit::gradients_hybrid(network, table, loss),
            Self::Alone(devices, _) => fit::gradients(network, devices, table, loss),
        }
    }

    /// How much each step of `n` windows attends to each, and the shape of that.
    ///
    /// # Errors
    /// [`Error::Value`] of a network without attention.
    pub(super) fn attention_weights<F: Fn(usize) -> (usize, usize)>(
        &self,
        task: &ForecastTask<F>,
        parameters: &Parameters,
        (n, n_threads): (usize, Option<usize>),
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        let devices = self.devices();
        let _threads = ThreadsGuard::new(threads(task.config, &devices, n_threads));
        let forecaster = TorchForecaster::new(&task.config.network(), parameters, &devices)?;
        let (mut values, mut shape) = (Vec::new(), vec![n]);
        task.for_each_batch(0..n, |inputs, prepared| {
            let found = forecaster.attention_weights(inputs)?;
            let (weights, sizes) = found.ok_or_else(|| Error::no_attention(task.config.architecture.name()))?;
            shape.truncate(1);
            shape.extend(&sizes[1..]);
            values.extend(&weights[..weights.len() / sizes[0] * prepared.len()]);
            Ok(())
        })?;
        Ok((values, shape))
    }
}

/// Threads for libtorch: as asked, else as they are, but one for small networks, whose operations are over before a second
/// thread has woken up, and which crawl when another process wants its core.
fn threads(config: &ModelConfig, devices: &Devices, asked: Option<usize>) -> Option<usize> {
    let small = config.hidden_size < 128 && devices.is_cpu();
    asked.or(if small { Some(1) } else { None })
}
