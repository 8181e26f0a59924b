//! Forecasts in the user's units.

use tch::{Device, Tensor};

use super::hybrid::HybridForecaster;
use super::{Engine, Model, ModelConfig};
use crate::distribution::{Distribution, Level};
use crate::error::{Error, Result};
use crate::kernel::pool;
use crate::memory;
use crate::network::fused::{FusedMemory, FusedNetwork};
use crate::network::hybrid::HybridNetwork;
use crate::network::parameter::dimensions;
use crate::series::lens::{Layout, Lens, Place};
use crate::series::{Matrix, Panel};
use crate::train::batch::tensor;
use crate::train::threads::ThreadsGuard;

/// Windows in one pass. libtorch's order of summation changes with the size of a batch; at one size, always, the forecast
/// of a window is independent, to the bit, of the company in which it comes. The kernel's order never changes.
pub(super) const BATCH: usize = 32;

/// Windows that are worth another thread.
pub(super) const LEAST_ROWS: usize = 8;

impl Model {
    /// Windows `(n, rows * n_features)`, of `window_size` rows and those of the horizon where something is known of them, to
    /// forecasts `(n, horizon * n_targets * n_parameters)`, row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] for windows of another length, or scales of another number.
    pub fn forecast(
        &mut self,
        windows: Matrix<f64>,
        scales: Option<Matrix<f64>>,
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let (panel, window_size) = (self.panel_of(windows, scales)?, self.config.window_size);
        self.forecast_each(&panel, windows.n_rows(), |i| (i, window_size), n_threads)
    }

    /// How much each step of windows, as [`Model::forecast`] takes them, hears of each: numbers and their shape
    /// `(n * channels, num_heads, steps, steps)`.
    ///
    /// # Errors
    /// As [`Model::forecast`]; [`Error::Value`] of a network without attention.
    pub fn attention_weights(
        &self,
        windows: Matrix<f64>,
        scales: Option<Matrix<f64>>,
        n_threads: Option<usize>,
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        let panel = self.panel_of(windows, scales)?;
        let _threads = ThreadsGuard::new(self.torch_threads(n_threads));
        let origin = |i| (i, self.config.window_size);
        let task = self.task(&panel, &origin);
        let n = windows.n_rows() * task.lens.layout.n_channels();
        let (mut values, mut shape) = (Vec::new(), vec![n]);
        task.for_each_batch(0..n, |inputs, prepared| {
            let inputs = inputs.f_to_device(self.device)?;
            let weights = tch::no_grad(|| self.network.attention_weights(&inputs))?.ok_or_else(|| {
                let name = self.config.architecture.name();
                Error::Value(format!("expected an architecture with attention weights, got '{name}'"))
            })?;
            shape.truncate(1);
            shape.extend(weights.size()[1..].iter().map(|&size| usize::try_from(size).unwrap_or(0)));
            let rows = weights.f_narrow(0, 0, dimensions(&[prepared.len()])[0])?.f_reshape([-1])?;
            values.extend(Vec::<f32>::try_from(rows.f_to_device(Device::Cpu)?)?);
            Ok(())
        })?;
        Ok((values, shape))
    }

    fn panel_of<'w>(&self, windows: Matrix<'w, f64>, scales: Option<Matrix<'w, f64>>) -> Result<Panel<'w>> {
        let ModelConfig { window_size, horizon, n_features, n_known, .. } = self.config;
        let n_rows = window_size + if n_known > 0 { horizon } else { 0 };
        if windows.n_columns() != n_rows * n_features {
            return Err(Error::shape(
                format!("windows of {n_rows} x {n_features} numbers"),
                format!("{}", windows.n_columns()),
            ));
        }
        let rows = Matrix::new(windows.values(), n_features)?;
        match scales {
            None => Ok(Panel::of_windows(rows, n_rows)),
            Some(scales) => Panel::of_scaled_windows(rows, n_rows, scales, self.config.n_targets),
        }
    }

