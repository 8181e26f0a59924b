//! A stack of LSTM layers over a thread's part of a batch: forwards through time, and back (Hochreiter & Schmidhuber 1997,
//! with the forget gate of Gers et al. 2000; as `torch.nn.LSTM`).

use super::isa::InstructionSet;
use super::lookup::Lookup;
use super::routines::product::{Outer, Product, Start};
use super::routines::step::{panel_vectors, Backward, Forward, Reader, Source};
use super::shape::{Cell, LstmShape, WeightLayout};
use super::transposed::TransposedWeights;
use super::workspace::{order, Needs, Workspace};
use crate::rng::DropoutMask;

/// Rows over which weight gradients are summed before the next block of units has its turn: what the second level of
/// cache holds of the inputs.
const OUTER_ROWS: usize = 512;

/// The dropout masks of the outputs of a layer.
pub type Masks<'a> = &'a dyn Fn(usize) -> DropoutMask;

/// A stack of LSTM layers for one instruction set. Its parameters are a plain slice, in an order of its own.
#[derive(Debug, Clone)]
pub struct Lstm {
    set: InstructionSet,
    layout: WeightLayout,
}

impl Lstm {
    /// A stack of these sizes, all at least 1.
    pub fn new(shape: LstmShape, set: InstructionSet) -> Self {
        Self { set, layout: WeightLayout::new(shape, set) }
    }

    /// Its sizes.
    pub fn shape(&self) -> LstmShape {
        self.layout.shape
    }

    /// The instructions that it uses.
    pub fn set(&self) -> InstructionSet {
        self.set
    }

    pub(super) fn layout(&self) -> &WeightLayout {
        &self.layout
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.layout.cells
    }

    /// Units of a cell, padded.
    pub(super) fn width(&self) -> usize {
        self.layout.width
    }

    pub(super) fn lanes(&self) -> usize {
        self.layout.lanes
    }

    /// Numbers in the parameters, padding included.
    pub fn n_parameters(&self) -> usize {
        self.layout.n_parameters()
    }

    /// Length of the last layer's state, padding included: `directions * padded hidden_size`.
    pub fn output_width(&self) -> usize {
        self.layout.shape.n_directions() * self.layout.width
    }

    /// Where unit `unit` of the last layer's state, as PyTorch counts them, lies in it.
    pub fn output_place(&self, unit: usize) -> usize {
        unit / self.layout.shape.hidden_size * self.layout.width + unit % self.layout.shape.hidden_size
    }

    /// Reads PyTorch's tensors, in the order and of the lengths of [`LstmShape::tensor_lengths`].
    pub fn pack(&self, tensors: &[impl AsRef<[f32]>], parameters: &mut [f32]) {
        parameters[..self.n_parameters()].fill(0.0);
        self.layout.for_each_place(|tensor, at, place| parameters[place] = tensors[tensor].as_ref()[at]);
    }

    /// Writes PyTorch's tensors.
    pub fn unpack(&self, parameters: &[f32]) -> Vec<Vec<f32>> {
        let mut tensors: Vec<Vec<f32>> = self.shape().tensor_lengths().iter().map(|&n| vec![0.0; n]).collect();
        self.layout.for_each_place(|tensor, at, place| tensors[tensor][at] = parameters[place]);
        tensors
    }

    /// Room for the transposed weights; [`TransposedWeights::update`] fills them.
    pub fn transposed(&self, needs: Needs) -> TransposedWeights {
        TransposedWeights::new(&self.layout, needs.input_gradient || needs.symbols.is_some())
    }

    /// As many of `rows` as a workspace of so many bytes has room for, evenly: two halves, three thirds; one at the least.
    pub fn rows_within(&self, bytes: usize, rows: usize, steps: usize, needs: Needs) -> usize {
        let most = bytes / (size_of::<f32>() * Workspace::row_len(&self.layout, steps, needs));
        rows.div_ceil(rows.div_ceil(most.clamp(1, rows)))
    }

    /// Room for up to `rows` windows of `steps` steps.
    pub fn workspace(&self, rows: usize, steps: usize, needs: Needs) -> Workspace {
        Workspace::new(&self.layout, rows, steps, needs)
    }

