//! Transposed copies of weights, which the backward pass reads: made anew after every step of the optimiser.

use super::aligned::Aligned;
use super::pool;
use super::routines::step::panel_vectors;
use super::shape::{Cell, WeightLayout};

/// Transposed weights of one cell for consecutive columns of its input or for its hidden units: panels of up to four
/// vectors of columns, each `[block][gate][lane][column]`.
#[derive(Debug, Clone)]
pub(super) struct Transposed {
    cell: Cell,
    lanes: usize,
    /// The first row of the cell's weights that is a column here.
    first: usize,
    n_columns: usize,
    values: Aligned,
}

impl Transposed {
    fn new(cell: Cell, lanes: usize, first: usize, n_columns: usize) -> Self {
        let values = Aligned::zeros(n_columns.next_multiple_of(lanes) * 4 * cell.width);
        Self { cell, lanes, first, n_columns, values }
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Columns, padded to whole vectors.
    pub(super) fn padded_columns(&self) -> usize {
        self.n_columns.next_multiple_of(self.lanes)
    }

    /// Copies the weights anew.
    pub(super) fn update(&mut self, parameters: &[f32]) {
        let (weights, _, _) = self.cell.split(parameters);
        let n_vectors = self.padded_columns() / self.lanes;
        let (rows, block) = (self.cell.weight_rows(), 4 * self.lanes);
        let mut vector = 0;
        while vector < n_vectors {
            let columns = panel_vectors(vector, n_vectors) * self.lanes;
            let (first, end) = (vector * self.lanes, self.n_columns.min(vector * self.lanes + columns));
            let panel = &mut self.values[first * 4 * self.cell.width..][..columns * 4 * self.cell.width];
            for (index, part) in panel.chunks_exact_mut(columns * block).enumerate() {
                for column in first..end {
                    let source = &weights[(index * rows + self.first + column) * block..][..block];
                    for (row, &weight) in part.chunks_exact_mut(columns).zip(source) {
                        row[column - first] = weight;
                    }
                }
            }
            vector += columns / self.lanes;
        }
    }
}

/// All transposed weights of a stack.
#[derive(Debug, Clone)]
pub struct TransposedWeights {
    parts: Vec<Transposed>,
    /// For each cell, the index of its hidden part; those of its inputs follow.
    hidden: Vec<usize>,
}

impl TransposedWeights {
    pub(super) fn new(layout: &WeightLayout, input_gradient: bool) -> Self {
        let (mut parts, mut hidden) = (Vec::new(), Vec::new());
        for &cell in &layout.cells {
            hidden.push(parts.len());
            parts.push(Transposed::new(cell, layout.lanes, cell.n_inputs, layout.width));
            if cell.layer > 0 {
                for below in 0..layout.shape.n_directions() {
                    parts.push(Transposed::new(cell, layout.lanes, below * layout.width, layout.width));
                }
            } else if input_gradient {
                parts.push(Transposed::new(cell, layout.lanes, 0, cell.n_inputs));
            }
        }
        Self { parts, hidden }
    }

    pub(super) fn hidden(&self, cell: usize) -> &Transposed {
        &self.parts[self.hidden[cell]]
    }

    /// What a cell reads from direction `below` of the layer below; for the first layer, the whole input.
    pub(super) fn input(&self, cell: usize, below: usize) -> &Transposed {
        &self.parts[self.hidden[cell] + 1 + below]
    }

    /// Copies all weights anew, on up to `n_threads` threads.
    pub fn update(&mut self, parameters: &[f32], n_threads: usize) {
        let n_parts = self.parts.len().div_ceil(n_threads.max(1)).max(1);
        let mut shares: Vec<_> = self.parts.chunks_mut(n_parts).collect();
        pool::for_each(&mut shares, |_, parts| parts.iter_mut().for_each(|part| part.update(parameters)));
    }
}