    /// One forecast for each series and origin, from the `window_size` rows before that row.
    ///
    /// # Errors
    /// [`Error::TooShort`] for an origin with too few rows before it, or after it where something is known of them.
    pub fn forecast_series(
        &mut self,
        panel: &Panel,
        origins: &[(usize, usize)],
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        self.check_columns(panel.n_columns())?;
        let least = if panel.reaches_back { 1 } else { self.config.window_size };
        let n_after = if self.config.n_known > 0 { self.config.horizon } else { 0 };
        for &(series, origin) in origins {
            if series >= panel.n_series() {
                return Err(Error::Value(format!("expected a series below {}, got {series}", panel.n_series())));
            }
            let n_rows = panel.series(series).n_rows();
            if origin < least || origin + n_after > n_rows {
                return Err(Error::too_short(
                    format!("origins from {least} to {n_rows} rows, less {n_after} that are known in advance"),
                    format!("{origin}"),
                ));
            }
        }
        self.forecast_each(panel, origins.len(), |i| origins[i], n_threads)
    }

    fn forecast_each(
        &mut self,
        panel: &Panel,
        n: usize,
        origin: impl Fn(usize) -> (usize, usize) + Sync,
        n_threads: Option<usize>,
    ) -> Result<Vec<f64>> {
        let len = n.saturating_mul(self.config.forecast_len());
        memory::check::<f64>(len, || format!("{n} forecasts of {} numbers each", self.config.forecast_len()))?;
        let mut forecasts = vec![0.0; len];
        match self.engine() {
            Engine::Fused => {
                let mut forecaster = if let Some(forecaster) = self.forecaster.take() {
                    forecaster
                } else {
                    let network = FusedNetwork::new(&self.config.network(), &self.parameters)?;
                    Forecaster::new(network.with_integers(self.int8))
                };
                forecaster.run(&self.task(panel, &origin), n, n_threads, &mut forecasts);
                self.forecaster = Some(forecaster);
            }
            Engine::Hybrid => {
                let mut forecaster = if let Some(forecaster) = self.hybrid_forecaster.take() {
                    forecaster
                } else {
                    let network = HybridNetwork::new(&self.config.network(), &self.parameters)?;
                    HybridForecaster::new(network.with_integers(self.int8))
                };
                forecaster.run(&self.task(panel, &origin), &self.parameters, n, n_threads, &mut forecasts)?;
                self.hybrid_forecaster = Some(forecaster);
            }
            Engine::Torch => self.forecast_by_torch(panel, n, &origin, n_threads, &mut forecasts)?,
        }
        Ok(forecasts)
    }

    fn task<'a, F>(&'a self, panel: &'a Panel<'a>, origin: &'a F) -> Task<'a, F> {
        Task { lens: self.lens(panel), distribution: self.config.distribution.as_ref(), config: &self.config, origin }
    }

    fn forecast_by_torch(
        &self,
        panel: &Panel,
        n: usize,
        origin: &(impl Fn(usize) -> (usize, usize) + Sync),
        n_threads: Option<usize>,
        forecasts: &mut [f64],
    ) -> Result<()> {
        let _threads = ThreadsGuard::new(self.torch_threads(n_threads));
        let task = self.task(panel, origin);
        let n_channels = n * task.lens.layout.n_channels();
        task.in_batches(0..n_channels, forecasts, |inputs, _| {
            tch::no_grad(|| self.network.forward(&inputs.f_to_device(self.device)?, None))
        })
    }
}

/// What stands between the user's units and the network's; `origin(i)` is series and row of forecast `i`.
pub(super) struct Task<'a, F> {
    pub(super) lens: Lens<'a>,
    distribution: Option<&'a Distribution>,
    pub(super) config: &'a ModelConfig,
    origin: &'a F,
}

/// An input as the network sees it, and the levels of its targets.
#[derive(Debug, Clone, Default)]
struct Prepared {
    input: Vec<f32>,
    levels: Vec<Level>,
}

