//! The forward and backward pass of a stack whose first layer looks up what each symbol adds to its sums.

use super::lookup::Lookup;
use super::lstm::{Lstm, Masks};
use super::routines::product::Outer;
use super::transposed::TransposedWeights;
use super::workspace::Workspace;

impl Lstm {
    /// The table of `n_symbols` vectors, of the LSTM's `input_size`; zeros until [`Lookup::update`].
    ///
    /// # Panics
    /// For an LSTM that reads both ways.
    pub fn lookup(&self, n_symbols: usize) -> Lookup {
        assert!(!self.shape().bidirectional, "symbols are read in one direction");
        Lookup::new(self.layout(), self.set(), n_symbols)
    }

    /// [`Lstm::forward`] over the symbols in the workspace.
    pub fn forward_symbols(
        &self,
        parameters: &[f32],
        lookup: &Lookup,
        ws: &mut Workspace,
        masks: Option<(Masks, usize)>,
    ) {
        self.run(parameters, Some(lookup), ws, masks);
    }

    /// The rest of [`Lstm::backward`] where the input is symbols: adds the gradient of the first layer's weights on the input
    /// to that of all parameters, and that of the symbols' vectors to `vector_gradient`.
    ///
    /// # Panics
    /// When the workspace has no symbols, or `weights` no part for the input's gradient.
    pub fn backward_symbols(
        &self,
        weights: &TransposedWeights,
        (lookup, vectors): (&Lookup, &[f32]),
        ws: &mut Workspace,
        (gradient, vector_gradient): (&mut [f32], &mut [f32]),
    ) {
        self.gather_gradient(lookup, ws);
        let (cell, block, rows) = (&self.cells()[0], lookup.block_len(), lookup.n_symbols);
        let table = &ws.symbols.as_ref().expect("the input is symbols").gradient;
        let blocks = gradient[cell.start..][..cell.n_weights()].chunks_exact_mut(cell.weight_rows() * block);
        for (gradient, table) in blocks.zip(table.chunks_exact(rows * block)) {
            self.set().outer(Outer {
                rows,
                n_steps: 1,
                input: vectors,
                input_start: 0,
                input_step: 0,
                input_stride: lookup.stride,
                n_inputs: lookup.input_size,
                output: table,
                output_step: 0,
                output_stride: block,
                n_vectors: 4,
                gradient,
            });
        }
        let panels = weights.input(0, 0);
        self.read_gates(rows, table, panels.values(), panels.padded_columns(), (vector_gradient, lookup.stride), true);
    }

