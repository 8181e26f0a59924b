//! One cell's pass through the windows of a forecast: a step at a time, its units shared by threads where there is one window.

use super::isa::InstructionSet;
use super::pool;
use super::routines::product::{Product, Start};
use super::routines::step::{Forward, Source};
use super::shape::Cell;
use super::workspace::order;

/// Up to this many rows, a layer multiplies its inputs of all steps with the weights at once, before it goes through time:
/// few rows would make each step wait for the weights of both products.
pub(super) const FEW_ROWS: usize = 4;

/// Hidden units that are worth another thread when there is one window only: with fewer, the threads would mostly wait for
/// each other, at every step.
const PART_WIDTH: usize = 64;

/// Threads that share one window.
const MOST_PARTS: usize = 16;

/// One cell's way through the windows.
pub(super) struct CellRun<'a> {
    pub(super) cell: &'a Cell,
    pub(super) set: InstructionSet,
    pub(super) lanes: usize,
    pub(super) weights: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) input: &'a [f32],
    pub(super) rows: usize,
    pub(super) steps: usize,
}

impl CellRun<'_> {
    /// Whether a layer multiplies its inputs of all steps with the weights at once, before it goes through time.
    pub(super) fn has_few_rows(&self) -> bool {
        self.rows <= FEW_ROWS
    }

    /// What all steps of few rows read of the inputs, `blocks` blocks of units to a thread: `gates[block][step][row]`.
    pub(super) fn multiply_inputs(&self, gates: &mut [f32], blocks: usize) {
        let (rows, block) = (self.steps * self.rows, 4 * self.lanes);
        let parts = gates[..rows * 4 * self.cell.width].chunks_mut(blocks * rows * block);
        in_parts(parts.enumerate(), |(part, gates)| {
            for (at, gates) in gates.chunks_exact_mut(rows * block).enumerate() {
                self.multiply_input(part * blocks + at, self.input, rows, gates);
            }
        });
    }

    /// What some rows of the inputs add to one block of units.
    pub(super) fn multiply_input(&self, block: usize, input: &[f32], rows: usize, gates: &mut [f32]) {
        let (len, n_inputs) = (4 * self.lanes, self.cell.n_inputs);
        self.set.product(Product {
            rows,
            a: input,
            n_blocks: 1,
            block_len: n_inputs,
            block_stride: 0,
            row_stride: n_inputs,
            panel: &self.weights[block * self.cell.weight_rows() * len..],
            n_vectors: 4,
            start: Start::Bias(&self.bias[block * len..]),
            out: gates,
            out_stride: len,
        });
    }

    /// One step, `blocks` blocks of units to a thread. All of them, unless there is one row: then the units of a part lie
    /// together.
    pub(super) fn step(
        &self,
        step: usize,
        blocks: usize,
        h: &mut [f32],
        (c_before, c): (&[f32], &mut [f32]),
        gates: &mut [f32],
    ) {
        let (rows, cell, few) = (self.rows, self.cell, self.rows <= FEW_ROWS);
        let (state, block, part_len) = (rows * cell.width, rows * 4 * self.lanes, rows * blocks * self.lanes);
        let moment = order(cell.direction, step, self.steps);
        let (before, h) = h.split_at_mut((step + 1) * state);
        let source = |values, len, first| Source { values, row_stride: len, len, first };
        let x = source(&self.input[moment * rows * cell.n_inputs..], cell.n_inputs, 0);
        let hidden = source(&before[step * state..], cell.width, cell.n_inputs);
        let gates_len = if few { blocks * self.steps * block } else { block };
        let states = h[..state].chunks_mut(part_len).zip(c[..state].chunks_mut(part_len));
        let parts = states.zip(c_before.chunks(part_len)).zip(gates.chunks_mut(gates_len)).enumerate();
        in_parts(parts, |(part, (((h, c), c_before), gates))| {
            let first = part * blocks * 4 * self.lanes;
            self.set.forward(Forward {
                rows,
                width: h.len() / rows,
                sources: [if few { None } else { Some(x) }, (step > 0).then_some(hidden)],
                weights: &self.weights[first * cell.weight_rows()..],
                weight_rows: cell.weight_rows(),
                bias: if few { None } else { Some(&self.bias[first..]) },
                gates: if few { &mut gates[moment * block..] } else { gates },
                gates_stride: if few { self.steps * block } else { 0 },
                c_before,
                c,
                h,
                tanh_c: None,
            });
        });
    }
}

/// Threads of up to `n_threads` that share the units of one window.
pub(super) fn n_parts(width: usize, n_threads: usize) -> usize {
    n_threads.min(width / PART_WIDTH).clamp(1, MOST_PARTS)
}

/// Calls `work` for each of up to `MOST_PARTS` items, each on a thread of its own, and allocates nothing.
pub(super) fn in_parts<T: Send>(items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    let mut parts = [const { None }; MOST_PARTS];
    let mut n_parts = 0;
    for (part, item) in parts.iter_mut().zip(items) {
        *part = Some(item);
        n_parts += 1;
    }
    pool::for_each(&mut parts[..n_parts], |_, part| part.take().into_iter().for_each(&work));
}
