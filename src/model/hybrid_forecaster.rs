//! Forecasts where our own kernel runs the LSTM and libtorch what stands around it.

use super::config::ModelConfig;
use super::task::{ForecastTask, BATCH, LEAST_ROWS};
use crate::error::Result;
use crate::kernel::forward_only::ForwardMemory;
use crate::kernel::pool;
use crate::network::Parameters;
use crate::torch::devices::Devices;
use crate::torch::hybrid::{HybridNetwork, Surroundings};
use crate::torch::threads::{one_thread, ThreadsGuard};
use crate::torch::weights::Weights;

/// The network of kernel and libtorch, ready to forecast.
pub(super) struct HybridForecaster {
    network: HybridNetwork,
    weights: Weights,
    workers: Vec<(Surroundings, ForwardMemory)>,
}

impl HybridForecaster {
    pub(super) fn new(config: &ModelConfig, parameters: &Parameters, int8: bool) -> Result<Self> {
        let network = HybridNetwork::new(&config.network(), parameters)?.with_integers(int8);
        Ok(Self { network, weights: Weights::new(parameters, &Devices::CPU)?, workers: Vec::new() })
    }

    /// Makes `n` forecasts.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub(super) fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &ForecastTask<F>,
        n: usize,
        n_threads: Option<usize>,
        forecasts: &mut [f64],
    ) -> Result<()> {
        let n_channels = task.lens.layout.n_channels();
        let n_workers = (n * n_channels).div_ceil(LEAST_ROWS).min(n).min(pool::n_threads(n_threads)).max(1);
        while self.workers.len() < n_workers {
            let memory = self.network.lstm.forward_memory(BATCH, task.config.n_steps());
            self.workers.push((Surroundings::new(&self.network, &self.weights)?, memory));
        }
        let _threads = ThreadsGuard::new(Some(1));
        let (network, part_len) = (&self.network, n.div_ceil(n_workers).max(1));
        let parts = forecasts.chunks_mut(part_len * task.config.forecast_len());
        let mut parts: Vec<_> =
            self.workers.iter_mut().zip(parts).map(|(worker, part)| (worker, part, Ok(()))).collect();
        pool::for_each(&mut parts, |at, ((surroundings, memory), forecasts, outcome)| {
            one_thread();
            let channels = at * part_len * n_channels..n.min((at + 1) * part_len) * n_channels;
            *outcome = task.in_batches(channels, forecasts, |inputs, rows| {
                surroundings.forecast_slice(network, memory, inputs, rows)
            });
        });
        parts.into_iter().try_for_each(|(_, _, outcome)| outcome)
    }
}