    /// Sums the gates' gradients of all places where the same symbol was read.
    fn gather_gradient(&self, lookup: &Lookup, ws: &mut Workspace) {
        let (rows, block, n_symbols) = (ws.rows, lookup.block_len(), lookup.n_symbols);
        let n_blocks = self.width() / self.lanes();
        let symbols = ws.symbols.as_mut().expect("the input is symbols");
        let indices = &symbols.indices[ws.first * rows..(ws.first + ws.steps) * rows];
        symbols.gradient.fill(0.0);
        // block by block, so that the block's table stays in the first level of cache
        for (at, table) in symbols.gradient.chunks_exact_mut(n_symbols * block).enumerate() {
            for (step, indices) in indices.chunks_exact(rows).enumerate() {
                let gates = &ws.cells[0].gates[(step * n_blocks + at) * rows * block..][..rows * block];
                for (&symbol, gates) in indices.iter().zip(gates.chunks_exact(block)) {
                    self.set().add(&mut table[symbol as usize * block..][..block], gates);
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
    use crate::kernel::workspace::Needs;
    use crate::rng::{Purpose, Rng};

    const ROWS: usize = 3;
    const N_SYMBOLS: usize = 6;

    fn symbol(row: usize, step: usize) -> u32 {
        [0, 5, 2, 2, 1, 4, 0][(3 * row + step) % 7]
    }

    /// Outputs, and the gradients of weights and vectors: of symbols, and of the vectors as numbers that are read.
    fn compare(shape: LstmShape, set: InstructionSet, (steps, tbptt): (usize, Option<usize>)) {
        let lstm = Lstm::new(shape, set);
        let mut rng = Rng::new(0, Purpose::Weights);
        let tensors: Vec<Vec<f32>> = shape.tensor_lengths().iter().map(|&n| rng.uniform(n, 0.4)).collect();
        let mut parameters = vec![0.0; lstm.n_parameters()];
        lstm.pack(&tensors, &mut parameters);
        let mut lookup = lstm.lookup(N_SYMBOLS);
        let mut vectors = vec![0.0; lookup.n_parameters()];
        let places = (0..N_SYMBOLS).flat_map(|symbol| (0..shape.input_size).map(move |at| (symbol, at)));
        places.for_each(|(symbol, at)| vectors[lookup.place(symbol, at)] = rng.uniform(1, 1.0)[0]);
        lookup.update((&parameters, &vectors), 2);
        let needs = Needs { output_gradient: true, input_gradient: true, tbptt, ..Needs::default() };
        let mut transposed = lstm.transposed(needs);
        transposed.update(&parameters, 1);
        let plain = Needs { symbols: None, ..needs };
        let mut numbers = lstm.workspace(ROWS, steps, plain);
        let mut symbols = lstm.workspace(ROWS, steps, Needs { symbols: Some(N_SYMBOLS), ..plain });
        numbers.start(ROWS);
        symbols.start(ROWS);
        for row in 0..ROWS {
            let read: Vec<u32> = (0..steps).map(|step| symbol(row, step)).collect();
            let window: Vec<f32> = read
                .iter()
                .flat_map(|&symbol| vectors[lookup.place(symbol as usize, 0)..][..shape.input_size].to_vec())
                .collect();
            symbols.set_symbols(row, &read);
            numbers.set_window(row, &window);
        }
        let mut gradients = [vec![0.0; lstm.n_parameters()], vec![0.0; lstm.n_parameters()]];
        let (mut of_vectors, mut expected) = (vec![0.0; vectors.len()], vec![0.0; vectors.len()]);
        loop {
            lstm.forward(&parameters, &mut numbers, None);
            lstm.forward_symbols(&parameters, &lookup, &mut symbols, None);
            // sums of the same numbers in another order
            close(symbols.outputs(), numbers.outputs(), 1e-6);
            for (ws, gradient) in [&mut numbers, &mut symbols].into_iter().zip(&mut gradients) {
                ws.output_gradients_mut().iter_mut().enumerate().for_each(|(i, g)| *g = (i % 200) as f32 / 100.0 - 1.0);
                lstm.backward(&transposed, ws, gradient);
            }
            lstm.backward_symbols(&transposed, (&lookup, &vectors), &mut symbols, (&mut gradients[1], &mut of_vectors));
            for row in 0..ROWS {
                for moment in 0..numbers.steps() {
                    let at = lookup.place(symbol(row, numbers.first() + moment) as usize, 0);
                    let sums = expected[at..].iter_mut().zip(numbers.input_gradient(moment, row));
                    sums.for_each(|(sum, value)| *sum += value);
                }
            }
            if !(numbers.go_on() & symbols.go_on()) {
                break;
            }
        }
        close(&gradients[1], &gradients[0], 1e-5);
        close(&of_vectors, &expected, 1e-5);
    }

    fn close(a: &[f32], b: &[f32], tolerance: f32) {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} {b}"));
    }

    #[test]
    fn symbols_are_read_as_their_vectors_are() {
        for set in InstructionSet::available() {
            for (input_size, hidden_size, num_layers) in [(1, 5, 1), (7, 16, 2), (33, 70, 1)] {
                let shape = LstmShape { input_size, hidden_size, num_layers, bidirectional: false };
                compare(shape, set, (9, None));
                compare(shape, set, (9, Some(4)));
            }
        }
    }
}
