//! Forecasts of a network that is a line alone.

use super::config::ModelConfig;
use super::task::{ForecastTask, Prepared, BATCH};
use crate::error::Result;
use crate::network::fused_line::{FusedLine, LineMemory};
use crate::network::Parameters;

/// The line, ready to forecast.
pub(super) struct LineForecaster {
    network: FusedLine,
    memory: LineMemory,
    prepared: Vec<Prepared>,
}

impl LineForecaster {
    pub(super) fn new(config: &ModelConfig, weights: &Parameters) -> Result<Self> {
        let network = FusedLine::new(&config.network(), weights)?;
        Ok(Self { memory: network.memory(BATCH), network, prepared: vec![Prepared::default(); BATCH] })
    }

    /// Makes `n` forecasts.
    pub(super) fn run<F: Fn(usize) -> (usize, usize)>(
        &mut self,
        task: &ForecastTask<F>,
        n: usize,
        forecasts: &mut [f64],
    ) {
        let n_channels = n * task.lens.layout.n_channels();
        for start in (0..n_channels).step_by(self.memory.max_rows()) {
            let rows = self.memory.max_rows().min(n_channels - start);
            for (row, prepared) in self.prepared[..rows].iter_mut().enumerate() {
                task.prepare(start + row, prepared);
                self.network.set_window(&mut self.memory, row, &prepared.input);
            }
            let outputs = self.network.forward(&mut self.memory, rows).chunks_exact(self.network.output_size());
            for (row, (output, prepared)) in outputs.zip(&self.prepared).enumerate() {
                task.finish(output, prepared, (start + row, &mut *forecasts));
            }
        }
    }
}
