//! A linear layer on rows: the head on an LSTM's last state (`torch.nn.Linear`).

use super::isa::InstructionSet;
use super::routines::product::{Outer, Product, Start};
use super::routines::step::panel_vectors;

/// Rows over which the gradient of the weights is summed before the next inputs have their turn: what stays in the first
/// level of cache.
const GRADIENT_ROWS: usize = 128;

/// `y = x W^T + b`. Its parameters are a plain slice: panels of up to four vectors of outputs, each `[input][output]`,
/// then the biases; outputs are padded with zeros to whole vectors.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    set: InstructionSet,
    input_width: usize,
    width: usize,
}

impl Linear {
    /// From rows of `input_width` numbers to `output_size`.
    pub fn new(input_width: usize, output_size: usize, set: InstructionSet) -> Self {
        Self { set, input_width, width: output_size.next_multiple_of(set.lanes()) }
    }

    /// Numbers in the parameters, padding included.
    pub fn n_parameters(&self) -> usize {
        (self.input_width + 1) * self.width
    }

    /// Numbers in the transposed weights.
    pub fn n_transposed(&self) -> usize {
        self.input_width * self.width
    }

    /// Outputs, padded.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Where the weight of `output` and `input` lies.
    pub fn weight_place(&self, output: usize, input: usize) -> usize {
        let (first, columns) = self.panel_of(output);
        first * self.input_width + input * columns + output - first
    }

    /// Where the bias of `output` lies.
    pub fn bias_place(&self, output: usize) -> usize {
        self.input_width * self.width + output
    }

    /// First output and outputs of the panel that holds `output`.
    fn panel_of(&self, output: usize) -> (usize, usize) {
        let lanes = self.set.lanes();
        let mut first = 0;
        loop {
            let columns = panel_vectors(first / lanes, self.width / lanes) * lanes;
            if output < first + columns {
                return (first, columns);
            }
            first += columns;
        }
    }

    fn panels(self, n: usize) -> impl Iterator<Item = (usize, usize)> {
        let lanes = self.set.lanes();
        let mut first = 0;
        std::iter::from_fn(move || {
            (first < n).then(|| {
                let n_vectors = panel_vectors(first / lanes, n / lanes);
                first += n_vectors * lanes;
                (first - n_vectors * lanes, n_vectors)
            })
        })
    }

    /// Copies the weights, transposed, for [`Linear::backward`]: panels of inputs, each `[output][input]`.
    pub fn transpose(&self, parameters: &[f32], transposed: &mut [f32]) {
        let lanes = self.set.lanes();
        for (first, n_vectors) in self.panels(self.input_width) {
            let columns = n_vectors * lanes;
            let panel = &mut transposed[first * self.width..][..columns * self.width];
            for (from, n_outputs) in self.panels(self.width) {
                let n_outputs = n_outputs * lanes;
                for column in 0..columns {
                    let source = &parameters[from * self.input_width + (first + column) * n_outputs..][..n_outputs];
                    for (output, &weight) in source.iter().enumerate() {
                        panel[(from + output) * columns + column] = weight;
                    }
                }
            }
        }
    }

    /// Rows `(rows, input_width)` to `(rows, width)`.
    pub fn forward(&self, parameters: &[f32], rows: usize, x: &[f32], y: &mut [f32]) {
        let (weights, bias) = parameters.split_at(self.n_transposed());
        for (first, n_vectors) in self.panels(self.width) {
            let panel = &weights[first * self.input_width..];
            let start = Start::Bias(&bias[first..]);
            self.set.product(Self::rows_times(
                rows,
                (x, self.input_width),
                (panel, n_vectors),
                start,
                (&mut y[first..], self.width),
            ));
        }
    }

    /// From the gradient of the outputs `(rows, width)` to that of the inputs `(rows, input_width)`, which must be a multiple
    /// of the instruction set's lanes.
    pub fn backward_input(&self, transposed: &[f32], rows: usize, dy: &[f32], dx: &mut [f32]) {
        for (first, n_vectors) in self.panels(self.input_width) {
            let panel = &transposed[first * self.width..];
            self.set.product(Self::rows_times(
                rows,
                (dy, self.width),
                (panel, n_vectors),
                Start::Zero,
                (&mut dx[first..], self.input_width),
            ));
        }
    }

    /// Adds the gradient of the parameters, from the inputs and the gradient of the outputs `(rows, width)`.
    pub fn backward_parameters(&self, rows: usize, (x, dy): (&[f32], &[f32]), gradient: &mut [f32]) {
        let (dweights, dbias) = gradient.split_at_mut(self.n_transposed());
        for from in (0..rows).step_by(GRADIENT_ROWS) {
            for (first, n_vectors) in self.panels(self.width) {
                self.set.outer(Outer {
                    rows: GRADIENT_ROWS.min(rows - from),
                    n_steps: 1,
                    input: &x[from * self.input_width..],
                    input_start: 0,
                    input_step: 0,
                    input_stride: self.input_width,
                    n_inputs: self.input_width,
                    output: &dy[from * self.width + first..],
                    output_step: 0,
                    output_stride: self.width,
                    n_vectors,
                    gradient: &mut dweights[first * self.input_width..],
                });
            }
        }
        for dy in dy[..rows * self.width].chunks_exact(self.width) {
            self.set.add(&mut dbias[..self.width], dy);
        }
    }

    fn rows_times<'a>(
        rows: usize,
        (a, a_stride): (&'a [f32], usize),
        (panel, n_vectors): (&'a [f32], usize),
        start: Start<'a>,
        (out, out_stride): (&'a mut [f32], usize),
    ) -> Product<'a> {
        Product {
            rows,
            a,
            n_blocks: 1,
            block_len: a_stride,
            block_stride: 0,
            row_stride: a_stride,
            panel,
            n_vectors,
            start,
            out,
            out_stride,
        }
    }
}
