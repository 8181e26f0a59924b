//! A task of forecasting: which windows, and what stands between the user's units and the network's.

use super::config::ModelConfig;
use crate::level::Level;
use crate::series::lens::{Lens, Place, WindowLayout};

/// Windows in one pass. libtorch's order of summation changes with the size of a batch; at one size, always, the forecast
/// of a window is independent, to the bit, of the other windows of the batch. The kernel's order never changes.
pub(super) const BATCH: usize = 32;

/// Windows that are worth another thread.
pub(super) const LEAST_ROWS: usize = 8;

/// What stands between the user's units and the network's; `origin(i)` is series and row of forecast `i`.
pub(super) struct ForecastTask<'a, F> {
    pub(super) lens: Lens<'a>,
    pub(super) config: &'a ModelConfig,
    pub(super) origin: &'a F,
}

/// An input as the network sees it, the levels of its targets, and what known features add to each at each step,
/// `(n_targets_at_once, horizon)`, or nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Prepared {
    pub(super) input: Vec<f32>,
    levels: Vec<Level>,
    effects: Vec<f64>,
}

/// Channels are numbered through all forecasts: those of the first, then those of the second.
impl<F: Fn(usize) -> (usize, usize)> ForecastTask<'_, F> {
    pub(super) fn prepare(&self, channel: usize, prepared: &mut Prepared) {
        let n_channels = self.lens.layout.n_channels();
        let (series, origin) = (self.origin)(channel / n_channels);
        prepared.input.clear();
        prepared.levels.clear();
        let place = Place { series, origin, channel: channel % n_channels };
        self.lens.input(place, &mut prepared.input, &mut prepared.levels);
        prepared.effects = self.lens.effects_ahead(place);
    }

    /// Brings an output back to the user's units and to its place among all forecasts.
    pub(super) fn finish(&self, output: &[f32], prepared: &Prepared, (channel, forecasts): (usize, &mut [f64])) {
        let WindowLayout { n_targets, horizon, .. } = self.lens.layout;
        let (n_channels, n_parameters) = (self.lens.layout.n_channels(), self.config.n_parameters());
        let forecast_len = self.config.forecast_len();
        let forecast = &mut forecasts[channel / n_channels * forecast_len..][..forecast_len];
        let n_levels = prepared.levels.len();
        for (i, output) in output.chunks_exact(n_parameters).enumerate() {
            let (step, target) = (i / n_levels, i % n_levels);
            let at = (step * n_targets + channel % n_channels + target) * n_parameters;
            let slot = &mut forecast[at..at + n_parameters];
            let Level { center, scale } = prepared.levels[target];
            let effect = prepared.effects.get(target * horizon + step).unwrap_or(&0.0);
            let level = Level { center: center + effect, scale };
            match &self.config.distribution {
                None => slot[0] = level.to_user(f64::from(output[0])),
                Some(distribution) => distribution.parameters(output, level, slot),
            }
        }
    }
}