    /// Runs the part of the windows that the workspace is at through the stack. `masks(layer)` are the dropout masks of the
    /// outputs of a layer, in the order of a `(batch, steps, directions * hidden_size)` tensor in which the workspace's rows
    /// start at `first_row`.
    pub fn forward(&self, parameters: &[f32], ws: &mut Workspace, masks: Option<(Masks, usize)>) {
        self.run(parameters, None, ws, masks);
    }

    /// [`Lstm::forward`], the first layer's share of the input looked up where it can be.
    pub(super) fn run(
        &self,
        parameters: &[f32],
        lookup: Option<&Lookup>,
        ws: &mut Workspace,
        masks: Option<(Masks, usize)>,
    ) {
        for layer in 0..self.layout.shape.num_layers {
            if layer > 0 {
                self.materialise(layer, ws, masks);
            }
            for index in self.cells_of(layer) {
                self.forward_cell(index, parameters, lookup.filter(|_| layer == 0), ws);
            }
        }
    }

    fn cells_of(&self, layer: usize) -> std::ops::Range<usize> {
        let n = self.layout.shape.n_directions();
        layer * n..(layer + 1) * n
    }

    /// Joins the directions' outputs, and drops some, where the layer above can't read the outputs as they lie.
    fn materialise(&self, layer: usize, ws: &mut Workspace, masks: Option<(Masks, usize)>) {
        let Some(input) = &mut ws.inputs[layer - 1] else { return };
        let (rows, width, n_directions) = (ws.rows, self.layout.width, self.layout.shape.n_directions());
        let hidden = self.layout.shape.hidden_size;
        for (direction, index) in self.cells_of(layer - 1).enumerate() {
            let h = &ws.cells[index].h;
            for moment in 0..ws.steps {
                let step = order(direction, moment, ws.steps);
                for row in 0..rows {
                    let from = ((step + 1) * rows + row) * width;
                    let to = ((moment * rows + row) * n_directions + direction) * width;
                    input.values[to..to + width].copy_from_slice(&h[from..from + width]);
                    let (Some(mask), Some((masks, first_row))) = (&mut input.mask, masks) else { continue };
                    let place = ((first_row + row) * ws.window_steps + ws.first + moment) * n_directions + direction;
                    masks(layer - 1).fill((place * hidden) as u64, &mut mask[to..to + hidden]);
                    for (value, mask) in input.values[to..to + hidden].iter_mut().zip(&mask[to..to + hidden]) {
                        *value *= mask;
                    }
                }
            }
        }
    }

    fn forward_cell(&self, index: usize, parameters: &[f32], lookup: Option<&Lookup>, ws: &mut Workspace) {
        let cell = &self.layout.cells[index];
        let (weights, bias_ih, bias_hh) = cell.split(parameters);
        let (rows, steps, state) = (ws.rows, ws.steps, ws.rows * cell.width);
        let (below, memory) = ws.cells.split_at_mut(index);
        let memory = &mut memory[0];
        for ((sum, a), b) in memory.bias.iter_mut().zip(bias_ih).zip(bias_hh) {
            *sum = a + b;
        }
        let x = CellInput::new(cell, (&ws.x, ws.first), &ws.inputs, below, rows);
        for step in 0..steps {
            let (h_before, h) = memory.h.split_at_mut((step + 1) * state);
            let (c_before, c) = memory.c.split_at_mut((step + 1) * state);
            let hidden = Source {
                values: &h_before[step * state..],
                row_stride: cell.width,
                len: cell.width,
                first: cell.n_inputs,
            };
            let gates = &mut memory.gates[step * 4 * state..(step + 1) * 4 * state];
            let looked_up = lookup.zip(ws.symbols.as_ref()).map(|(lookup, symbols)| {
                lookup.begin(&symbols.indices[(ws.first + step) * rows..][..rows], gates);
            });
            self.set.forward(Forward {
                rows,
                width: cell.width,
                sources: match looked_up {
                    Some(()) => [None, Some(hidden)],
                    None => [Some(x.source(order(cell.direction, step, steps))), Some(hidden)],
                },
                weights,
                weight_rows: cell.weight_rows(),
                bias: if looked_up.is_some() { None } else { Some(&memory.bias) },
                gates,
                gates_stride: rows * 4 * self.layout.lanes,
                c_before: &c_before[step * state..],
                c,
                h,
                tanh_c: Some(&mut memory.tanh_c[step * state..]),
            });
        }
    }

