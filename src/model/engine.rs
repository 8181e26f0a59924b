//! Who computes what a model forecasts, and what is kept of that from one forecast to the next.

use super::config::ModelConfig;
use super::line_forecaster::LineForecaster;
use super::task::{ForecastTask, Prepared, BATCH, LEAST_ROWS};
use super::torch_engine::TorchEngine;
use crate::error::Result;
use crate::kernel::pool;
use crate::network::fused::{FusedMemory, FusedNetwork};
use crate::network::{Architecture, Parameters};

/// Who does the work, and the network as it forecasts, once it has.
pub(super) enum Engine {
    /// Our own kernel, slices only.
    Fused(Option<Box<FusedForecaster>>),
    /// Our own kernel, a line alone.
    Line(Option<Box<LineForecaster>>),
    /// libtorch, alone or around our own kernel.
    Torch(TorchEngine),
}

impl Engine {
    /// That of a model of this configuration.
    ///
    /// # Errors
    /// [`crate::error::Error::Device`] for a device that isn't there, [`crate::error::Error::NeedsTorch`] for a network that needs
    /// libtorch in a build without it.
    pub(super) fn new(config: &ModelConfig) -> Result<Self> {
        // without libtorch, the kernel forecasts what libtorch trained
        let by_kernel = config.is_for_kernel()? || !cfg!(feature = "torch");
        Ok(match config.architecture {
            Architecture::Lstm if by_kernel => Self::Fused(None),
            Architecture::Linear if by_kernel => Self::Line(None),
            _ => Self::Torch(TorchEngine::new(config)?),
        })
    }

    /// Whether it is libtorch alone.
    pub(super) fn is_torch(&self) -> bool {
        matches!(self, Self::Torch(engine) if engine.is_alone())
    }

    /// Forgets what it keeps: weights have changed, or what is made of them.
    pub(super) fn forget(&mut self) {
        match self {
            Self::Fused(ready) => *ready = None,
            Self::Line(ready) => *ready = None,
            Self::Torch(engine) => engine.forget(),
        }
    }

    /// Makes `n` forecasts with these weights, on up to `n_threads` threads.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    pub(super) fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &ForecastTask<F>,
        (weights, int8): (&Parameters, bool),
        (n, n_threads): (usize, Option<usize>),
        forecasts: &mut [f64],
    ) -> Result<()> {
        match self {
            Self::Fused(ready) => {
                let forecaster = match ready {
                    Some(forecaster) => forecaster,
                    None => ready.insert(Box::new(FusedForecaster::new(task.config, weights, int8)?)),
                };
                forecaster.run(task, n, n_threads, forecasts);
                Ok(())
            }
            Self::Line(ready) => {
                let forecaster = match ready {
                    Some(forecaster) => forecaster,
                    None => ready.insert(Box::new(LineForecaster::new(task.config, weights)?)),
                };
                forecaster.run(task, n, forecasts);
                Ok(())
            }
            Self::Torch(engine) => engine.run(task, (weights, int8), (n, n_threads), forecasts),
        }
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
