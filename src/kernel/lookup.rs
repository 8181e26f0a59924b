//! A first layer that reads one of a few symbols at each step: what it adds to the gates' sums is looked up in a table, which
//! is made once for each change of the weights, in place of a product for each symbol read (`torch.nn.Embedding` before the
//! LSTM, at no cost).

use super::aligned::Aligned;
use super::isa::InstructionSet;
use super::lstm::{Lstm, Masks};
use super::pool;
use super::product::{Outer, Product, Start};
use super::transposed::TransposedWeights;
use super::workspace::Workspace;

/// What each symbol adds to the sums of the first layer, biases included.
#[derive(Debug, Clone)]
pub struct Lookup {
    set: InstructionSet,
    n_symbols: usize,
    /// Numbers in a symbol's vector, and from one vector to the next.
    input_size: usize,
    stride: usize,
    /// `[block][symbol][gate][lane]`.
    values: Aligned,
}

impl Lookup {
    /// The table of `n_symbols` vectors, of the LSTM's `input_size`, as [`Lookup::update`] has seen them; zeros at first.
    ///
    /// # Panics
    /// For an LSTM that reads both ways.
    pub fn new(lstm: &Lstm, n_symbols: usize) -> Self {
        assert!(!lstm.shape().bidirectional, "symbols are read in one direction");
        let input_size = lstm.shape().input_size;
        Self {
            set: lstm.set(),
            n_symbols,
            input_size,
            stride: input_size.next_multiple_of(lstm.lanes()),
            values: Aligned::zeros(n_symbols * 4 * lstm.width()),
        }
    }

    /// Numbers in the symbols' vectors `(n_symbols, input_size padded to whole vectors)`.
    pub fn n_parameters(&self) -> usize {
        self.n_symbols * self.stride
    }

    /// Where number `at` of a symbol's vector lies.
    pub fn place(&self, symbol: usize, at: usize) -> usize {
        symbol * self.stride + at
    }

    fn block_len(&self) -> usize {
        4 * self.set.lanes()
    }

    /// Makes the table of the LSTM's parameters and the symbols' vectors, on up to `n_threads` threads.
    pub fn update(&mut self, lstm: &Lstm, (parameters, vectors): (&[f32], &[f32]), n_threads: usize) {
        let (cell, block) = (&lstm.cells()[0], self.block_len());
        let (weights, bias_ih, bias_hh) = cell.split(parameters);
        let (set, rows, input_size, stride) = (self.set, self.n_symbols, self.input_size, self.stride);
        let n_blocks = (cell.width / set.lanes()).div_ceil(n_threads.max(1));
        let mut shares: Vec<_> = self.values.chunks_mut(n_blocks * rows * block).collect();
        pool::for_each(&mut shares, |share, table| {
            for (at, table) in table.chunks_exact_mut(rows * block).enumerate() {
                let at = share * n_blocks + at;
                let mut bias = [0.0; 64];
                let biases = bias_ih[at * block..].iter().zip(&bias_hh[at * block..]);
                bias[..block].iter_mut().zip(biases).for_each(|(sum, (a, b))| *sum = a + b);
                set.product(Product {
                    rows,
                    a: vectors,
                    n_blocks: 1,
                    block_len: input_size,
                    block_stride: 0,
                    row_stride: stride,
                    panel: &weights[at * cell.weight_rows() * block..],
                    n_vectors: 4,
                    start: Start::Bias(&bias),
                    out: table,
                    out_stride: block,
                });
            }
        });
    }

    /// Writes the sums that some rows begin with, `[block][row][gate][lane]`.
    pub(super) fn begin(&self, symbols: &[u32], gates: &mut [f32]) {
        let block = self.block_len();
        let tables = self.values.chunks_exact(self.n_symbols * block);
        for (table, gates) in tables.zip(gates.chunks_exact_mut(symbols.len() * block)) {
            for (&symbol, gates) in symbols.iter().zip(gates.chunks_exact_mut(block)) {
                gates.copy_from_slice(&table[symbol as usize * block..][..block]);
            }
        }
    }
}

impl Lstm {
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
