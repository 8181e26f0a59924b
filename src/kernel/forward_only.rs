//! The way forwards when there is no way back: nothing is kept but what the next step or layer reads.

use super::aligned::Aligned;
use super::lstm::Lstm;
use super::product::{Product, Start};
use super::shape::Cell;
use super::step::{Forward, Source};
use super::workspace::order;

/// Up to this many rows, a layer multiplies its inputs of all steps with the weights at once, before it goes through time:
/// few rows would make each step wait for the weights of both products.
const FEW_ROWS: usize = 4;

/// What one thread needs to run windows through a stack.
#[derive(Debug, Clone)]
pub struct ForwardMemory {
    max_rows: usize,
    steps: usize,
    rows: usize,
    /// `(steps, rows, input_size)`.
    x: Aligned,
    /// Outputs `(steps + 1, rows, width)` of each direction, in the order of its steps: of the layer below, and of the present one.
    below: Vec<Aligned>,
    h: Vec<Aligned>,
    /// Both directions' outputs side by side, `(steps, rows, 2 * width)`.
    joined: Aligned,
    /// Cell state before and after a step.
    c: [Aligned; 2],
    gates: Aligned,
    bias: Aligned,
    /// `(rows, directions * width)`.
    state: Aligned,
}

impl ForwardMemory {
    /// Takes another batch, of at most as many rows as there is room for.
    pub fn start(&mut self, rows: usize) {
        assert!(rows <= self.max_rows, "expected at most {} rows, got {rows}", self.max_rows);
        self.rows = rows;
    }

    /// Writes a window `(steps, input_size)` as a row of the input.
    pub fn set_window(&mut self, row: usize, window: &[f32]) {
        let input_size = window.len() / self.steps;
        for (step, values) in window.chunks_exact(input_size).enumerate() {
            let at = (step * self.rows + row) * input_size;
            self.x[at..at + input_size].copy_from_slice(values);
        }
    }
}

impl Lstm {
    /// Room for up to `rows` windows of `steps` steps.
    pub fn forward_memory(&self, rows: usize, steps: usize) -> ForwardMemory {
        let (shape, width) = (self.shape(), self.width());
        let sequences = || (0..shape.n_directions()).map(|_| Aligned::zeros((steps + 1) * rows * width)).collect();
        let joined = if shape.bidirectional { 2 * steps * rows * width } else { 0 };
        ForwardMemory {
            max_rows: rows,
            steps,
            rows,
            x: Aligned::zeros(steps * rows * shape.input_size),
            below: sequences(),
            h: sequences(),
            joined: Aligned::zeros(joined),
            c: [Aligned::zeros(rows * width), Aligned::zeros(rows * width)],
            gates: Aligned::zeros((rows * 4 * self.lanes()).max(steps * rows.min(FEW_ROWS) * 4 * width)),
            bias: Aligned::zeros(4 * width),
            state: Aligned::zeros(rows * self.output_width()),
        }
    }

    /// The last layer's final state `(rows, output_width)` of the windows in `memory`. Allocates nothing.
    pub fn last_state<'m>(&self, parameters: &[f32], memory: &'m mut ForwardMemory) -> &'m [f32] {
        let n_directions = self.shape().n_directions();
        for (index, cell) in self.cells().iter().enumerate() {
            if cell.direction == 0 && cell.layer > 0 {
                std::mem::swap(&mut memory.below, &mut memory.h);
                self.join(memory);
            }
            self.run_cell(cell, parameters, memory);
            if index + n_directions >= self.cells().len() {
                let (rows, width) = (memory.rows, cell.width);
                let last = &memory.h[cell.direction][memory.steps * rows * width..];
                let state = memory.state.chunks_exact_mut(n_directions * width);
                for (state, last) in state.zip(last.chunks_exact(width)).take(rows) {
                    state[cell.direction * width..][..width].copy_from_slice(last);
                }
            }
        }
        &memory.state[..memory.rows * self.output_width()]
    }

    fn join(&self, memory: &mut ForwardMemory) {
        let (rows, width, steps) = (memory.rows, self.width(), memory.steps);
        if memory.below.len() == 1 {
            return;
        }
        for (direction, below) in memory.below.iter().enumerate() {
            for (moment, row) in (0..steps).flat_map(|moment| (0..rows).map(move |row| (moment, row))) {
                let from = ((order(direction, moment, steps) + 1) * rows + row) * width;
                let to = ((moment * rows + row) * 2 + direction) * width;
                memory.joined[to..to + width].copy_from_slice(&below[from..from + width]);
            }
        }
    }

    fn run_cell(&self, cell: &Cell, parameters: &[f32], memory: &mut ForwardMemory) {
        let (weights, bias_ih, bias_hh) = cell.split(parameters);
        for ((sum, a), b) in memory.bias.iter_mut().zip(bias_ih).zip(bias_hh) {
            *sum = a + b;
        }
        let (rows, steps, width, block) = (memory.rows, memory.steps, cell.width, 4 * self.lanes());
        let input: &[f32] = match (cell.layer, memory.below.len()) {
            (0, _) => &memory.x,
            (_, 1) => &memory.below[0][rows * width..],
            _ => &memory.joined,
        };
        let few = rows <= FEW_ROWS;
        if few {
            for (at, gates) in
                memory.gates[..steps * rows * 4 * width].chunks_exact_mut(steps * rows * block).enumerate()
            {
                self.set().product(Product {
                    rows: steps * rows,
                    a: input,
                    n_blocks: 1,
                    block_len: cell.n_inputs,
                    block_stride: 0,
                    row_stride: cell.n_inputs,
                    panel: &weights[at * cell.weight_rows() * block..],
                    n_vectors: 4,
                    start: Start::Bias(&memory.bias[at * block..]),
                    out: gates,
                    out_stride: block,
                });
            }
        }
        let state = rows * width;
        memory.h[cell.direction][..state].fill(0.0);
        memory.c[0][..state].fill(0.0);
        for step in 0..steps {
            let moment = order(cell.direction, step, steps);
            let (before, h) = memory.h[cell.direction].split_at_mut((step + 1) * state);
            let [c_before, c] = &mut memory.c;
            let x = Source {
                values: &input[moment * rows * cell.n_inputs..],
                row_stride: cell.n_inputs,
                len: cell.n_inputs,
                first: 0,
            };
            let hidden =
                Source { values: &before[step * state..], row_stride: width, len: width, first: cell.n_inputs };
            self.set().forward(Forward {
                rows,
                width,
                sources: [if few { None } else { Some(x) }, (step > 0).then_some(hidden)],
                weights,
                weight_rows: cell.weight_rows(),
                bias: if few { None } else { Some(&memory.bias) },
                gates: if few { &mut memory.gates[moment * rows * block..] } else { &mut memory.gates },
                gates_stride: if few { steps * rows * block } else { 0 },
                c_before,
                c,
                h,
                tanh_c: None,
            });
            memory.c.swap(0, 1);
        }
    }
}