/// Channels are numbered through all forecasts: those of the first, then those of the second.
impl<F: Fn(usize) -> (usize, usize)> Task<'_, F> {
    fn prepare(&self, channel: usize, prepared: &mut Prepared) {
        let n_channels = self.lens.layout.n_channels();
        let (series, origin) = (self.origin)(channel / n_channels);
        prepared.input.clear();
        prepared.levels.clear();
        let place = Place { series, origin, channel: channel % n_channels };
        self.lens.input(place, &mut prepared.input, &mut prepared.levels);
    }

    /// Forecasts some channels by `outputs_of(inputs, rows)`, where the first `rows` of the inputs count. `forecasts` begin with
    /// those of the first channel.
    pub(super) fn in_batches(
        &self,
        channels: std::ops::Range<usize>,
        forecasts: &mut [f64],
        mut outputs_of: impl FnMut(&Tensor, usize) -> Result<Tensor>,
    ) -> Result<()> {
        let mut done = 0;
        self.for_each_batch(channels, |inputs, prepared| {
            let outputs = outputs_of(inputs, prepared.len())?.f_reshape([-1])?;
            let outputs: Vec<f32> = outputs.f_to_device(Device::Cpu)?.try_into()?;
            for (output, prepared) in outputs.chunks_exact(outputs.len() / BATCH).zip(prepared) {
                self.finish(output, prepared, (done, &mut *forecasts));
                done += 1;
            }
            Ok(())
        })
    }

    /// Calls `work(inputs, prepared)` with inputs `(BATCH, rows, n_features)`, always as many, of which the prepared ones count.
    fn for_each_batch(
        &self,
        channels: std::ops::Range<usize>,
        mut work: impl FnMut(&Tensor, &[Prepared]) -> Result<()>,
    ) -> Result<()> {
        let mut prepared = vec![Prepared::default(); BATCH];
        let shape = [BATCH, self.lens.layout.n_rows(), self.lens.layout.width()];
        // as they are prepared, together, and as a tensor
        let len = shape.iter().fold(3_usize, |len, &size| len.saturating_mul(size));
        memory::check::<f32>(len, || format!("forecasts with window_size={}", self.config.window_size))?;
        for start in channels.clone().step_by(BATCH) {
            let rows = BATCH.min(channels.end - start);
            for (row, prepared) in prepared[..rows].iter_mut().enumerate() {
                self.prepare(start + row, prepared);
            }
            let filler = prepared[0].clone();
            prepared[rows..].fill(filler);
            let values: Vec<f32> = prepared.iter().flat_map(|prepared| &prepared.input).copied().collect();
            work(&tensor(&values, &shape, Device::Cpu)?, &prepared[..rows])?;
        }
        Ok(())
    }

    /// Brings an output back to the user's units and to its place among all forecasts.
    fn finish(&self, output: &[f32], prepared: &Prepared, (channel, forecasts): (usize, &mut [f64])) {
        let Layout { n_targets, .. } = self.lens.layout;
        let (n_channels, n_parameters) = (self.lens.layout.n_channels(), self.config.n_parameters());
        let forecast_len = self.config.forecast_len();
        let forecast = &mut forecasts[channel / n_channels * forecast_len..][..forecast_len];
        let n_levels = prepared.levels.len();
        for (i, output) in output.chunks_exact(n_parameters).enumerate() {
            let (step, target) = (i / n_levels, i % n_levels);
            let at = (step * n_targets + channel % n_channels + target) * n_parameters;
            let slot = &mut forecast[at..at + n_parameters];
            match self.distribution {
                None => slot[0] = prepared.levels[target].to_user(f64::from(output[0])),
                Some(distribution) => distribution.parameters(output, prepared.levels[target], slot),
            }
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
}

impl Forecaster {
    fn new(network: FusedNetwork) -> Self {
        Self { network, workers: Vec::new() }
    }

    fn run<F: Fn(usize) -> (usize, usize) + Sync>(
        &mut self,
        task: &Task<F>,
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
            self.workers.push(Worker { memory, prepared: vec![Prepared::default(); rows] });
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

impl Worker {
    fn run<F: Fn(usize) -> (usize, usize)>(
        &mut self,
        network: &FusedNetwork,
        task: &Task<F>,
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