    /// Takes the gradients in the workspace back to the parameters' (added to `gradient`), the initial state's and, where
    /// asked for, the input's. Destroys the gates: one backward pass for each forward pass.
    pub fn backward(&self, weights: &TransposedWeights, ws: &mut Workspace, gradient: &mut [f32]) {
        let top = self.cells_of(self.layout.shape.num_layers - 1);
        for layer in (0..self.layout.shape.num_layers).rev() {
            for index in self.cells_of(layer) {
                let bias = self.layout.cells[index].end() - 8 * self.layout.width;
                let (dweights, dbias) = gradient.split_at_mut(bias);
                self.backward_cell(index, weights, ws, &mut dbias[..4 * self.layout.width], top.contains(&index));
                let (dbias_ih, dbias_hh) = dbias.split_at_mut(4 * self.layout.width);
                dbias_hh[..dbias_ih.len()].copy_from_slice(dbias_ih);
                self.weight_gradient(index, ws, &mut dweights[self.layout.cells[index].start..]);
            }
        }
        if ws.input_gradient.is_some() {
            self.input_gradient(weights, ws);
        }
    }

    fn backward_cell(
        &self,
        index: usize,
        weights: &TransposedWeights,
        ws: &mut Workspace,
        dbias: &mut [f32],
        top: bool,
    ) {
        let cell = &self.layout.cells[index];
        let (rows, steps, width, state) = (ws.rows, ws.steps, cell.width, ws.rows * cell.width);
        let outputs = state * ws.n_directions;
        let (memory, above) = ws.cells.split_at_mut(index + 1);
        let memory = &mut memory[index];
        let above =
            if top { &[] } else { &above[self.cells_of(cell.layer + 1).start - index - 1..][..ws.n_directions] };
        let mask = ws.inputs.get(cell.layer).and_then(|input| input.as_ref()?.mask.as_ref());
        let every = ws.output_gradient.as_ref().filter(|_| top);
        for step in (0..steps).rev() {
            let moment = order(cell.direction, step, steps);
            let at = moment * outputs + cell.direction * width;
            let outside = every.map(|every| (&every[at..], width * ws.n_directions));
            if step + 1 == steps {
                if let Some((every, stride)) = outside {
                    add_rows(&mut memory.final_dh[..state], width, every, stride);
                }
            }
            let (gates, next) = memory.gates.split_at_mut((step + 1) * 4 * state);
            let mut readers = [None; 2];
            for (direction, memory) in above.iter().enumerate() {
                let start = order(direction, moment, steps) * 4 * state;
                let panels = weights.input(self.cells_of(cell.layer + 1).start + direction, cell.direction).values();
                readers[direction] = Some(Reader { gates: &memory.gates[start..], panels, width });
            }
            self.set.backward(Backward {
                rows,
                width,
                above: readers,
                mask: mask.map(|mask| (&mask[at..], width * ws.n_directions)),
                next: (step + 1 < steps).then(|| Reader { gates: next, panels: weights.hidden(index).values(), width }),
                outside: if step + 1 == steps { Some((&memory.final_dh, width)) } else { outside },
                gates: &mut gates[step * 4 * state..],
                c_before: &memory.c[step * state..],
                tanh_c: &memory.tanh_c[step * state..],
                dc: &mut memory.final_dc,
                dbias,
                scratch: &mut ws.scratch,
            });
        }
        memory.initial_dc[..state].copy_from_slice(&memory.final_dc[..state]);
        let panels = weights.hidden(index).values();
        self.read_gates(rows, &memory.gates, panels, width, (&mut memory.initial_dh, width), false);
    }

    /// `out (rows, columns) = gates (rows, 4 * width) * panels`, or that added to it.
    pub(super) fn read_gates(
        &self,
        rows: usize,
        gates: &[f32],
        panels: &[f32],
        columns: usize,
        (out, out_stride): (&mut [f32], usize),
        add: bool,
    ) {
        let (lanes, width) = (self.layout.lanes, self.layout.width);
        let mut vector = 0;
        while vector < columns / lanes {
            let n_vectors = panel_vectors(vector, columns / lanes);
            self.set.product(Product {
                rows,
                a: gates,
                n_blocks: width / lanes,
                block_len: 4 * lanes,
                block_stride: rows * 4 * lanes,
                row_stride: 4 * lanes,
                panel: &panels[vector * lanes * 4 * width..],
                n_vectors,
                start: if add { Start::Output } else { Start::Zero },
                out: &mut out[vector * lanes..],
                out_stride,
            });
            vector += n_vectors;
        }
    }

