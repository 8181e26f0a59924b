//! What one thread keeps of its part of a batch between the forward and the backward pass.

use super::aligned::Aligned;
use super::shape::WeightLayout;

/// The memory of one cell. Steps are counted in the order in which the cell goes through them.
#[derive(Debug, Clone, Default)]
pub(super) struct CellMemory {
    /// State before each step and after the last, `(steps + 1, rows, width)`: output and cell state.
    pub(super) h: Aligned,
    pub(super) c: Aligned,
    /// `(steps, rows, width)`.
    pub(super) tanh_c: Aligned,
    /// `(steps, block, row, gate, lane)`: gates on the forward pass, their gradients on the backward pass.
    pub(super) gates: Aligned,
    /// Gradients of the final state, `(rows, width)`: the caller's on entry of the backward pass.
    pub(super) final_dh: Aligned,
    pub(super) final_dc: Aligned,
    /// Gradients of the initial state, `(rows, width)`.
    pub(super) initial_dh: Aligned,
    pub(super) initial_dc: Aligned,
    /// Sum of both biases.
    pub(super) bias: Aligned,
}

impl CellMemory {
    fn forget_gradient(&mut self, state: usize) {
        self.final_dh[..state].fill(0.0);
        self.final_dc[..state].fill(0.0);
    }
}

/// The memory of a stack for up to a number of rows: of whole windows, or of a part of them at a time.
///
/// Moments in time are those of the part, and so are initial and final states.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub(super) width: usize,
    pub(super) hidden_size: usize,
    pub(super) n_directions: usize,
    pub(super) input_size: usize,
    max_rows: usize,
    pub(super) rows: usize,
    /// Steps of the windows, of which there is room for a part at a time; all parts but the first have so many.
    pub(super) window_steps: usize,
    room: usize,
    /// The part that is being worked on: its first moment, its steps.
    pub(super) first: usize,
    pub(super) steps: usize,
    /// `(window_steps, rows, input_size)`.
    pub(super) x: Aligned,
    /// What stands in place of `x` where the input is one of a few symbols.
    pub(super) symbols: Option<Symbols>,
    pub(super) cells: Vec<CellMemory>,
    /// For each layer above the first, its input `(steps, rows, directions * width)` and the mask that made it, where it is not
    /// simply the output of the one cell below.
    pub(super) inputs: Vec<Option<LayerInput>>,
    /// Gradients of the outputs of all steps, `(steps, rows, directions * width)`; all zero: only the final state's count.
    pub(super) output_gradient: Option<Aligned>,
    /// `(steps, rows, input_size padded to whole vectors)`.
    pub(super) input_gradient: Option<Aligned>,
    pub(super) scratch: Aligned,
}

/// An input that is one of a few symbols.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    /// `(window_steps, rows)`.
    pub(super) indices: Vec<u32>,
    /// Gradient of a [`super::lookup::Lookup`]'s numbers.
    pub(super) gradient: Aligned,
}

/// The materialised input of a layer.
#[derive(Debug, Clone)]
pub(super) struct LayerInput {
    pub(super) values: Aligned,
    /// Of the same shape, where there is dropout.
    pub(super) mask: Option<Aligned>,
}

/// What a workspace must have room for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// Dropout between the layers.
    pub dropout: bool,
    /// Gradients for the output of every step.
    pub output_gradient: bool,
    /// Gradients of the input.
    pub input_gradient: bool,
    /// Steps that the backward pass goes at the most, in one direction; `None`: all.
    pub tbptt: Option<usize>,
    /// The input is one of so many symbols, whose share in the sums is looked up; `None`: it is numbers.
    pub symbols: Option<usize>,
}

impl Needs {
    /// Steps that there is room for at a time, of windows of `steps`.
    fn room(self, steps: usize) -> usize {
        self.tbptt.map_or(steps, |tbptt| tbptt.min(steps))
    }

    /// Numbers of a step of the input.
    fn input_len(self, input_size: usize) -> usize {
        if self.symbols.is_some() {
            1
        } else {
            input_size
        }
    }
}

