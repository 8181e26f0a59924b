//! Where the weights of an LSTM stack lie: between PyTorch's order and the one that the routines read.

use super::isa::InstructionSet;

/// Sizes of a stack of LSTM layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LstmShape {
    /// Numbers at each step of a window.
    pub input_size: usize,
    /// Units of each layer and direction.
    pub hidden_size: usize,
    /// Layers.
    pub num_layers: usize,
    /// Whether a second LSTM reads each window backwards.
    pub bidirectional: bool,
}

impl LstmShape {
    /// 1 or 2.
    pub fn n_directions(self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// Layers times directions.
    pub fn n_cells(self) -> usize {
        self.num_layers * self.n_directions()
    }

    /// Lengths of PyTorch's tensors, in its order: for each layer and direction `weight_ih` `(4 * hidden_size, inputs)`,
    /// `weight_hh`, `bias_ih`, `bias_hh`.
    pub fn tensor_lengths(self) -> Vec<usize> {
        let gates = 4 * self.hidden_size;
        let lengths = |layer| {
            let inputs = if layer == 0 { self.input_size } else { self.n_directions() * self.hidden_size };
            [gates * inputs, gates * self.hidden_size, gates, gates]
        };
        (0..self.n_cells()).flat_map(|cell| lengths(cell / self.n_directions())).collect()
    }
}

/// One layer in one direction: `weights[block][k][gate][lane]`, where `k` counts the inputs and then the hidden units, then
/// `bias_ih[block][gate][lane]` and `bias_hh` alike. Units are padded with zeros to whole vectors, which training leaves zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) layer: usize,
    pub(super) direction: usize,
    /// Columns of the input, padded where they are units of the layer below.
    pub(super) n_inputs: usize,
    pub(super) width: usize,
    /// Where the cell's parameters start.
    pub(super) start: usize,
}

impl Cell {
    /// Rows of the weights.
    pub(super) fn weight_rows(&self) -> usize {
        self.n_inputs + self.width
    }

    pub(super) fn n_weights(&self) -> usize {
        self.weight_rows() * 4 * self.width
    }

    pub(super) fn end(&self) -> usize {
        self.start + self.n_weights() + 8 * self.width
    }

    /// Weights, `bias_ih`, `bias_hh`.
    pub(super) fn split<'a>(&self, parameters: &'a [f32]) -> (&'a [f32], &'a [f32], &'a [f32]) {
        let (weights, biases) = parameters[self.start..self.end()].split_at(self.n_weights());
        let (bias_ih, bias_hh) = biases.split_at(4 * self.width);
        (weights, bias_ih, bias_hh)
    }
}

/// The cells of a stack for one instruction set, layer after layer, the forward direction first.
#[derive(Debug, Clone)]
pub(super) struct WeightLayout {
    pub(super) shape: LstmShape,
    pub(super) lanes: usize,
    /// Units of a cell, padded.
    pub(super) width: usize,
    pub(super) cells: Vec<Cell>,
}

impl WeightLayout {
    pub(super) fn new(shape: LstmShape, set: InstructionSet) -> Self {
        let lanes = set.lanes();
        let width = shape.hidden_size.next_multiple_of(lanes);
        let mut cells = Vec::with_capacity(shape.n_cells());
        let mut start = 0;
        for layer in 0..shape.num_layers {
            for direction in 0..shape.n_directions() {
                let n_inputs = if layer == 0 { shape.input_size } else { shape.n_directions() * width };
                let cell = Cell { layer, direction, n_inputs, width, start };
                start = cell.end();
                cells.push(cell);
            }
        }
        Self { shape, lanes, width, cells }
    }

    pub(super) fn n_parameters(&self) -> usize {
        self.cells.last().map_or(0, Cell::end)
    }

    /// Calls `copy(tensor, place in the tensor, place among the parameters)` for every number of PyTorch's tensors.
    pub(super) fn for_each_place(&self, mut copy: impl FnMut(usize, usize, usize)) {
        let hidden = self.shape.hidden_size;
        for (index, cell) in self.cells.iter().enumerate() {
            let row = |gate: usize, unit: usize| gate * hidden + unit;
            for (gate, unit) in (0..4).flat_map(|gate| (0..hidden).map(move |unit| (gate, unit))) {
                let (block, lane) = (unit / self.lanes, unit % self.lanes);
                let n_inputs = if cell.layer == 0 { cell.n_inputs } else { self.shape.n_directions() * hidden };
                let weight = |k: usize| cell.start + ((block * cell.weight_rows() + k) * 4 + gate) * self.lanes + lane;
                for k in 0..n_inputs {
                    // the units of the layer below are padded, each direction by itself
                    let padded = if cell.layer == 0 { k } else { k / hidden * self.width + k % hidden };
                    copy(4 * index, row(gate, unit) * n_inputs + k, weight(padded));
                }
                for k in 0..hidden {
                    copy(4 * index + 1, row(gate, unit) * hidden + k, weight(cell.n_inputs + k));
                }
                let bias = cell.start + cell.n_weights() + (block * 4 + gate) * self.lanes + lane;
                copy(4 * index + 2, row(gate, unit), bias);
                copy(4 * index + 3, row(gate, unit), bias + 4 * cell.width);
            }
        }
    }
}
