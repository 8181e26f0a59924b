//! One thread's rows of streams, read a sequence at a time: states come in, logits and states go out.

use std::ops::Range;

use super::network::CharNetwork;
use super::streams::Streams;
use crate::kernel::aligned::Aligned;
use crate::kernel::lookup::Lookup;
use crate::kernel::workspace::{Needs, Workspace};
use crate::rng::{DropoutMask, StepMasks};

/// Memory for some rows of sequences.
pub(super) struct Reader {
    pub(super) workspace: Workspace,
    /// `(steps, rows, head's width)`.
    pub(super) logits: Aligned,
    /// The last layer's outputs after dropout, and its mask `(steps, rows, width)`.
    pub(super) dropped: Option<(Aligned, Aligned)>,
}

/// Numbers of a row's states: output and cell state of each layer.
pub(super) fn state_len(network: &CharNetwork) -> usize {
    2 * network.config().num_layers * network.config().hidden_size
}

impl Reader {
    /// For as many of `rows` sequences of `steps` symbols at once as `bytes` have room for.
    pub(super) fn new(network: &CharNetwork, (rows, steps): (usize, usize), needs: Needs, bytes: usize) -> Self {
        let needs = Needs { symbols: Some(network.n_symbols()), ..needs };
        let rows = network.lstm.rows_within(bytes, rows, steps, needs);
        let zeros = |width: usize| Aligned::zeros(rows * steps * width);
        let width = network.lstm.output_width();
        Self {
            workspace: network.lstm.workspace(rows, steps, needs),
            logits: zeros(network.head.width()),
            dropped: needs.dropout.then(|| (zeros(width), zeros(width))),
        }
    }

    /// Rows that there is room for.
    pub(super) fn max_rows(&self) -> usize {
        self.workspace.max_rows()
    }

    /// Reads what `rows` of the streams read in a step. `states` are those of these rows, before and afterwards.
    pub(super) fn read(
        &mut self,
        network: &CharNetwork,
        lookup: &Lookup,
        (streams, step, rows): (&Streams, usize, Range<usize>),
        states: &mut [f32],
        masks: Option<StepMasks>,
    ) {
        self.begin(network, (streams, step, rows.clone()), states);
        let [lstm, head, _] = network.split(&network.parameters);
        let of_layer = masks.map(|masks| move |layer| masks.layer(layer));
        let between = of_layer.as_ref().map(|masks| (masks as _, rows.start));
        network.lstm.forward_symbols(lstm, lookup, &mut self.workspace, between);
        self.keep_states(network, states);
        if let Some(masks) = masks {
            self.drop_out(network, &masks.layer(network.config().num_layers - 1), rows.start);
        }
        let n = rows.len() * self.workspace.steps();
        let outputs = outputs(&self.workspace, self.dropped.as_ref());
        network.head.forward(head, n, outputs, &mut self.logits);
    }

    /// What the head reads, `(steps, rows, width)`.
    pub(super) fn outputs(&self) -> &[f32] {
        outputs(&self.workspace, self.dropped.as_ref())
    }

    fn begin(&mut self, network: &CharNetwork, (streams, step, rows): (&Streams, usize, Range<usize>), states: &[f32]) {
        let (n, hidden) = (rows.len(), network.config().hidden_size);
        self.workspace.start(n);
        for ((row, at), states) in rows.zip(0..n).zip(states.chunks_exact(state_len(network))) {
            let sequence = streams.sequence(row, step);
            self.workspace.set_symbols(at, streams.inputs(sequence));
            if sequence.fresh {
                continue;
            }
            for (cell, state) in states.chunks_exact(2 * hidden).enumerate() {
                let (h, c) = self.workspace.initial_state_mut(cell, at);
                h.copy_from_slice(&state[..hidden]);
                c.copy_from_slice(&state[hidden..]);
            }
        }
    }

    fn keep_states(&self, network: &CharNetwork, states: &mut [f32]) {
        let hidden = network.config().hidden_size;
        for (row, states) in states.chunks_exact_mut(state_len(network)).take(self.workspace.rows()).enumerate() {
            for (cell, state) in states.chunks_exact_mut(2 * hidden).enumerate() {
                let (h, c) = self.workspace.final_state(cell, row);
                state[..hidden].copy_from_slice(h);
                state[hidden..].copy_from_slice(c);
            }
        }
    }

    fn drop_out(&mut self, network: &CharNetwork, mask: &DropoutMask, first_row: usize) {
        let (width, hidden) = (network.lstm.output_width(), network.config().hidden_size);
        let (rows, steps) = (self.workspace.rows(), self.workspace.steps());
        let Some((dropped, masks)) = &mut self.dropped else { return };
        for (i, values) in self.workspace.outputs().chunks_exact(width).enumerate() {
            let (step, row) = (i / rows, i % rows);
            let masks = &mut masks[i * width..][..hidden];
            mask.fill((((first_row + row) * steps + step) * hidden) as u64, masks);
            for ((dropped, value), mask) in dropped[i * width..].iter_mut().zip(&values[..hidden]).zip(&*masks) {
                *dropped = value * mask;
            }
        }
    }

    /// The logits for each symbol that is predicted in these rows, and the symbol, row after row.
    pub(super) fn for_each_target(
        &mut self,
        network: &CharNetwork,
        (streams, step, rows): (&Streams, usize, Range<usize>),
        mut look: impl FnMut(usize, &mut [f32], Option<u32>),
    ) {
        let (n, width, n_symbols) = (rows.len(), network.head.width(), network.n_symbols());
        for (at, row) in rows.enumerate() {
            let targets = streams.targets(streams.sequence(row, step));
            for moment in 0..self.workspace.steps() {
                let logits = &mut self.logits[(moment * n + at) * width..][..n_symbols];
                look(row, logits, targets.get(moment).copied());
            }
        }
    }
}

fn outputs<'m>(workspace: &'m Workspace, dropped: Option<&'m (Aligned, Aligned)>) -> &'m [f32] {
    dropped.map_or_else(|| workspace.outputs(), |(outputs, _)| outputs)
}
