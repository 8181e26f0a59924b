//! Who computes what a model forecasts, and what is kept of that from one forecast to the next.

use tch::Device;

use super::config::{Backend, ModelConfig};
use super::task::{ForecastTask, Prepared, BATCH};
use crate::error::Result;
use crate::kernel::forward_only::ForwardMemory;
use crate::kernel::pool;
use crate::network::fused::{FusedMemory, FusedNetwork};
use crate::network::hybrid::{HybridNetwork, Surroundings};
use crate::network::{Architecture, Parameters};
use crate::train::threads::{one_thread, ThreadsGuard};

/// Windows that are worth another thread.
pub(super) const LEAST_ROWS: usize = 8;

/// Who does the work, and the network as it forecasts, once it has.
pub(super) enum Engine {
    /// Our own kernel, slices only.
    Fused(Option<Box<FusedForecaster>>),
    /// Our own kernel for the LSTM, libtorch for what stands around it.
    Hybrid(Option<Box<HybridForecaster>>),
    /// libtorch alone.
    Torch,
}

impl Engine {
    /// That of a model whose weights are on `device`.
    pub(super) fn new(config: &ModelConfig, device: Device) -> Self {
        let on_cpu = device == Device::Cpu && config.layer_devices.is_none();
        match config.architecture {
            _ if config.backend == Backend::Torch || !on_cpu => Self::Torch,
            Architecture::Lstm => Self::Fused(None),
            _ if config.architecture.has_lstm() => Self::Hybrid(None),
            _ => Self::Torch,
        }
    }

    /// Whether it is libtorch alone.
    pub(super) fn is_torch(&self) -> bool {
        matches!(self, Self::Torch)
    }

    /// Forgets what it keeps: weights have changed, or what is made of them.
    pub(super) fn forget(&mut self) {
        match self {
            Self::Fused(ready) => *ready = None,
            Self::Hybrid(ready) => *ready = None,
            Self::Torch => (),
        }
    }

    /// Makes `n` forecasts with these weights, unless it is libtorch alone, which forecasts in another place: false.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub(super) fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &ForecastTask<F>,
        (weights, int8): (&Parameters, bool),
        (n, n_threads): (usize, Option<usize>),
        forecasts: &mut [f64],
    ) -> Result<bool> {
        match self {
            Self::Fused(ready) => {
                let forecaster = match ready {
                    Some(forecaster) => forecaster,
                    None => ready.insert(Box::new(FusedForecaster::new(task.config, weights, int8)?)),
                };
                forecaster.run(task, n, n_threads, forecasts);
            }
            Self::Hybrid(ready) => {
                let forecaster = match ready {
                    Some(forecaster) => forecaster,
                    None => ready.insert(Box::new(HybridForecaster::new(task.config, weights, int8)?)),
                };
                forecaster.run(task, weights, n, n_threads, forecasts)?;
            }
            Self::Torch => return Ok(false),
        }
        Ok(true)
    }
}

/// The kernel's network, ready to forecast: after the first call of a size it allocates nothing.
pub(super) struct FusedForecaster {
    network: FusedNetwork,
    workers: Vec<ForecastWorker>,
}

/// One thread's memory.
struct ForecastWorker {
    memory: FusedMemory,
    prepared: Vec<Prepared>,
}

impl FusedForecaster {
    fn new(config: &ModelConfig, weights: &Parameters, int8: bool) -> Result<Self> {
        let network = FusedNetwork::new(&config.network(), weights)?.with_integers(int8);
        Ok(Self { network, workers: Vec::new() })
    }

    fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &ForecastTask<F>,
        n: usize,
        n_threads: Option<usize>,
        forecasts: &mut [f64],
    ) {
        let n_workers = (n * task.lens.layout.n_channels()).div_ceil(LEAST_ROWS).max(1);
        let n_workers = if n_workers == 1 { 1 } else { n_workers.min(n).min(pool::n_threads(n_threads)) };
        while self.workers.len() < n_workers {
            let steps = task.config.n_steps();
            let rows = self.network.lstm.forward_rows(BATCH, steps, pool::n_threads(n_threads));
            let memory = self.network.memory(rows, steps);
            self.workers.push(ForecastWorker { memory, prepared: vec![Prepared::default(); rows] });
        }
        let network = &self.network;
        if n_workers == 1 {
            return self.workers[0].run(network, task, (0, n), (forecasts, pool::n_threads(n_threads)));
        }
        let part_len = n.div_ceil(n_workers);
        let parts = forecasts.chunks_mut(part_len * task.config.forecast_len());
        let mut parts: Vec<_> = self.workers.iter_mut().zip(parts).collect();
        pool::for_each(&mut parts, |at, (worker, forecasts)| {
            worker.run(network, task, (at * part_len, n.min((at + 1) * part_len)), (forecasts, 1));
        });
    }
}

impl ForecastWorker {
    fn run<F: Fn(usize) -> (usize, usize)>(
        &mut self,
        network: &FusedNetwork,
        task: &ForecastTask<F>,
        (first, end): (usize, usize),
        (forecasts, n_threads): (&mut [f64], usize),
    ) {
        let n_channels = task.lens.layout.n_channels();
        let n = (end - first) * n_channels;
        let at_once = self.memory.max_rows();
        for start in (0..n).step_by(at_once) {
            let rows = at_once.min(n - start);
            self.memory.start(rows, n_threads);
            for (row, prepared) in self.prepared[..rows].iter_mut().enumerate() {
                task.prepare(first * n_channels + start + row, prepared);
                network.set_window(&mut self.memory, row, &prepared.input);
            }
            let outputs = network.forward(&mut self.memory, rows);
            for (row, (output, prepared)) in outputs.zip(&self.prepared).enumerate() {
                task.finish(output, prepared, (start + row, forecasts));
            }
        }
    }
}

/// The network of kernel and libtorch, ready to forecast.
pub(super) struct HybridForecaster {
    network: HybridNetwork,
    workers: Vec<(Surroundings, ForwardMemory)>,
}

impl HybridForecaster {
    fn new(config: &ModelConfig, weights: &Parameters, int8: bool) -> Result<Self> {
        let network = HybridNetwork::new(&config.network(), weights)?.with_integers(int8);
        Ok(Self { network, workers: Vec::new() })
    }

    fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &ForecastTask<F>,
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
