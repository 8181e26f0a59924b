//! Fits and forecasts where our own kernel runs the LSTM and libtorch what stands around it.

use tch::Tensor;

use super::forecast::{Task, BATCH, LEAST_ROWS};
use super::Model;
use crate::error::Result;
use crate::kernel::forward_only::ForwardMemory;
use crate::kernel::pool;
use crate::network::hybrid::{HybridNetwork, Surroundings};
use crate::network::parameter::is_of_lstm;
use crate::network::Parameters;
use crate::series::augment::Augmenter;
use crate::series::table::Table;
use crate::series::Samples;
use crate::train::fused_gradient::Task as Batch;
use crate::train::hybrid::HybridLearner;
use crate::train::hybrid_gradient::HybridGradient;
use crate::train::loss::Loss;
use crate::train::processes::Share;
use crate::train::threads::{one_thread, ThreadsGuard};
use crate::train::{self, Checkpoints, Observer, Outcome, TrainConfig};

impl Model {
    pub(super) fn train_by_both(
        &mut self,
        (train, validation): (&dyn Samples, Option<&dyn Samples>),
        augmenter: &Augmenter,
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let config = self.config.network();
        let mut network = HybridNetwork::new(&config, &self.parameters)?;
        let (n_threads, n_features) = (pool::n_threads(training.n_threads), self.config.layout().width());
        let _threads = ThreadsGuard::new(Some(1));
        let samples = (train, validation, n_features);
        let weights = (&mut network, &self.parameters);
        let mut learner = HybridLearner::new(weights, &config, samples, n_threads, training)?.augmented(augmenter);
        let outcome = train::fit_with_checkpoints(&mut learner, training, observer, checkpoints);
        network.store(&self.parameters)?;
        outcome
    }

    pub(super) fn gradients_by_both(&self, table: &Table, loss: &Loss) -> Result<(f64, Vec<(String, Tensor)>)> {
        let config = self.config.network();
        let network = HybridNetwork::new(&config, &self.parameters)?;
        let _threads = ThreadsGuard::new(Some(1));
        let indices: Vec<usize> = (0..table.len()).collect();
        let n_features = self.config.layout().width();
        let sizes = (indices.len(), table.input_len() / n_features, n_features);
        let weights = (&network, &self.parameters);
        let mut gradient = HybridGradient::new(weights, &config, sizes, pool::n_threads(None))?;
        let mean = gradient
            .compute(&network, Batch { samples: table, indices: &indices, share: Share::WHOLE, loss, masks: None })?;
        let mut of_lstm = network.lstm.unpack(gradient.sum(&network)?.0).into_iter();
        let mut others = gradient.others().map(|(_, tensor)| tensor.grad().copy());
        // both in the order of the parameters
        let named = self.parameters.iter().map(|(name, tensor)| {
            let gradient = if is_of_lstm(name) {
                let values = of_lstm.next().expect("a gradient for each weight of the LSTM");
                Tensor::f_from_slice(&values)?.f_reshape(tensor.size())?
            } else {
                others.next().expect("a gradient for each other parameter")
            };
            Ok((name.to_owned(), gradient))
        });
        Ok((mean, named.collect::<Result<_>>()?))
    }
}

/// The network, ready to forecast.
pub(super) struct HybridForecaster {
    network: HybridNetwork,
    workers: Vec<(Surroundings, ForwardMemory)>,
}

impl HybridForecaster {
    pub(super) fn new(network: HybridNetwork) -> Self {
        Self { network, workers: Vec::new() }
    }

    pub(super) fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &Task<F>,
        weights: &Parameters,
        n: usize,
        n_threads: Option<usize>,
        forecasts: &mut [f64],
    ) -> Result<()> {
        let n_channels = task.lens.layout.n_channels();
        let n_workers = (n * n_channels).div_ceil(LEAST_ROWS).min(n).min(pool::n_threads(n_threads)).max(1);
        while self.workers.len() < n_workers {
            let memory = self.network.lstm.forward_memory(BATCH, task.config.n_steps());
            self.workers.push((Surroundings::new(&self.network, weights)?, memory));
        }
        let _threads = ThreadsGuard::new(Some(1));
        let (network, part_len) = (&self.network, n.div_ceil(n_workers).max(1));
        let parts = forecasts.chunks_mut(part_len * task.config.forecast_len());
        let mut parts: Vec<_> =
            self.workers.iter_mut().zip(parts).map(|(worker, part)| (worker, part, Ok(()))).collect();
        pool::for_each(&mut parts, |at, ((surroundings, memory), forecasts, outcome)| {
            one_thread();
            let channels = at * part_len * n_channels..n.min((at + 1) * part_len) * n_channels;
            *outcome = task
                .in_batches(channels, forecasts, |inputs, rows| surroundings.forecast(network, memory, inputs, rows));
        });
        parts.into_iter().try_for_each(|(_, _, outcome)| outcome)
    }
}