impl Workspace {
    pub(super) fn new(layout: &WeightLayout, rows: usize, window_steps: usize, needs: Needs) -> Self {
        let (shape, steps) = (layout.shape, needs.room(window_steps));
        let (state, outputs) = (rows * layout.width, rows * layout.width * shape.n_directions());
        let zeros = Aligned::zeros;
        let cell = |_: &_| CellMemory {
            h: zeros((steps + 1) * state),
            c: zeros((steps + 1) * state),
            tanh_c: zeros(steps * state),
            gates: zeros(steps * 4 * state),
            final_dh: zeros(state),
            final_dc: zeros(state),
            initial_dh: zeros(state),
            initial_dc: zeros(state),
            bias: zeros(4 * layout.width),
        };
        let input =
            |_| LayerInput { values: zeros(steps * outputs), mask: needs.dropout.then(|| zeros(steps * outputs)) };
        let materialised = needs.dropout || shape.bidirectional;
        let padded = shape.input_size.next_multiple_of(layout.lanes);
        let symbols = needs
            .symbols
            .map(|n| Symbols { indices: vec![0; window_steps * rows], gradient: zeros(n * 4 * layout.width) });
        Self {
            width: layout.width,
            hidden_size: shape.hidden_size,
            n_directions: shape.n_directions(),
            input_size: shape.input_size,
            max_rows: rows,
            rows,
            window_steps,
            room: steps,
            first: 0,
            steps,
            x: zeros(if symbols.is_some() { 0 } else { window_steps * rows * shape.input_size }),
            symbols,
            cells: layout.cells.iter().map(cell).collect(),
            inputs: (1..shape.num_layers).map(|layer| materialised.then(|| input(layer))).collect(),
            output_gradient: needs.output_gradient.then(|| zeros(steps * outputs)),
            input_gradient: needs.input_gradient.then(|| zeros(steps * rows * padded)),
            scratch: zeros(rows * 4 * layout.lanes),
        }
    }

    /// Numbers that a row of a workspace takes, the little that doesn't grow with the steps aside.
    pub(super) fn row_len(layout: &WeightLayout, window_steps: usize, needs: Needs) -> usize {
        let (shape, width) = (layout.shape, layout.width);
        let outputs = width * shape.n_directions();
        let n_inputs = match (needs.dropout, shape.bidirectional) {
            (true, _) => 2 * (shape.num_layers - 1),
            (false, both) => usize::from(both) * (shape.num_layers - 1),
        };
        let of_input = if needs.input_gradient { shape.input_size.next_multiple_of(layout.lanes) } else { 0 };
        let n_outputs = n_inputs + usize::from(needs.output_gradient);
        let of_step = 7 * width * shape.n_cells() + n_outputs * outputs + of_input;
        needs.room(window_steps) * of_step + window_steps * needs.input_len(shape.input_size)
    }

    /// Rows that there is room for.
    pub fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// Steps of the part of the windows that is being worked on.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Its first moment in time.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Rows of the batch that is being worked on.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Takes another batch, of at most as many rows as there is room for, whose states start from zero, at the first part of
    /// its windows.
    pub fn start(&mut self, rows: usize) {
        (self.rows, self.first) = (rows, 0);
        // what is left over comes first, so that the last part is a whole one
        self.steps = (self.window_steps - 1) % self.room + 1;
        let state = rows * self.width;
        for cell in &mut self.cells {
            cell.h[..state].fill(0.0);
            cell.c[..state].fill(0.0);
            cell.forget_gradient(state);
        }
    }

    /// Whether the part that is being worked on is the last.
    pub fn is_at_end(&self) -> bool {
        self.first + self.steps == self.window_steps
    }

    /// Goes on to the next part of the windows, whose states start from the final ones of this part; no gradient goes back
    /// from there. False where this was the last.
    pub fn go_on(&mut self) -> bool {
        if self.is_at_end() {
            return false;
        }
        let (state, end) = (self.rows * self.width, self.steps * self.rows * self.width);
        for cell in &mut self.cells {
            cell.h.copy_within(end..end + state, 0);
            cell.c.copy_within(end..end + state, 0);
            cell.forget_gradient(state);
        }
        (self.first, self.steps) = (self.first + self.steps, self.room);
        true
    }

    /// Writes a window `(steps, input_size)` as a row of the input.
    pub fn set_window(&mut self, row: usize, window: &[f32]) {
        for (step, values) in window.chunks_exact(self.input_size).enumerate() {
            let at = (step * self.rows + row) * self.input_size;
            self.x[at..at + self.input_size].copy_from_slice(values);
        }
    }

    /// Writes symbols, one for each step, as a row of the input.
    ///
    /// # Panics
    /// Without [`Needs::symbols`].
    pub fn set_symbols(&mut self, row: usize, symbols: &[u32]) {
        let rows = self.rows;
        let indices = &mut self.symbols.as_mut().expect("the workspace has room for symbols").indices;
        for (step, &symbol) in symbols.iter().enumerate() {
            indices[step * rows + row] = symbol;
        }
    }

    /// Initial state `(hidden_size,)` of a row: output and cell state.
    pub fn initial_state_mut(&mut self, cell: usize, row: usize) -> (&mut [f32], &mut [f32]) {
        let at = row * self.width;
        let cell = &mut self.cells[cell];
        (&mut cell.h[at..at + self.hidden_size], &mut cell.c[at..at + self.hidden_size])
    }