    fn weight_gradient(&self, index: usize, ws: &Workspace, gradient: &mut [f32]) {
        let cell = &self.layout.cells[index];
        let (rows, steps, width, lanes) = (ws.rows, ws.steps, cell.width, self.layout.lanes);
        let (state, block) = (rows * width, 4 * lanes);
        let x = CellInput::new(cell, (&ws.x, ws.first), &ws.inputs, &ws.cells[..index], rows);
        let memory = &ws.cells[index];
        let at_once = (OUTER_ROWS / rows).max(1);
        for first in (0..steps).step_by(at_once) {
            let n_steps = at_once.min(steps - first);
            for (at, gradient) in gradient[..cell.n_weights()].chunks_exact_mut(cell.weight_rows() * block).enumerate()
            {
                let (from_x, from_h) = gradient.split_at_mut(cell.n_inputs * block);
                let (start, step) = x.place(order(cell.direction, first, steps));
                let outer = |input, start, step: usize, stride, n_inputs, gradient| Outer {
                    rows,
                    n_steps,
                    input,
                    input_start: start,
                    input_step: step.cast_signed(),
                    input_stride: stride,
                    n_inputs,
                    output: &memory.gates[first * 4 * state + at * rows * block..],
                    output_step: 4 * state,
                    output_stride: block,
                    n_vectors: 4,
                    gradient,
                };
                let step = if cell.direction == 0 { step } else { step.wrapping_neg() };
                if cell.layer > 0 || ws.symbols.is_none() {
                    self.set.outer(outer(x.values, start, step, x.stride, cell.n_inputs, from_x));
                }
                self.set.outer(outer(&memory.h, first * state, state, width, width, from_h));
            }
        }
    }

    fn input_gradient(&self, weights: &TransposedWeights, ws: &mut Workspace) {
        let Some(mut out) = ws.input_gradient.take() else { return };
        let columns = weights.input(0, 0).padded_columns();
        for (direction, index) in self.cells_of(0).enumerate() {
            for moment in 0..ws.steps {
                let gates =
                    &ws.cells[index].gates[order(direction, moment, ws.steps) * 4 * ws.rows * self.layout.width..];
                let out = (&mut out[moment * ws.rows * columns..], columns);
                self.read_gates(ws.rows, gates, weights.input(index, 0).values(), columns, out, direction > 0);
            }
        }
        ws.input_gradient = Some(out);
    }
}

fn add_rows(sums: &mut [f32], width: usize, values: &[f32], stride: usize) {
    for (row, sums) in sums.chunks_exact_mut(width).enumerate() {
        for (sum, value) in sums.iter_mut().zip(&values[row * stride..]) {
            *sum += value;
        }
    }
}

/// What a cell reads at each moment in time: row `r` lies at `start + moment * moment_stride + r * stride`.
struct CellInput<'a> {
    values: &'a [f32],
    start: usize,
    moment_stride: usize,
    stride: usize,
}

impl<'a> CellInput<'a> {
    fn new(
        cell: &Cell,
        (x, first): (&'a [f32], usize),
        inputs: &'a [Option<super::workspace::LayerInput>],
        below: &'a [super::workspace::CellMemory],
        rows: usize,
    ) -> Self {
        let (values, start): (&[f32], usize) = match cell.layer.checked_sub(1).map(|below| &inputs[below]) {
            None => (x, first * rows * cell.n_inputs),
            Some(Some(input)) => (&input.values, 0),
            // the one cell below, whose output after a step is the state before the next
            Some(None) => (&below[below.len() - 1].h, rows * cell.n_inputs),
        };
        Self { values, start, moment_stride: rows * cell.n_inputs, stride: cell.n_inputs }
    }

    fn place(&self, moment: usize) -> (usize, usize) {
        (self.start + moment * self.moment_stride, self.moment_stride)
    }

    fn source(&self, moment: usize) -> Source<'a> {
        let (start, _) = self.place(moment);
        Source { values: &self.values[start..], row_stride: self.stride, len: self.stride, first: 0 }
    }
}
