//! The gradient of a batch's loss by our own kernel: the batch split over threads, no tensor involved.

use std::ops::Range;

use super::packed_optimizer::within;
use super::sample_batch::SampleBatch;
use crate::kernel::aligned::Aligned;
use crate::kernel::pool;
use crate::kernel::transposed::TransposedWeights;
use crate::kernel::workspace::{Needs, Workspace};
use crate::network::fused::FusedNetwork;
use crate::network::fused_skip::SkipMemory;
use crate::network::Embeddings;
use crate::series::{Gathered, Samples};

/// Rows that a thread should have at the least: with fewer, handing out the work costs more than it brings.
const LEAST_ROWS: usize = 4;

/// Bytes of what a step keeps between the forward and the backward pass, on all threads: a batch that needs more is gone
/// through some rows at a time, which changes its gradient by rounding alone.
pub(crate) const STEP_BYTES: usize = 1 << 30;

/// What the forward and the backward pass through a [`FusedNetwork`] need, for batches of up to a number of rows.
pub struct FusedGradient {
    batch_size: usize,
    workers: Vec<FusedWorker>,
    transposed: TransposedWeights,
    transposed_head: Aligned,
    with_line: bool,
    with_lstm: bool,
    /// Parameters whose gradient is zero, whatever it is.
    frozen: Vec<Range<usize>>,
}

/// One thread's part of a batch.
struct FusedWorker {
    workspace: Workspace,
    skip: Option<SkipMemory>,
    /// Inputs as they were before their embedding, where there is one.
    inputs: Vec<f32>,
    samples: Rows,
    /// Outputs of the head for each row: one, or one after each step.
    supervised_steps: usize,
    /// In the kernel's order `(steps, rows)`, of the part of the windows that the workspace is at.
    state: Aligned,
    dstate: Aligned,
    outputs: Aligned,
    doutputs: Aligned,
    gradient: Aligned,
    loss: f64,
}

/// Samples as they are gathered: one input at a time, so that no tensor of windows is ever made; and their outputs, without
/// padding.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) gathered: Gathered,
    /// What belongs to a part of the steps.
    part: Gathered,
    pub(super) outputs: Vec<f32>,
    gradient: Vec<f32>,
}

impl Rows {
    /// Gathers `indices`; each input goes to `set_window(row, input)`.
    pub(super) fn gather(
        &mut self,
        samples: &dyn Samples,
        indices: impl Iterator<Item = usize>,
        mut set_window: impl FnMut(usize, &[f32]),
    ) {
        self.gathered.clear();
        for (row, index) in indices.enumerate() {
            self.gathered.inputs.clear();
            samples.gather(index, &mut self.gathered);
            set_window(row, &self.gathered.inputs);
        }
    }
}

impl FusedGradient {
    /// For batches of up to `batch_size` windows of `steps` steps, on up to `n_threads` threads. With
    /// [`Needs::output_gradient`] the loss is that after every step. The gradient of the linear skip connection stays
    /// zero unless asked for by [`FusedGradient::with_line`].
    pub fn new(network: &FusedNetwork, batch_size: usize, steps: usize, needs: Needs, n_threads: usize) -> Self {
        Self::within(STEP_BYTES, network, (batch_size, steps), needs, n_threads)
    }

    /// The same within so many bytes.
    fn within(
        bytes: usize,
        network: &FusedNetwork,
        (batch_size, steps): (usize, usize),
        needs: Needs,
        n_threads: usize,
    ) -> Self {
        let n_workers = n_threads.min(batch_size.div_ceil(LEAST_ROWS)).max(1);
        let needs = Needs { tbptt: network.tbptt, input_gradient: network.embeddings.is_some(), ..needs };
        let rows = network.lstm.rows_within(bytes / n_workers, batch_size.div_ceil(n_workers), steps, needs);
        let (supervised_steps, zeros) = (if needs.output_gradient { steps } else { 1 }, Aligned::zeros);
        let at_once = supervised_steps.min(needs.tbptt.unwrap_or(steps));
        let (n_states, n_outputs) = (rows * network.lstm.output_width(), rows * at_once * network.head.width());
        let worker = |_| FusedWorker {
            workspace: network.lstm.workspace(rows, steps, needs),
            skip: network.skip.as_ref().map(|skip| skip.memory(rows)),
            inputs: Vec::new(),
            samples: Rows::default(),
            supervised_steps,
            state: zeros(n_states),
            dstate: zeros(n_states),
            outputs: zeros(n_outputs),
            doutputs: zeros(n_outputs),
            gradient: zeros(network.parameters.len()),
            loss: 0.0,
        };
        let mut gradient = Self {
            batch_size: batch_size.max(1),
            workers: (0..n_workers).map(worker).collect(),
            transposed: network.lstm.transposed(needs),
            transposed_head: zeros(network.head.n_transposed()),
            with_line: false,
            with_lstm: true,
            frozen: Vec::new(),
        };
        gradient.update(network);
        gradient
    }