    /// Final state `(hidden_size,)` of a row: output and cell state.
    pub fn final_state(&self, cell: usize, row: usize) -> (&[f32], &[f32]) {
        let at = (self.steps * self.rows + row) * self.width;
        let cell = &self.cells[cell];
        (&cell.h[at..at + self.hidden_size], &cell.c[at..at + self.hidden_size])
    }

    /// Outputs of the last layer after every step, `(steps, rows, width)` with padding, in one direction.
    pub fn outputs(&self) -> &[f32] {
        let state = self.rows * self.width;
        &self.cells[self.cells.len() - 1].h[state..(self.steps + 1) * state]
    }

    /// Gradients of [`Workspace::outputs`], to be set before the backward pass.
    ///
    /// # Panics
    /// Without [`Needs::output_gradient`].
    pub fn output_gradients_mut(&mut self) -> &mut [f32] {
        let len = self.steps * self.rows * self.width;
        &mut self.output_gradient.as_mut().expect("the workspace has room for gradients of all outputs")[..len]
    }

    /// Final outputs of the last layer, `(rows, directions * width)` with padding.
    pub fn copy_last_state(&self, state: &mut [f32]) {
        let first = self.cells.len() - self.n_directions;
        for (row, state) in state.chunks_exact_mut(self.width * self.n_directions).take(self.rows).enumerate() {
            for (cell, state) in self.cells[first..].iter().zip(state.chunks_exact_mut(self.width)) {
                let at = (self.steps * self.rows + row) * self.width;
                state.copy_from_slice(&cell.h[at..at + self.width]);
            }
        }
    }

    /// Sets the gradient of [`Workspace::copy_last_state`]'s numbers.
    pub fn set_last_state_gradient(&mut self, gradient: &[f32]) {
        let (width, first) = (self.width, self.cells.len() - self.n_directions);
        for (row, gradient) in gradient.chunks_exact(width * self.n_directions).take(self.rows).enumerate() {
            for (cell, gradient) in self.cells[first..].iter_mut().zip(gradient.chunks_exact(width)) {
                cell.final_dh[row * width..(row + 1) * width].copy_from_slice(gradient);
            }
        }
    }

    /// Gradient of the final state of a row, to be set before the backward pass; zero at first.
    pub fn final_gradient_mut(&mut self, cell: usize, row: usize) -> (&mut [f32], &mut [f32]) {
        let at = row * self.width;
        let cell = &mut self.cells[cell];
        (&mut cell.final_dh[at..at + self.hidden_size], &mut cell.final_dc[at..at + self.hidden_size])
    }

    /// Gradient of the initial state of a row, after the backward pass.
    pub fn initial_gradient(&self, cell: usize, row: usize) -> (&[f32], &[f32]) {
        let at = row * self.width;
        let cell = &self.cells[cell];
        (&cell.initial_dh[at..at + self.hidden_size], &cell.initial_dc[at..at + self.hidden_size])
    }

    /// Output `(hidden_size,)` of the last layer's cell of a direction at a moment in time.
    pub fn output(&self, direction: usize, moment: usize, row: usize) -> &[f32] {
        let step = order(direction, moment, self.steps);
        let at = ((step + 1) * self.rows + row) * self.width;
        &self.cells[self.cells.len() - self.n_directions + direction].h[at..at + self.hidden_size]
    }

    /// Gradient of that output, to be set before the backward pass.
    ///
    /// # Panics
    /// Without [`Needs::output_gradient`].
    pub fn output_gradient_mut(&mut self, direction: usize, moment: usize, row: usize) -> &mut [f32] {
        let at = ((moment * self.rows + row) * self.n_directions + direction) * self.width;
        let hidden_size = self.hidden_size;
        let gradient = self.output_gradient.as_mut().expect("the workspace has room for gradients of all outputs");
        &mut gradient[at..at + hidden_size]
    }

    /// Gradient `(input_size,)` of the input at a moment in time.
    ///
    /// # Panics
    /// Without [`Needs::input_gradient`].
    pub fn input_gradient(&self, moment: usize, row: usize) -> &[f32] {
        let gradient = self.input_gradient.as_ref().expect("the workspace has room for gradients of the input");
        let stride = gradient.len() / (self.room * self.max_rows);
        let at = (moment * self.rows + row) * stride;
        &gradient[at..at + self.input_size]
    }
}

