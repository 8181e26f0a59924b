//! A first layer that reads one of a few symbols at each step: what it adds to the gates' sums is looked up in a table, which
//! is made once for each change of the weights, in place of a product for each symbol read (`torch.nn.Embedding` before the
//! LSTM, at no cost).

use super::aligned::Aligned;
use super::isa::InstructionSet;
use super::pool;
use super::routines::product::{Product, Start};
use super::shape::{Cell, WeightLayout};

/// What each symbol adds to the sums of the first layer, biases included.
#[derive(Debug, Clone)]
pub struct Lookup {
    set: InstructionSet,
    /// The first layer.
    cell: Cell,
    pub(super) n_symbols: usize,
    /// Numbers in a symbol's vector, and from one vector to the next.
    pub(super) input_size: usize,
    pub(super) stride: usize,
    /// `[block][symbol][gate][lane]`.
    values: Aligned,
}

impl Lookup {
    pub(super) fn new(layout: &WeightLayout, set: InstructionSet, n_symbols: usize) -> Self {
        let input_size = layout.shape.input_size;
        Self {
            set,
            cell: layout.cells[0],
            n_symbols,
            input_size,
            stride: input_size.next_multiple_of(layout.lanes),
            values: Aligned::zeros(n_symbols * 4 * layout.width),
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

    pub(super) fn block_len(&self) -> usize {
        4 * self.set.lanes()
    }

    /// Makes the table anew from the LSTM's parameters and the symbols' vectors, on up to `n_threads` threads.
    pub fn update(&mut self, (parameters, vectors): (&[f32], &[f32]), n_threads: usize) {
        let (cell, block) = (self.cell, self.block_len());
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
