//! Forecasts in the user's units.

use tch::Device;

use super::{Channels, Model, ModelConfig};
use crate::error::{Error, Result};
use crate::kernel::pool;
use crate::network::fused::{FusedMemory, FusedNetwork};
use crate::network::Network;
use crate::series::normalize::Normalize;
use crate::series::scale::Scaler;
use crate::series::Matrix;
use crate::train::batch::tensor;
use crate::train::threads::ThreadsGuard;

/// Windows in one pass. libtorch's order of summation changes with the size of a batch; at one size, always, the forecast
/// of a window is independent, to the bit, of the company in which it comes. The kernel's order never changes.
const BATCH: usize = 32;

/// Windows that are worth another thread.
const LEAST_ROWS: usize = 8;

impl Model {
    /// Windows `(n, window_size * n_features)` to forecasts `(n, horizon * n_targets)`, row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] for windows of another length.
    pub fn forecast(&mut self, windows: Matrix<f64>, n_threads: Option<usize>) -> Result<Vec<f64>> {
        let expected = self.config.window_size * self.config.n_features;
        if windows.n_columns() != expected {
            return Err(Error::shape(
                format!("windows of {} x {} numbers", self.config.window_size, self.config.n_features),
                format!("{}", windows.n_columns()),
            ));
        }
        self.forecast_each(windows.n_rows(), |i| windows.row(i), n_threads)
    }

    /// One forecast for each origin, from the `window_size` rows before that row of a series `(n_rows, n_features)`.
    ///
    /// # Errors
    /// [`Error::TooShort`] for an origin with too few rows before it.
    pub fn forecast_series(
        &mut self,
        series: Matrix<f64>,
        origins: &[usize],
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let window_size = self.config.window_size;
        self.check_columns(series.n_columns())?;
        if let Some(origin) = origins.iter().find(|&&origin| origin < window_size || origin > series.n_rows()) {
            return Err(Error::too_short(
                format!("origins between window_size {window_size} and {} rows", series.n_rows()),
                format!("{origin}"),
            ));
        }
        self.forecast_each(origins.len(), |i| series.rows(origins[i] - window_size, origins[i]).values(), n_threads)
    }

    fn forecast_each<'a>(
        &mut self,
        n: usize,
        window: impl Fn(usize) -> &'a [f64] + Sync,
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let mut forecasts = vec![0.0; n * self.config.horizon * self.config.n_targets];
        if self.is_fused() {
            let mut forecaster = match self.forecaster.take() {
                Some(forecaster) => forecaster,
                None => Forecaster::new(FusedNetwork::new(&self.config.network(), &self.parameters)?),
            };
            forecaster.run(&self.task(), n, &window, n_threads, &mut forecasts);
            self.forecaster = Some(forecaster);
        } else {
            self.forecast_by_torch(n, window, n_threads, &mut forecasts)?;
        }
        Ok(forecasts)
    }

    fn task(&self) -> Task<'_> {
        Task { config: &self.config, input_scaler: &self.input_scaler, output_scaler: &self.output_scaler }
    }

    fn forecast_by_torch<'a>(
        &self,
        n: usize,
        window: impl Fn(usize) -> &'a [f64],
        n_threads: Option<usize>,
        forecasts: &mut [f64],
    ) -> Result<()> {
        let _threads = ThreadsGuard::new(self.torch_threads(n_threads));
        let task = self.task();
        let channels: Vec<usize> = (0..n * self.config.n_channels()).collect();
        let output_len = self.config.horizon * self.config.n_targets_at_once();
        for batch in channels.chunks(BATCH) {
            let mut prepared: Vec<Prepared> = batch.iter().map(|&channel| task.prepared(&window, channel)).collect();
            prepared.resize(BATCH, prepared[0].clone());
            let outputs = torch_outputs(&*self.network, &self.config, &prepared, self.device)?;
            for ((&channel, output), prepared) in batch.iter().zip(outputs.chunks_exact(output_len)).zip(&prepared) {
                task.finish(output, prepared, &mut Vec::new(), (channel, forecasts));
            }
        }
        Ok(())
    }
}

fn torch_outputs(
    network: &dyn Network,
    config: &ModelConfig,
    windows: &[Prepared],
    device: Device,
) -> Result<Vec<f32>> {
    let inputs: Vec<f32> = windows.iter().flat_map(|prepared| &prepared.window).copied().collect();
    let inputs = tensor(&inputs, &[windows.len(), config.window_size, config.n_features_at_once()], device)?;
    let output = tch::no_grad(|| network.forward(&inputs, None))?;
    Ok(output.f_reshape([-1])?.f_to_device(Device::Cpu)?.try_into()?)
}

/// What stands between the user's units and the network's.
#[derive(Clone, Copy)]
struct Task<'a> {
    config: &'a ModelConfig,
    input_scaler: &'a Scaler,
    output_scaler: &'a Scaler,
}

/// A window as the network sees it, and its last row before normalisation.
#[derive(Debug, Clone, Default)]
struct Prepared {
    window: Vec<f32>,
    last_row: Vec<f32>,
}