    /// Differentiates the linear skip connection too.
    pub fn with_line(self) -> Self {
        Self { with_line: true, ..self }
    }

    /// Calls the gradient of these parameters zero, and skips the backward pass through an LSTM all of which they are, with
    /// its embeddings.
    pub(super) fn freeze(&mut self, frozen: Vec<Range<usize>>, network: &FusedNetwork) {
        let is_frozen = |part: Range<usize>| frozen.iter().any(|each| each.start <= part.start && part.end <= each.end);
        let (n_lstm, n) = (network.lstm.n_parameters(), network.parameters.len());
        let n_embeddings = network.embeddings.as_ref().map_or(0, Embeddings::n_parameters);
        self.with_lstm = !(is_frozen(0..n_lstm) && (n_embeddings == 0 || is_frozen(n - n_embeddings..n)));
        self.frozen = frozen;
    }

    /// Threads that work on a batch.
    pub fn n_workers(&self) -> usize {
        self.workers.len()
    }

    /// Makes its copies of the weights anew.
    pub fn update(&mut self, network: &FusedNetwork) {
        let [lstm, head, ..] = network.split(&network.parameters);
        self.transposed.update(lstm, self.workers.len());
        network.head.transpose(head, &mut self.transposed_head);
    }

    /// What the batch adds to the mean loss; the gradient is then in parts, which [`FusedGradient::sum`] adds up.
    pub fn compute(&mut self, network: &FusedNetwork, batch: SampleBatch) -> f64 {
        let (n_workers, batch_size) = (self.workers.len(), self.batch_size);
        let transposed = (&self.transposed, &*self.transposed_head);
        let ways = (self.with_line, self.with_lstm);
        pool::for_each(&mut self.workers, |at, worker| {
            worker.gradient.fill(0.0);
            worker.loss = 0.0;
            for rows in batch.rows((at, n_workers), batch_size) {
                worker.compute(network, transposed, batch, (rows, ways));
            }
        });
        self.workers.iter().map(|worker| worker.loss).sum()
    }

    /// The gradient in the order of the network's parameters, and its norm over all of them.
    pub fn sum(&mut self, network: &FusedNetwork) -> (&mut [f32], f64) {
        let (set, n_workers, frozen) = (network.lstm.set(), self.workers.len(), &self.frozen);
        let (first, others) = self.workers.split_at_mut(1);
        let chunk = first[0].gradient.len().div_ceil(n_workers);
        let mut parts: Vec<(&mut [f32], f64)> = first[0].gradient.chunks_mut(chunk).map(|part| (part, 0.0)).collect();
        pool::for_each(&mut parts, |at, (part, squares)| {
            for other in others.iter() {
                set.add(part, &other.gradient[at * chunk..at * chunk + part.len()]);
            }
            for frozen in frozen {
                let len = part.len();
                part[within(frozen, at * chunk, len)].fill(0.0);
            }
            *squares = set.sum_of_squares(part);
        });
        let norm = parts.iter().map(|(_, squares)| squares).sum::<f64>().sqrt();
        (&mut self.workers[0].gradient, norm)
    }
}

