//! Forecasts whose states and weights are integers of 8 bits, where the processor multiplies those faster.
//!
//! What the network reads, and cell states, stay single: their range isn't known.

use super::cell_run::{in_parts, CellRun};
use super::lstm::Lstm;
use super::routines::integer_product::{IntegerProduct, IntegerWeights};
use super::routines::step::Forward;
use super::shape::Cell;
use super::workspace::order;

/// Units from which on forecasts take less time so; 64 take as long either way.
const LEAST_WIDTH: usize = 96;

/// The matrices of one layer in one direction.
#[derive(Debug, Clone)]
pub(super) struct IntegerCell {
    /// What reads the layer below; `None`: there is none.
    pub(super) below: Option<IntegerWeights>,
    pub(super) hidden: IntegerWeights,
}

/// All matrices of a stack that read states.
#[derive(Debug, Clone)]
pub struct Integers {
    pub(super) cells: Vec<IntegerCell>,
}

impl Integers {
    /// The matrices among these parameters, where forecasts take less time with them.
    pub fn where_faster(lstm: &Lstm, parameters: &[f32]) -> Option<Self> {
        if lstm.width() < LEAST_WIDTH {
            return None;
        }
        Self::new(lstm, parameters)
    }

    /// The matrices among these parameters; `None` where the processor has no instruction for them.
    pub fn new(lstm: &Lstm, parameters: &[f32]) -> Option<Self> {
        if !lstm.set().has_integer_products() {
            return None;
        }
        let of_cell = |cell: &Cell| {
            let (weights, ..) = cell.split(parameters);
            let matrix = |first, len| IntegerWeights::new(weights, (cell.weight_rows(), lstm.lanes()), (first, len));
            IntegerCell {
                below: (cell.layer > 0).then(|| matrix(0, cell.n_inputs)),
                hidden: matrix(cell.n_inputs, cell.width),
            }
        };
        Some(Self { cells: lstm.cells().iter().map(of_cell).collect() })
    }
}

impl CellRun<'_> {
    /// One step as [`CellRun`]'s other one, states as integers. The first layer reads its input as it is: where there are few
    /// rows, `gates` hold what all steps read.
    pub(super) fn step_integers(
        &self,
        (integers, bytes): (&IntegerCell, &mut [u8]),
        step: usize,
        blocks: usize,
        h: &mut [f32],
        (c_before, c): (&[f32], &mut [f32]),
        gates: &mut [f32],
    ) {
        let (rows, cell, block_len) = (self.rows, self.cell, self.rows * 4 * self.lanes);
        let (state, part_len) = (rows * cell.width, rows * blocks * self.lanes);
        let moment = order(cell.direction, step, self.steps);
        let is_ahead = self.has_few_rows() && integers.below.is_none();
        let stride = if is_ahead { self.steps * block_len } else { block_len };
        let (before, h) = h.split_at_mut((step + 1) * state);
        let input = &self.input[moment * rows * cell.n_inputs..][..rows * cell.n_inputs];
        let (below, hidden) = bytes.split_at_mut(if integers.below.is_some() { input.len() } else { 0 });
        if integers.below.is_some() {
            self.set.to_bytes(input, below);
        }
        let hidden = &mut hidden[..state];
        self.set.to_bytes(&before[step * state..], hidden);
        let (below, hidden): (&[u8], &[u8]) = (below, hidden);
        let states = h[..state].chunks_mut(part_len).zip(c[..state].chunks_mut(part_len));
        let parts = states.zip(c_before.chunks(part_len)).zip(gates.chunks_mut(blocks * stride)).enumerate();
        in_parts(parts, |(part, (((h, c), c_before), gates))| {
            let (first_block, n_blocks) = (part * blocks, h.len() / (rows * self.lanes));
            let gates = if is_ahead { &mut gates[moment * block_len..] } else { gates };
            if !is_ahead {
                for (at, gates) in gates[..n_blocks * block_len].chunks_exact_mut(block_len).enumerate() {
                    self.begin_block(first_block + at, integers.below.is_none().then_some(input), gates);
                }
            }
            let products = integers.below.iter().map(|weights| (weights, below)).chain([(&integers.hidden, hidden)]);
            for (weights, a) in products {
                let sums = &mut *gates;
                let product = IntegerProduct { rows, a, weights, first_block, n_blocks, sums, sums_stride: stride };
                self.set.integer_product(product);
            }
            self.set.forward(Forward {
                rows,
                width: h.len() / rows,
                sources: [None, None],
                weights: &[],
                weight_rows: 0,
                bias: None,
                gates,
                gates_stride: stride,
                c_before,
                c,
                h,
                tanh_c: None,
            });
        });
    }

    /// The bias, and what single numbers add to it.
    fn begin_block(&self, block: usize, input: Option<&[f32]>, gates: &mut [f32]) {
        let len = 4 * self.lanes;
        match input {
            Some(input) => self.multiply_input(block, input, self.rows, gates),
            None => {
                for row in gates.chunks_exact_mut(len) {
                    row.copy_from_slice(&self.bias[block * len..][..len]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::isa::InstructionSet;
    use crate::kernel::shape::LstmShape;
    use crate::rng::{Purpose, Rng};

    /// The equations in double precision, with states as integers where the next step or layer reads them.
    #[test]
    fn forecasts_are_those_of_the_equations() {
        for set in InstructionSet::available().filter(|set| set.has_integer_products()) {
            for (hidden_size, num_layers, bidirectional) in [(5, 1, false), (70, 2, false), (40, 2, true)] {
                let lstm = Lstm::new(LstmShape { input_size: 3, hidden_size, num_layers, bidirectional }, set);
                let mut rng = Rng::new(0, Purpose::Weights);
                let lengths = lstm.shape().tensor_lengths();
                let tensors: Vec<Vec<f32>> = lengths.iter().map(|&n| rng.uniform(n, 0.3)).collect();
                let mut parameters = vec![0.0; lstm.n_parameters()];
                lstm.pack(&tensors, &mut parameters);
                let integers = Integers::new(&lstm, &parameters).expect("such products");
                for (rows, n_threads) in [(1, 1), (1, 2), (3, 1), (9, 1)] {
                    let mut memory = lstm.forward_memory(9, 12);
                    memory.start(rows, n_threads);
                    let windows: Vec<Vec<f32>> = (0..rows).map(|_| rng.uniform(36, 1.0)).collect();
                    windows.iter().enumerate().for_each(|(row, window)| memory.set_window(row, window));
                    let single = lstm.last_state(&parameters, None, &mut memory).to_vec();
                    let found = lstm.last_state(&parameters, Some(&integers), &mut memory).to_vec();
                    let again = lstm.last_state(&parameters, Some(&integers), &mut memory).to_vec();
                    assert_eq!(found, again);
                    for (a, b) in found.iter().zip(&single) {
                        // weights up to 0.3 are off by up to 0.0012, states by up to 0.004, independently of each other:
                        // sums of 140 such errors are below 0.03, and a gate changes by a quarter of that
                        assert!((a - b).abs() < 0.02, "{a} {b}");
                    }
                    if rows > 1 {
                        memory.start(1, 1);
                        memory.set_window(0, &windows[rows - 1]);
                        let alone = lstm.last_state(&parameters, Some(&integers), &mut memory);
                        let width = lstm.output_width();
                        assert_eq!(&found[(rows - 1) * width..], alone);
                    }
                }
            }
        }
    }
}