/// The step at which a cell of a direction is at a moment in time, and the other way round.
pub(super) fn order(direction: usize, moment: usize, steps: usize) -> usize {
    if direction == 0 {
        moment
    } else {
        steps - 1 - moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::isa::InstructionSet;
    use crate::kernel::lstm::Lstm;
    use crate::kernel::shape::LstmShape;

    const NEEDS: [Needs; 6] = [
        Needs { dropout: false, output_gradient: false, input_gradient: false, tbptt: None, symbols: None },
        Needs { dropout: true, output_gradient: true, input_gradient: true, tbptt: None, symbols: None },
        Needs { dropout: true, output_gradient: false, input_gradient: true, tbptt: Some(7), symbols: None },
        Needs { dropout: false, output_gradient: true, input_gradient: false, tbptt: Some(1), symbols: None },
        Needs { dropout: false, output_gradient: false, input_gradient: false, tbptt: Some(99), symbols: None },
        Needs { dropout: true, output_gradient: true, input_gradient: false, tbptt: None, symbols: Some(9) },
    ];

    fn lstm(num_layers: usize, bidirectional: bool) -> Lstm {
        Lstm::new(LstmShape { input_size: 3, hidden_size: 21, num_layers, bidirectional }, InstructionSet::PORTABLE)
    }

    /// Numbers in all that a workspace has.
    fn len(ws: &Workspace) -> usize {
        let cell = |cell: &CellMemory| {
            let states = cell.final_dh.len() + cell.final_dc.len() + cell.initial_dh.len() + cell.initial_dc.len();
            cell.h.len() + cell.c.len() + cell.tanh_c.len() + cell.gates.len() + states + cell.bias.len()
        };
        let input = |input: &LayerInput| input.values.len() + input.mask.as_ref().map_or(0, |mask| mask.len());
        let gradients = [&ws.output_gradient, &ws.input_gradient].into_iter().flatten();
        // symbols are as long as numbers
        let symbols = ws.symbols.iter().map(|symbols| symbols.indices.len());
        ws.x.len()
            + symbols.sum::<usize>()
            + ws.cells.iter().map(cell).sum::<usize>()
            + ws.inputs.iter().flatten().map(input).sum::<usize>()
            + gradients.map(|gradient| gradient.len()).sum::<usize>()
            + ws.scratch.len()
    }

    #[test]
    fn a_row_takes_what_is_said() {
        let (rows, steps) = (5, 40);
        for (num_layers, bidirectional) in [(1, false), (3, false), (1, true), (2, true)] {
            let lstm = lstm(num_layers, bidirectional);
            for needs in NEEDS.into_iter().filter(|needs| !(bidirectional && needs.symbols.is_some())) {
                let ws = lstm.workspace(rows, steps, needs);
                let bytes = 4 * len(&ws);
                // what doesn't grow with the steps: states before the first, gradients of the first and the last, scratch
                let n_cells = ws.cells.len();
                let fixed = rows * (6 * ws.width * n_cells + 4 * lstm.lanes()) + 4 * ws.width * n_cells;
                assert_eq!(lstm.rows_within(bytes - 4 * fixed, 100, steps, needs), rows, "{num_layers} {needs:?}");
                assert_eq!(lstm.rows_within(bytes - 4 * fixed - 1, 100, steps, needs), rows - 1);
            }
        }
    }

    #[test]
    fn rows_are_cut_evenly_and_never_to_nothing() {
        let (lstm, needs) = (lstm(2, false), NEEDS[0]);
        let row = (1..1 << 20).find(|&bytes| lstm.rows_within(2 * bytes, 2, 9, needs) == 2).unwrap();
        let rows = |most: usize, of: usize| lstm.rows_within(most * row, of, 9, needs);
        assert_eq!([rows(100, 100), rows(99, 100), rows(49, 100), rows(40, 100), rows(0, 100)], [100, 50, 34, 34, 1]);
    }

    #[test]
    fn parts_end_with_a_whole_one_and_go_on_from_the_state_before() {
        let lstm = lstm(2, false);
        let parameters: Vec<f32> = (0..lstm.n_parameters()).map(|i| (i as f32 * 0.7).sin() * 0.3).collect();
        let window: Vec<f32> = (0..30).map(|i| (i as f32).cos()).collect();
        let run = |tbptt| {
            let mut ws = lstm.workspace(3, 10, Needs { tbptt, ..Needs::default() });
            ws.start(2);
            (0..2).for_each(|row| ws.set_window(row, &window));
            let mut parts = Vec::new();
            loop {
                lstm.forward(&parameters, &mut ws, None);
                parts.push((ws.first(), ws.steps()));
                if !ws.go_on() {
                    return (parts, ws.final_state(1, 1).0.to_vec());
                }
            }
        };
        let (parts, state) = run(None);
        assert_eq!(parts, [(0, 10)]);
        for (tbptt, expected) in [(4, vec![(0, 2), (2, 4), (6, 4)]), (5, vec![(0, 5), (5, 5)]), (10, parts.clone())] {
            // the same sums in the same order
            assert_eq!(run(Some(tbptt)), (expected, state.clone()));
        }
    }
}
