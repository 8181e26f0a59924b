//! The forward pass of one row, a step at a time, its weights in half precision (IEEE 754's binary16).
//!
//! A step of one row multiplies each weight once, so that the time it takes is that of reading them. As halves, 512 units take
//! two megabytes, which the second level of cache of one or two cores holds; as singles they would come from further away.
//! Sums and states stay single: what is lost is the rounding of weights to eleven binary digits.

use super::aligned::Aligned;
use super::cell_run::{in_parts, n_parts};
use super::isa::InstructionSet;
use super::lookup::Lookup;
use super::lstm::Lstm;
use super::routines::half_product::{to_halves, HalfProduct};
use super::routines::step::Forward;
use super::shape::Cell;

/// A stack of LSTM layers over symbols, for one row, its weights as they were when it was made.
#[derive(Debug, Clone)]
pub struct HalfLstm {
    set: InstructionSet,
    lanes: usize,
    cells: Vec<HalfCell>,
}

#[derive(Debug, Clone)]
struct HalfCell {
    cell: Cell,
    weights: Aligned<u16>,
    bias: Aligned,
}

/// States of a [`HalfLstm`]: of each layer, output and cell state, before and after a step.
#[derive(Debug, Clone)]
pub struct HalfState {
    cells: Vec<[Aligned; 4]>,
    gates: Aligned,
    /// Whether the next step goes through the weights from their end.
    ///
    /// A cache that is somewhat smaller than what is read in a circle has never what comes next; of what is read there and
    /// back it has most.
    backwards: bool,
}

impl HalfState {
    /// The output of the last layer, padded.
    pub fn output(&self) -> &[f32] {
        &self.cells[self.cells.len() - 1][0]
    }
}

impl HalfLstm {
    /// The layers of `lstm` with these parameters.
    ///
    /// # Panics
    /// For an LSTM that reads both ways.
    pub fn new(lstm: &Lstm, parameters: &[f32]) -> Self {
        assert!(!lstm.shape().bidirectional, "symbols are read in one direction");
        let half = |cell: &Cell| {
            let (weights, bias_ih, bias_hh) = cell.split(parameters);
            let mut bias = Aligned::zeros(bias_ih.len());
            bias.iter_mut().zip(bias_ih.iter().zip(bias_hh)).for_each(|(sum, (a, b))| *sum = a + b);
            HalfCell { cell: *cell, weights: to_halves(weights), bias }
        };
        Self { set: lstm.set(), lanes: lstm.lanes(), cells: lstm.cells().iter().map(half).collect() }
    }

    /// States of zero.
    pub fn state(&self) -> HalfState {
        let width = self.cells[0].cell.width;
        HalfState {
            cells: self.cells.iter().map(|_| std::array::from_fn(|_| Aligned::zeros(width))).collect(),
            gates: Aligned::zeros(4 * width),
            backwards: false,
        }
    }

    /// Reads one symbol. Up to `n_threads` threads share the units, which changes no bit.
    pub fn step(&self, lookup: &Lookup, symbol: u32, state: &mut HalfState, n_threads: usize) {
        for (at, cell) in self.cells.iter().enumerate() {
            if at == 0 {
                lookup.begin(&[symbol], &mut state.gates);
            } else {
                state.gates.copy_from_slice(&cell.bias);
            }
            let (below, rest) = state.cells.split_at_mut(at);
            let x: Option<&[f32]> = below.last().map(|below| &*below[0]);
            let backwards = state.backwards;
            self.step_cell(cell, x, (&mut rest[0], &mut state.gates), (backwards, n_threads));
        }
        state.backwards = !state.backwards;
    }

    fn step_cell(
        &self,
        half: &HalfCell,
        x: Option<&[f32]>,
        (state, gates): (&mut [Aligned; 4], &mut [f32]),
        (backwards, n): (bool, usize),
    ) {
        let (cell, block) = (&half.cell, 4 * self.lanes);
        let n_blocks = (cell.width / self.lanes).div_ceil(n_parts(cell.width, n));
        let [h, c, h_before, c_before] = state;
        std::mem::swap(h, h_before);
        std::mem::swap(c, c_before);
        let len = n_blocks * self.lanes;
        let states = h.chunks_mut(len).zip(c.chunks_mut(len)).zip(c_before.chunks(len));
        let parts = states.zip(gates.chunks_mut(n_blocks * block)).enumerate();
        let h_before: &[f32] = h_before;
        in_parts(parts, |(part, (((h, c), c_before), gates))| {
            let weight_rows = cell.weight_rows();
            let weights = &half.weights[part * n_blocks * weight_rows * block..];
            for (a, first) in x.map(|x| (x, 0)).into_iter().chain([(h_before, cell.n_inputs)]) {
                self.set.half_product(HalfProduct { a, weights, weight_rows, first, sums: gates, backwards });
            }
            self.set.forward(Forward {
                rows: 1,
                width: h.len(),
                sources: [None, None],
                weights: &[],
                weight_rows: 0,
                bias: None,
                gates,
                gates_stride: block,
                c_before,
                c,
                h,
                tanh_c: None,
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::shape::LstmShape;
    use crate::kernel::workspace::Needs;
    use crate::rng::{Purpose, Rng};

    /// Symbols through a stack, a step at a time, and through that of training with the same weights.
    #[test]
    fn steps_are_those_of_training() {
        let symbols = [2u32, 0, 4, 4, 1, 3, 2, 2];
        for set in InstructionSet::available() {
            for (hidden_size, num_layers) in [(5, 1), (70, 2), (150, 3)] {
                let lstm = Lstm::new(LstmShape { input_size: 3, hidden_size, num_layers, bidirectional: false }, set);
                let mut rng = Rng::new(0, Purpose::Weights);
                let tensors: Vec<Vec<f32>> =
                    lstm.shape().tensor_lengths().iter().map(|&n| rng.uniform(n, 0.3)).collect();
                let mut parameters = vec![0.0; lstm.n_parameters()];
                lstm.pack(&tensors, &mut parameters);
                let mut lookup = lstm.lookup(5);
                let vectors = rng.uniform(lookup.n_parameters(), 1.0);
                lookup.update((&parameters, &vectors), 1);
                let mut ws = lstm.workspace(1, 8, Needs { symbols: Some(5), ..Needs::default() });
                ws.start(1);
                ws.set_symbols(0, &symbols);
                lstm.forward_symbols(&parameters, &lookup, &mut ws, None);
                let half = HalfLstm::new(&lstm, &parameters);
                let (mut one, mut two) = (half.state(), half.state());
                for (moment, &symbol) in symbols.iter().enumerate() {
                    half.step(&lookup, symbol, &mut one, 1);
                    half.step(&lookup, symbol, &mut two, 2);
                    assert_eq!(one.output(), two.output());
                    let each = one.output().iter().zip(ws.output(0, moment, 0));
                    // weights up to 0.3 are off by up to 7e-5; the square root of 300 such errors, and states pass them on
                    each.for_each(|(a, b)| assert!((a - b).abs() < 2e-3, "{a} {b}"));
                }
            }
        }
    }
}
