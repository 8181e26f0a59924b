//! A task of forecasting in batches of one size, for libtorch.

use super::task::{ForecastTask, Prepared, BATCH};
use crate::error::Result;
use crate::memory;

/// Inputs and their shape, `(BATCH, rows, n_features)`.
pub(super) type Inputs<'i> = (&'i [f32], &'i [usize]);

impl<F: Fn(usize) -> (usize, usize)> ForecastTask<'_, F> {
    /// Forecasts some channels by `outputs_of(inputs, rows)`, where the first `rows` of the inputs count. `forecasts` begin with
    /// those of the first channel.
    pub(super) fn in_batches(
        &self,
        channels: std::ops::Range<usize>,
        forecasts: &mut [f64],
        mut outputs_of: impl FnMut(Inputs, usize) -> Result<Vec<f32>>,
    ) -> Result<()> {
        let mut done = 0;
        self.for_each_batch(channels, |inputs, prepared| {
            let outputs = outputs_of(inputs, prepared.len())?;
            for (output, prepared) in outputs.chunks_exact(outputs.len() / BATCH).zip(prepared) {
                self.finish(output, prepared, (done, &mut *forecasts));
                done += 1;
            }
            Ok(())
        })
    }

    /// Calls `work(inputs, prepared)` with inputs `(BATCH, rows, n_features)`, always as many, of which the prepared ones count.
    pub(super) fn for_each_batch(
        &self,
        channels: std::ops::Range<usize>,
        mut work: impl FnMut(Inputs, &[Prepared]) -> Result<()>,
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
            work((&values, &shape), &prepared[..rows])?;
        }
        Ok(())
    }
}
