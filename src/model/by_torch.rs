//! What libtorch computes for a model: trainings, gradients, attention weights.

use super::engine::{torch_threads, Engine};
use super::task::ForecastTask;
use super::Model;
use crate::error::{Error, Result};
use crate::series::table::Table;
use crate::torch::devices::Devices;
use crate::torch::fit::{self, Data, Gradients};
use crate::torch::forecaster::TorchForecaster;
use crate::torch::threads::ThreadsGuard;
use crate::train::loss::Loss;
use crate::train::{Checkpoints, Observer, Outcome, TrainConfig};

impl Model {
    /// The devices of its tensors.
    fn devices(&self) -> Devices {
        match &self.engine {
            Engine::Torch(devices, _) => devices.clone(),
            _ => Devices::CPU,
        }
    }

    pub(super) fn train_by_torch(
        &mut self,
        data: Data,
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let devices = self.devices();
        let n_threads = torch_threads(&self.config, &devices, training.n_threads);
        let network = (&self.config.network(), &mut self.parameters);
        fit::train(network, (&devices, n_threads), data, training, observer, checkpoints)
    }

    pub(super) fn train_by_both(
        &mut self,
        data: Data,
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let network = (&self.config.network(), &mut self.parameters);
        fit::train_hybrid(network, data, training, observer, checkpoints)
    }

    pub(super) fn gradients_by_torch(&self, table: &Table, loss: &Loss) -> Result<Gradients> {
        let (network, table) = ((&self.config.network(), &self.parameters), (table, self.config.layout().width()));
        match self.engine {
            Engine::Hybrid(_) => fit::gradients_hybrid(network, table, loss),
            _ => fit::gradients(network, &self.devices(), table, loss),
        }
    }

    pub(super) fn attention_by_torch<F: Fn(usize) -> (usize, usize)>(
        &self,
        task: &ForecastTask<F>,
        n: usize,
        n_threads: Option<usize>,
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        let devices = self.devices();
        let _threads = ThreadsGuard::new(torch_threads(&self.config, &devices, n_threads));
        let forecaster = TorchForecaster::new(&self.config.network(), &self.parameters, &devices)?;
        let (mut values, mut shape) = (Vec::new(), vec![n]);
        task.for_each_batch(0..n, |inputs, prepared| {
            let (weights, sizes) = forecaster.attention_weights(inputs)?.ok_or_else(|| {
                let name = self.config.architecture.name();
                Error::Value(format!("expected an architecture with attention weights, got '{name}'"))
            })?;
            shape.truncate(1);
            shape.extend(&sizes[1..]);
            values.extend(&weights[..weights.len() / sizes[0] * prepared.len()]);
            Ok(())
        })?;
        Ok((values, shape))
    }
}
