//! The forward pass of forecasts, which no backward pass follows: nothing is kept but what the next step or layer reads.

use super::aligned::Aligned;
use super::cell_run::{n_parts, CellRun, FEW_ROWS};
use super::integer::{IntegerCell, Integers};
use super::lstm::Lstm;
use super::shape::Cell;
use super::workspace::order;

/// Bytes of what all threads together keep of the windows that they run through a stack: of very long ones few at a time.
pub const FORWARD_BYTES: usize = 1 << 28;

/// What one thread needs to run windows through a stack.
#[derive(Debug, Clone)]
pub struct ForwardMemory {
    max_rows: usize,
    steps: usize,
    rows: usize,
    n_threads: usize,
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
    /// Integers of the states that a step reads.
    bytes: Vec<u8>,
    /// `(rows, directions * width)`.
    state: Aligned,
}

impl ForwardMemory {
    /// Rows that there is room for.
    pub fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// Takes another batch, of at most as many rows as there is room for. A single one may be shared by up to `n_threads`
    /// threads, each with its hidden units, which changes no bit.
    ///
    /// # Panics
    /// When there is no room for so many rows.
    pub fn start(&mut self, rows: usize, n_threads: usize) {
        assert!(rows <= self.max_rows, "expected at most {} rows, got {rows}", self.max_rows);
        (self.rows, self.n_threads) = (rows, n_threads);
    }

    /// Output of the last layer's cell of a direction at a moment in time, after [`Lstm::last_state`]; padding follows.
    pub fn output(&self, direction: usize, moment: usize, row: usize) -> &[f32] {
        let width = self.below[0].len() / ((self.steps + 1) * self.max_rows);
        let step = order(direction, moment, self.steps);
        &self.h[direction][((step + 1) * self.rows + row) * width..][..width]
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
    /// As many of `rows` windows of `steps` steps as there is room for on one of `n_threads` threads, within
    /// [`FORWARD_BYTES`]; one at the least.
    pub fn forward_rows(&self, rows: usize, steps: usize, n_threads: usize) -> usize {
        let (shape, width) = (self.shape(), self.width());
        let states = if shape.bidirectional { 6 * width } else { 2 * width };
        let len = |rows: usize| steps * (rows * (shape.input_size + states) + rows.min(FEW_ROWS) * 4 * width);
        (1..=rows).rev().find(|&rows| len(rows) * size_of::<f32>() * n_threads <= FORWARD_BYTES).unwrap_or(1)
    }

    /// Room for up to `rows` windows of `steps` steps.
    pub fn forward_memory(&self, rows: usize, steps: usize) -> ForwardMemory {
        let (shape, width) = (self.shape(), self.width());
        let sequences = || (0..shape.n_directions()).map(|_| Aligned::zeros((steps + 1) * rows * width)).collect();
        let joined = if shape.bidirectional { 2 * steps * rows * width } else { 0 };
        ForwardMemory {
            max_rows: rows,
            steps,
            rows,
            n_threads: 1,
            x: Aligned::zeros(steps * rows * shape.input_size),
            below: sequences(),
            h: sequences(),
            joined: Aligned::zeros(joined),
            c: [Aligned::zeros(rows * width), Aligned::zeros(rows * width)],
            gates: Aligned::zeros((rows * 4 * self.lanes()).max(steps * rows.min(FEW_ROWS) * 4 * width)),
            bytes: Vec::new(),
            bias: Aligned::zeros(4 * width),
            state: Aligned::zeros(rows * self.output_width()),
        }
    }

    /// The last layer's final state `(rows, output_width)` of the windows in `memory`; with `integers`, these take the place
    /// of the weights that read states. Allocates nothing after the first call.
    pub fn last_state<'m>(
        &self,
        parameters: &[f32],
        integers: Option<&Integers>,
        memory: &'m mut ForwardMemory,
    ) -> &'m [f32] {
        let n_directions = self.shape().n_directions();
        for (index, cell) in self.cells().iter().enumerate() {
            if cell.direction == 0 && cell.layer > 0 {
                std::mem::swap(&mut memory.below, &mut memory.h);
                self.join(memory);
            }
            self.run_cell(cell, parameters, integers.map(|integers| &integers.cells[index]), memory);
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

    fn run_cell(&self, cell: &Cell, parameters: &[f32], integers: Option<&IntegerCell>, memory: &mut ForwardMemory) {
        let (weights, bias_ih, bias_hh) = cell.split(parameters);
        for ((sum, a), b) in memory.bias.iter_mut().zip(bias_ih).zip(bias_hh) {
            *sum = a + b;
        }
        let (rows, steps, width) = (memory.rows, memory.steps, cell.width);
        if integers.is_some() && memory.bytes.is_empty() {
            memory.gates = Aligned::zeros(memory.gates.len().max(memory.max_rows * 4 * width));
            memory.bytes = vec![0; memory.max_rows * (self.output_width() + width)];
        }
        let input: &[f32] = match (cell.layer, memory.below.len()) {
            (0, _) => &memory.x,
            (_, 1) => &memory.below[0][rows * width..],
            _ => &memory.joined,
        };
        let run =
            CellRun { cell, set: self.set(), lanes: self.lanes(), weights, bias: &memory.bias, input, rows, steps };
        let state = rows * width;
        memory.h[cell.direction][..state].fill(0.0);
        memory.c[0][..state].fill(0.0);
        let n_blocks = width / self.lanes();
        let blocks = n_blocks.div_ceil(if rows == 1 { n_parts(width, memory.n_threads) } else { 1 });
        if rows <= FEW_ROWS && integers.is_none_or(|integers| integers.below.is_none()) {
            run.multiply_inputs(&mut memory.gates, blocks);
        }
        for step in 0..steps {
            let [c_before, c] = &mut memory.c;
            let (h, gates) = (&mut memory.h[cell.direction], &mut memory.gates);
            match integers {
                None => run.step(step, blocks, h, (c_before, c), gates),
                Some(integers) => {
                    run.step_integers((integers, &mut memory.bytes), step, blocks, h, (c_before, c), gates);
                }
            }
            memory.c.swap(0, 1);
        }
    }
}
