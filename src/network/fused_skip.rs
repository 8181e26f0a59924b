//! The linear skip connection past the LSTM on the kernel: [`super::skip`]'s, its parameters a slice.

use super::config::SkipConfig;
use crate::kernel::aligned::Aligned;
use crate::kernel::isa::InstructionSet;
use crate::kernel::linear::Linear;

/// One linear layer that each target of a window passes through, and what is known in advance.
///
/// Its parameters are the layer's, then the weight of what is known `(n_targets, n_known)`.
#[derive(Debug, Clone)]
pub struct FusedSkip {
    /// The layer; its inputs are padded with zeros to whole vectors.
    pub linear: Linear,
    config: SkipConfig,
    input_width: usize,
}

/// What one thread needs for it: rows are targets of windows.
#[derive(Debug, Clone)]
pub struct SkipMemory {
    /// Targets of windows; after the forward pass, what is left of them without what is known.
    x: Aligned,
    y: Aligned,
    /// What is known, less that of a window's last row: `(windows, window_size + horizon, n_known)`.
    known: Vec<f32>,
    transposed: Aligned,
    dx: Aligned,
}

impl FusedSkip {
    /// The layer of this configuration.
    pub fn new(config: SkipConfig, set: InstructionSet) -> Self {
        let input_width = config.window_size.next_multiple_of(set.lanes());
        Self { linear: Linear::new(input_width, config.horizon, set), config, input_width }
    }

    /// Numbers in the parameters.
    pub fn n_parameters(&self) -> usize {
        self.linear.n_parameters() + self.n_effects()
    }

    /// Numbers in the weight of what is known.
    pub fn n_effects(&self) -> usize {
        self.config.n_targets * self.config.n_known
    }

    /// Steps of a forecast.
    pub fn n_outputs(&self) -> usize {
        self.config.horizon
    }

    /// Rows of a window.
    pub fn n_inputs(&self) -> usize {
        self.config.window_size
    }

    /// Room for up to `rows` windows.
    pub fn memory(&self, rows: usize) -> SkipMemory {
        let SkipConfig { window_size, horizon, n_targets, n_known, .. } = self.config;
        let zeros = |n| Aligned::zeros(if n_known > 0 { n } else { 0 });
        SkipMemory {
            x: Aligned::zeros(rows * n_targets * self.input_width),
            y: Aligned::zeros(rows * n_targets * self.linear.width()),
            known: vec![0.0; rows * (window_size + horizon) * n_known],
            transposed: zeros(self.linear.n_transposed()),
            dx: zeros(rows * n_targets * self.input_width),
        }
    }

    /// Takes an input `(rows, n_features)` as the window of number `row`.
    pub fn set_window(&self, memory: &mut SkipMemory, row: usize, input: &[f32]) {
        let SkipConfig { window_size, horizon, n_features, n_targets, known_at, n_known, .. } = self.config;
        let rows = memory.x[row * n_targets * self.input_width..].chunks_exact_mut(self.input_width);
        for (target, x) in rows.take(n_targets).enumerate() {
            for (x, values) in x[..window_size].iter_mut().zip(input.chunks_exact(n_features)) {
                *x = values[target];
            }
        }
        if n_known > 0 {
            let known = |row: usize| &input[row * n_features + known_at..][..n_known];
            let last = known(window_size - 1);
            let slots = memory.known[row * (window_size + horizon) * n_known..].chunks_exact_mut(n_known);
            for (slot, at) in slots.zip(0..window_size + horizon) {
                for (slot, (value, last)) in slot.iter_mut().zip(known(at).iter().zip(last)) {
                    *slot = value - last;
                }
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
        let (linear, weight) = parameters.split_at(self.linear.n_parameters());
        self.for_each_known(memory, rows, |memory, (target, known, slot)| {
            let effect = dot(known, &weight[target * known.len()..]);
            match slot {
                Slot::Window(at) => memory.x[at] -= effect,
                Slot::Forecast((window, at), _) => outputs[window * stride + at] += effect,
            }
        });
        self.linear.forward(linear, rows * self.config.n_targets, &memory.x, &mut memory.y);
        for ((window, at), y) in self.places(rows) {
            outputs[window * stride + at] += memory.y[y];
        }
    }

    /// Adds the gradient of the parameters, given that of the outputs.
    pub fn backward(
        &self,
        parameters: &[f32],
        memory: &mut SkipMemory,
        (doutputs, stride): (&[f32], usize),
        rows: usize,
        gradient: &mut [f32],
    ) {
        let n_rows = rows * self.config.n_targets;
        let (dlinear, dweight) = gradient.split_at_mut(self.linear.n_parameters());
        for ((window, at), y) in self.places(rows) {
            memory.y[y] = doutputs[window * stride + at];
        }
        self.linear.backward_parameters(n_rows, (&memory.x, &memory.y), dlinear);
        if dweight.is_empty() {
            return;
        }
        self.linear.transpose(&parameters[..self.linear.n_parameters()], &mut memory.transposed);
        self.linear.backward_input(&memory.transposed, n_rows, &memory.y, &mut memory.dx);
        self.for_each_known(memory, rows, |memory, (target, known, slot)| {
            let slope = match slot {
                Slot::Window(at) => -memory.dx[at],
                Slot::Forecast(_, y) => memory.y[y],
            };
            for (gradient, value) in dweight[target * known.len()..].iter_mut().zip(known) {
                *gradient += slope * value;
            }
        });
    }

    /// Visits what is known at each row of each window, for each target, and where that row's number lies.
    fn for_each_known(
        &self,
        memory: &mut SkipMemory,
        rows: usize,
        mut visit: impl FnMut(&mut SkipMemory, (usize, &[f32], Slot)),
    ) {
        let SkipConfig { window_size, horizon, n_targets, n_known, n_parameters, .. } = self.config;
        if n_known == 0 {
            return;
        }
        let all = std::mem::take(&mut memory.known);
        for (window, known) in all.chunks_exact((window_size + horizon) * n_known).take(rows).enumerate() {
            for target in 0..n_targets {
                let row = window * n_targets + target;
                for (at, known) in known.chunks_exact(n_known).enumerate() {
                    let slot = match at.checked_sub(window_size) {
                        None => Slot::Window(row * self.input_width + at),
                        Some(step) => Slot::Forecast(
                            (window, (step * n_targets + target) * n_parameters),
                            row * self.linear.width() + step,
                        ),
                    };
                    visit(memory, (target, known, slot));
                }
            }
        }
        memory.known = all;
    }

    /// Window and number within its output, and the place of that number among the layer's outputs.
    fn places(&self, rows: usize) -> impl Iterator<Item = ((usize, usize), usize)> {
        let SkipConfig { horizon, n_targets, n_parameters, .. } = self.config;
        let width = self.linear.width();
        let pairs = (0..rows).flat_map(move |row| (0..n_targets).map(move |target| (row, target)));
        pairs.flat_map(move |(row, target)| {
            (0..horizon).map(move |step| {
                ((row, (step * n_targets + target) * n_parameters), (row * n_targets + target) * width + step)
            })
        })
    }
}

/// Where the number lies that a row's known features act on.
enum Slot {
    /// Among the layer's inputs.
    Window(usize),
    /// Window and number within its output, and the place among the layer's outputs.
    Forecast((usize, usize), usize),
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