/// Channels are numbered through all windows: those of the first window, then those of the second.
impl Task<'_> {
    fn prepared<'a>(self, window: &impl Fn(usize) -> &'a [f64], channel: usize) -> Prepared {
        let mut prepared = Prepared::default();
        self.prepare(window, channel, &mut prepared);
        prepared
    }

    fn prepare<'a>(self, window: &impl Fn(usize) -> &'a [f64], channel: usize, prepared: &mut Prepared) {
        let (n_channels, n_features) = (self.config.n_channels(), self.config.n_features_at_once());
        let (rows, channel) = (window(channel / n_channels), channel % n_channels);
        prepared.window.clear();
        self.config.scale_channel(self.input_scaler, rows, channel, &mut prepared.window);
        prepared.last_row.clear();
        prepared.last_row.extend_from_slice(&prepared.window[prepared.window.len() - n_features..]);
        if let Some(normalize) = self.config.normalize {
            normalize.apply(&mut prepared.window, n_features, &mut [], self.config.n_targets_at_once());
        }
    }

    /// Brings an output back to the user's units and to its place among all forecasts.
    fn finish(
        self,
        output: &[f32],
        prepared: &Prepared,
        buffer: &mut Vec<f32>,
        (channel, forecasts): (usize, &mut [f64]),
    ) {
        buffer.clear();
        buffer.extend_from_slice(output);
        let n_targets = self.config.n_targets;
        if let Some(Normalize::Last) = self.config.normalize {
            Normalize::Last.revert(buffer, &prepared.last_row, self.config.n_targets_at_once());
        }
        let (n_channels, forecast_len) = (self.config.n_channels(), self.config.horizon * n_targets);
        let forecast = &mut forecasts[channel / n_channels * forecast_len..][..forecast_len];
        if self.config.channels == Channels::Together {
            return self.output_scaler.inverse_into(buffer, forecast);
        }
        let target = channel % n_channels;
        for (step, &value) in forecast.chunks_exact_mut(n_targets).zip(&*buffer) {
            step[target] = self.output_scaler.inverse_one(target, value);
        }
    }
}

/// The kernel's network, ready to forecast: after the first call of a size it allocates nothing.
pub(super) struct Forecaster {
    network: FusedNetwork,
    workers: Vec<Worker>,
}

/// One thread's memory.
struct Worker {
    memory: FusedMemory,
    prepared: Vec<Prepared>,
    buffer: Vec<f32>,
}

impl Forecaster {
    fn new(network: FusedNetwork) -> Self {
        Self { network, workers: Vec::new() }
    }

    fn run<'a>(
        &mut self,
        task: &Task,
        n: usize,
        window: &(impl Fn(usize) -> &'a [f64] + Sync),
        n_threads: Option<usize>,
        forecasts: &mut [f64],
    ) {
        let n_channels = task.config.n_channels();
        let n_workers = (n * n_channels).div_ceil(LEAST_ROWS).max(1);
        let n_workers = if n_workers == 1 { 1 } else { n_workers.min(n).min(pool::n_threads(n_threads)) };
        while self.workers.len() < n_workers {
            let memory = self.network.memory(BATCH, task.config.n_steps());
            self.workers.push(Worker { memory, prepared: vec![Prepared::default(); BATCH], buffer: Vec::new() });
        }
        let network = &self.network;
        if n_workers == 1 {
            return self.workers[0].run(network, *task, (0, n), window, (forecasts, pool::n_threads(n_threads)));
        }
        let part_len = n.div_ceil(n_workers);
        let parts = forecasts.chunks_mut(part_len * task.config.horizon * task.config.n_targets);
        let mut parts: Vec<_> = self.workers.iter_mut().zip(parts).collect();
        pool::for_each(&mut parts, |at, (worker, forecasts)| {
            worker.run(network, *task, (at * part_len, n.min((at + 1) * part_len)), window, (forecasts, 1));
        });
    }
}

impl Worker {
    fn run<'a>(
        &mut self,
        network: &FusedNetwork,
        task: Task,
        (first, end): (usize, usize),
        window: &impl Fn(usize) -> &'a [f64],
        (forecasts, n_threads): (&mut [f64], usize),
    ) {
        let n_channels = task.config.n_channels();
        let window = |at| window(first + at);
        let n = (end - first) * n_channels;
        for start in (0..n).step_by(BATCH) {
            let rows = BATCH.min(n - start);
            self.memory.start(rows, n_threads);
            for (row, prepared) in self.prepared[..rows].iter_mut().enumerate() {
                task.prepare(&window, start + row, prepared);
                network.set_window(&mut self.memory, row, &prepared.window);
            }
            let outputs = network.forward(&mut self.memory, rows);
            for (row, (output, prepared)) in outputs.zip(&self.prepared).enumerate() {
                task.finish(output, prepared, &mut self.buffer, (start + row, forecasts));
            }
        }
    }
}