impl FusedWorker {
    /// Goes through rows of the batch, as many at a time as there is room for.
    fn compute(
        &mut self,
        network: &FusedNetwork,
        transposed: (&TransposedWeights, &[f32]),
        batch: SampleBatch,
        (rows, ways): (Range<usize>, (bool, bool)),
    ) {
        for start in rows.clone().step_by(self.workspace.max_rows()) {
            let rows = start..rows.end.min(start + self.workspace.max_rows());
            self.read(network, batch, rows.clone());
            let masks = batch.masks.map(|masks| move |layer| masks.layer(layer));
            let masks = masks.as_ref().map(|masks| (masks as _, rows.start));
            let [lstm_parameters, ..] = network.split(&network.parameters);
            loop {
                network.lstm.forward(lstm_parameters, &mut self.workspace, masks);
                if self.supervised_steps > 1 || self.workspace.is_at_end() {
                    self.learn(network, transposed, batch, (rows.len(), ways));
                }
                if !self.workspace.go_on() {
                    break;
                }
            }
        }
    }

    fn read(&mut self, network: &FusedNetwork, batch: SampleBatch, rows: Range<usize>) {
        self.workspace.start(rows.len());
        let mut skip = network.skip.as_ref().zip(self.skip.as_mut());
        let mut embedded = Vec::new();
        self.inputs.clear();
        self.samples.gather(batch.samples, batch.indices[rows].iter().copied(), |row, window| {
            self.workspace.set_window(row, network.read(window, &mut embedded));
            if network.embeddings.is_some() {
                self.inputs.extend_from_slice(window);
            }
            if let Some((skip, memory)) = &mut skip {
                skip.set_window(memory, row, window);
            }
        });
    }

    /// Loss and gradient of the part of the windows that was just gone through.
    fn learn(
        &mut self,
        network: &FusedNetwork,
        transposed: (&TransposedWeights, &[f32]),
        batch: SampleBatch,
        (rows, (with_line, with_lstm)): (usize, (bool, bool)),
    ) {
        let (head, every) = (&network.head, self.supervised_steps > 1);
        let [_, head_parameters, skip_parameters, _] = network.split(&network.parameters);
        let n_states = if every { rows * self.workspace.steps() } else { rows };
        self.workspace.copy_last_state(&mut self.state);
        let states = if every { self.workspace.outputs() } else { &self.state };
        head.forward(head_parameters, n_states, states, &mut self.outputs);
        if let Some((skip, memory)) = network.skip.as_ref().zip(self.skip.as_mut()) {
            skip.add_forward(skip_parameters, memory, (&mut self.outputs, head.width()), rows);
        }
        self.differentiate_loss(network, batch, rows);
        let [dlstm, dhead, dskip, dembeddings] = network.split_mut(&mut self.gradient);
        let states = if every { self.workspace.outputs() } else { &self.state };
        head.backward_parameters(n_states, (states, &self.doutputs), dhead);
        if let Some((skip, memory)) = network.skip.as_ref().zip(self.skip.as_mut()).filter(|_| with_line) {
            skip.backward(skip_parameters, memory, (&self.doutputs, head.width()), rows, dskip);
        }
        if !with_lstm {
            return;
        }
        if every {
            let dstates = self.workspace.output_gradients_mut();
            head.backward_input(transposed.1, n_states, &self.doutputs, dstates);
        } else {
            head.backward_input(transposed.1, n_states, &self.doutputs, &mut self.dstate);
            self.workspace.set_last_state_gradient(&self.dstate);
        }
        network.lstm.backward(transposed.0, &mut self.workspace, dlstm);
        if let Some(embeddings) = &network.embeddings {
            let step = network.lstm.shape().input_size / embeddings.embedded_width() * embeddings.width();
            for (row, input) in self.inputs.chunks_exact(self.inputs.len() / rows).enumerate() {
                let steps = input.chunks_exact(step).skip(self.workspace.first()).take(self.workspace.steps());
                for (moment, values) in steps.enumerate() {
                    embeddings.backward(values, self.workspace.input_gradient(moment, row), dembeddings);
                }
            }
        }
    }

