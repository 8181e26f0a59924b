//! The linear way past the LSTM on the kernel: [`super::skip`]'s, its parameters a slice.

use super::config::SkipConfig;
use crate::kernel::aligned::Aligned;
use crate::kernel::isa::InstructionSet;
use crate::kernel::linear::Linear;

/// One linear layer that each target of a window passes through.
#[derive(Debug, Clone)]
pub struct FusedSkip {
    /// The layer.
    pub linear: Linear,
    config: SkipConfig,
    horizon: usize,
}

/// What one thread needs for it: rows are targets of windows.
#[derive(Debug, Clone)]
pub struct SkipMemory {
    x: Aligned,
    y: Aligned,
}

impl FusedSkip {
    /// The layer for outputs of `output_size = horizon * n_targets`.
    pub fn new(config: SkipConfig, output_size: usize, set: InstructionSet) -> Self {
        let horizon = output_size / config.n_targets;
        Self { linear: Linear::new(config.window_size, horizon, set), config, horizon }
    }

    /// Steps of a forecast.
    pub fn n_outputs(&self) -> usize {
        self.horizon
    }

    /// Rows of a window.
    pub fn n_inputs(&self) -> usize {
        self.config.window_size
    }

    /// Room for up to `rows` windows.
    pub fn memory(&self, rows: usize) -> SkipMemory {
        let rows = rows * self.config.n_targets;
        SkipMemory { x: Aligned::zeros(rows * self.config.window_size), y: Aligned::zeros(rows * self.linear.width()) }
    }

    /// Takes the targets of a window `(window_size, n_features)` as rows.
    pub fn set_window(&self, memory: &mut SkipMemory, row: usize, window: &[f32]) {
        let SkipConfig { window_size, n_features, n_targets } = self.config;
        let rows = memory.x[row * n_targets * window_size..].chunks_exact_mut(window_size);
        for (target, x) in rows.take(n_targets).enumerate() {
            for (x, values) in x.iter_mut().zip(window.chunks_exact(n_features)) {
                *x = values[target];
            }
        }
    }

    /// Adds the forecasts of all windows to `outputs`, `stride` numbers from one window's to the next's.
    pub fn add_forward(
        &self,
        parameters: &[f32],
        memory: &mut SkipMemory,
        (outputs, stride): (&mut [f32], usize),
        rows: usize,
    ) {
        self.linear.forward(parameters, rows * self.config.n_targets, &memory.x, &mut memory.y);
        for (at, y) in self.places(rows) {
            outputs[at.0 * stride + at.1] += memory.y[y];
        }
    }

    /// Adds the gradient of the parameters, given that of the outputs.
    pub fn backward(
        &self,
        memory: &mut SkipMemory,
        (doutputs, stride): (&[f32], usize),
        rows: usize,
        gradient: &mut [f32],
    ) {
        for (at, y) in self.places(rows) {
            memory.y[y] = doutputs[at.0 * stride + at.1];
        }
        self.linear.backward_parameters(rows * self.config.n_targets, (&memory.x, &memory.y), gradient);
    }

    /// Window and number within its output, and the place of that number among the layer's outputs.
    fn places(&self, rows: usize) -> impl Iterator<Item = ((usize, usize), usize)> {
        let (horizon, n_targets, width) = (self.horizon, self.config.n_targets, self.linear.width());
        let pairs = (0..rows).flat_map(move |row| (0..n_targets).map(move |target| (row, target)));
        pairs.flat_map(move |(row, target)| {
            (0..horizon).map(move |step| ((row, step * n_targets + target), (row * n_targets + target) * width + step))
        })
    }
}