    fn differentiate_loss(&mut self, network: &FusedNetwork, batch: SampleBatch, rows: usize) {
        let (width, output_size) = (network.head.width(), network.output_size());
        let first = self.workspace.first();
        let steps = if self.supervised_steps > 1 { self.workspace.steps() } else { 1 };
        // samples come window by window, the kernel's rows step by step
        let place = |i: usize| (i % steps * rows + i / steps) * width;
        let Rows { gathered, part, outputs, gradient } = &mut self.samples;
        outputs.clear();
        (0..rows * steps).for_each(|i| outputs.extend_from_slice(&self.outputs[place(i)..][..output_size]));
        gradient.resize(outputs.len(), 0.0);
        let gathered = if steps == self.supervised_steps {
            gathered
        } else {
            part.clear();
            gathered.append_steps(self.supervised_steps, &(first..first + steps), part);
            part
        };
        let batch_len = batch.indices.len() * self.supervised_steps;
        self.loss += batch.loss.share(outputs, gathered, batch_len, Some(gradient));
        for (i, gradient) in gradient.chunks_exact(output_size).enumerate() {
            self.doutputs[place(i)..][..output_size].copy_from_slice(gradient);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{draw, NetworkConfig};
    use crate::rng::{DropoutMasks, Purpose, Rng};
    use crate::series::table::Table;
    use crate::series::Matrix;
    use crate::train::loss::Loss;
    use crate::train::processes::Share;

    fn config() -> NetworkConfig {
        NetworkConfig {
            input_size: 2,
            hidden_size: 10,
            num_layers: 2,
            dropout: 0.4,
            output_size: 3,
            ..NetworkConfig::default()
        }
    }

    const BATCH: usize = 23;
    const STEPS: usize = 9;

    /// Loss and gradient of one batch, within so many bytes.
    fn gradient(bytes: usize, n_threads: usize) -> (f64, Vec<f32>) {
        let network = FusedNetwork::new(&config(), &draw(&config(), 0).unwrap()).unwrap();
        let mut rng = Rng::new(0, Purpose::Shuffle);
        let (inputs, targets) = (rng.uniform(BATCH * STEPS * 2, 1.0), rng.uniform(BATCH * 3, 1.0));
        let table =
            Table::new(Matrix::new(&inputs, STEPS * 2).unwrap(), Matrix::new(&targets, 3).unwrap(), &[1.0; BATCH]);
        let needs = Needs { dropout: true, ..Needs::default() };
        let mut gradient = FusedGradient::within(bytes, &network, (BATCH, STEPS), needs, n_threads);
        let (indices, masks) = ((0..BATCH).collect::<Vec<_>>(), DropoutMasks::new(1, config().dropout).during(0));
        let batch = SampleBatch {
            samples: &table,
            indices: &indices,
            share: Share::WHOLE,
            loss: &Loss::Mse,
            masks: Some(masks),
        };
        let loss = gradient.compute(&network, batch);
        (loss, gradient.sum(&network).0.to_vec())
    }

    #[test]
    fn some_rows_at_a_time_have_the_gradient_of_all() {
        for n_threads in [1, 2] {
            let (loss, whole) = gradient(STEP_BYTES, n_threads);
            // one row, and some
            for bytes in [1, 60_000] {
                let (same, pieces) = gradient(bytes, n_threads);
                assert!((same - loss).abs() < 1e-12, "losses are summed in double precision, but in the same order");
                // sums of 23 gradients of up to 0.1 in another order
                assert!(pieces.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-6));
                assert_ne!(pieces, whole);
            }
        }
    }

    #[test]
    fn a_million_points_with_windows_of_ten_thousand_find_room() {
        let config = NetworkConfig { input_size: 1, hidden_size: 64, num_layers: 1, dropout: 0.0, ..config() };
        let network = |tbptt| {
            let config = NetworkConfig { tbptt, ..config.clone() };
            FusedNetwork::new(&config, &draw(&config, 0).unwrap()).unwrap()
        };
        let rows = |tbptt| {
            let needs = Needs { tbptt, ..Needs::default() };
            network(tbptt).lstm.rows_within(STEP_BYTES / 2, 256, 10_000, needs)
        };
        // seven numbers for each of 64 units and the input, at each of 10,000 steps: 18 MB a row
        assert_eq!((rows(None), rows(Some(200))), (29, 256));
    }
}
