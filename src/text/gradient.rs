//! The gradient of a step's loss by our own kernel: rows of sequences split over threads, gradients through each sequence,
//! states carried on from the one before (truncated backpropagation through time, Williams & Peng 1990).

use std::ops::Range;

use super::cross_entropy;
use super::network::CharNetwork;
use super::reader::{state_len, Reader};
use super::streams::Streams;
use crate::kernel::aligned::Aligned;
use crate::kernel::lookup::Lookup;
use crate::kernel::pool;
use crate::kernel::transposed::TransposedWeights;
use crate::kernel::workspace::Needs;
use crate::rng::StepMasks;
use crate::train::processes::Share;

/// Rows that a thread should have at the least.
const LEAST_ROWS: usize = 4;

/// Bytes of what a step keeps between the forward and the backward pass, on all threads; of more rows, some at a time.
const STEP_BYTES: usize = 1 << 30;

/// What training on streams needs.
pub struct CharGradient {
    workers: Vec<CharWorker>,
    lookup: Lookup,
    transposed: TransposedWeights,
    transposed_head: Aligned,
    /// Of all rows, one after the other.
    states: Vec<f32>,
}

struct CharWorker {
    reader: Reader,
    gradient: Aligned,
    loss: f64,
}

/// What the threads share during a step.
#[derive(Clone, Copy)]
struct SharedInputs<'a> {
    network: &'a CharNetwork,
    lookup: &'a Lookup,
    transposed: (&'a TransposedWeights, &'a [f32]),
    streams: &'a Streams,
    step: usize,
    n_targets: usize,
    masks: Option<StepMasks>,
}

impl CharGradient {
    /// For these streams, on up to `n_threads` threads.
    pub fn new(network: &CharNetwork, streams: &Streams, n_threads: usize) -> Self {
        Self::within(STEP_BYTES, network, streams, n_threads)
    }

    fn within(bytes: usize, network: &CharNetwork, streams: &Streams, n_threads: usize) -> Self {
        let n_rows = streams.n_rows();
        let n_workers = n_threads.min(n_rows.div_ceil(LEAST_ROWS)).max(1);
        let needs = Needs { dropout: network.config().dropout > 0.0, output_gradient: true, ..Needs::default() };
        let size = (n_rows.div_ceil(n_workers), streams.sequence_length());
        let worker = |_| CharWorker {
            reader: Reader::new(network, size, needs, bytes / n_workers),
            gradient: Aligned::zeros(network.parameters.len()),
            loss: 0.0,
        };
        let mut gradient = Self {
            workers: (0..n_workers).map(worker).collect(),
            lookup: network.lookup(),
            transposed: network.lstm.transposed(Needs { symbols: Some(network.n_symbols()), ..needs }),
            transposed_head: Aligned::zeros(network.head.n_transposed()),
            states: vec![0.0; n_rows * state_len(network)],
        };
        gradient.update(network);
        gradient
    }

    /// Threads that work on a step.
    pub fn n_workers(&self) -> usize {
        self.workers.len()
    }

    /// The states that the next step goes on from, where it does.
    pub fn states_mut(&mut self) -> &mut [f32] {
        &mut self.states
    }

    /// Makes its copies of the weights anew.
    pub fn update(&mut self, network: &CharNetwork) {
        let n_workers = self.workers.len();
        let [lstm, head, _] = network.split(&network.parameters);
        network.look_up(&mut self.lookup, n_workers);
        self.transposed.update(lstm, n_workers);
        network.head.transpose(head, &mut self.transposed_head);
    }

    /// The mean loss of a step of the streams; the gradient is then in parts, which [`CharGradient::sum`] adds up.
    pub fn compute(&mut self, network: &CharNetwork, streams: &Streams, step: usize, masks: Option<StepMasks>) -> f64 {
        let inputs = SharedInputs {
            network,
            lookup: &self.lookup,
            transposed: (&self.transposed, &self.transposed_head),
            streams,
            step,
            n_targets: streams.n_targets(step),
            masks,
        };
        let (n_workers, len) = (self.workers.len(), state_len(network));
        let mut rest = &mut *self.states;
        let mut shares: Vec<_> = self
            .workers
            .iter_mut()
            .enumerate()
            .map(|(at, worker)| {
                let rows = Share { rank: at, world_size: n_workers }.rows(streams.n_rows());
                let (states, others) = std::mem::take(&mut rest).split_at_mut(rows.len() * len);
                rest = others;
                (worker, rows, states)
            })
            .collect();
        pool::for_each(&mut shares, |_, (worker, rows, states)| worker.compute(inputs, rows.clone(), states));
        self.workers.iter().map(|worker| worker.loss).sum()
    }

    /// The gradient in the order of the network's parameters, and its norm.
    pub fn sum(&mut self, network: &CharNetwork) -> (&mut [f32], f64) {
        let (set, n_workers) = (network.lstm.set(), self.workers.len());
        let (first, others) = self.workers.split_at_mut(1);
        let chunk = first[0].gradient.len().div_ceil(n_workers);
        let mut parts: Vec<(&mut [f32], f64)> = first[0].gradient.chunks_mut(chunk).map(|part| (part, 0.0)).collect();
        pool::for_each(&mut parts, |at, (part, squares)| {
            for other in others.iter() {
                set.add(part, &other.gradient[at * chunk..at * chunk + part.len()]);
            }
            *squares = set.sum_of_squares(part);
        });
        let norm = parts.iter().map(|(_, squares)| squares).sum::<f64>().sqrt();
        (&mut self.workers[0].gradient, norm)
    }
}

impl CharWorker {
    /// Goes through its rows, as many at a time as there is room for.
    fn compute(&mut self, inputs: SharedInputs, rows: Range<usize>, states: &mut [f32]) {
        self.gradient.fill(0.0);
        self.loss = 0.0;
        let (at_once, len) = (self.reader.max_rows(), state_len(inputs.network));
        for (start, states) in rows.clone().step_by(at_once).zip(states.chunks_mut(at_once * len)) {
            let rows = start..rows.end.min(start + at_once);
            self.reader.read(
                inputs.network,
                inputs.lookup,
                (inputs.streams, inputs.step, rows.clone()),
                states,
                inputs.masks,
            );
            self.differentiate_loss(inputs, rows.clone());
            self.go_back(inputs, rows.len());
        }
    }

    fn differentiate_loss(&mut self, inputs: SharedInputs, rows: Range<usize>) {
        let scale = 1.0 / inputs.n_targets.max(1) as f64;
        let mut loss = 0.0;
        self.reader.for_each_target(inputs.network, (inputs.streams, inputs.step, rows), |_, logits, target| {
            match target {
                Some(target) => loss += cross_entropy::differentiate(logits, target, scale),
                None => logits.fill(0.0),
            }
        });
        self.loss += loss * scale;
    }

    fn go_back(&mut self, inputs: SharedInputs, rows: usize) {
        let (network, (transposed, transposed_head)) = (inputs.network, inputs.transposed);
        let [dlstm, dhead, dvectors] = network.split_mut(&mut self.gradient);
        let n = rows * self.reader.workspace.steps();
        network.head.backward_parameters(n, (self.reader.outputs(), &self.reader.logits), dhead);
        let Reader { workspace, logits, dropped } = &mut self.reader;
        let dstates = workspace.output_gradients_mut();
        network.head.backward_input(transposed_head, n, logits, dstates);
        if let Some((_, mask)) = dropped {
            dstates.iter_mut().zip(mask.iter()).for_each(|(dstate, mask)| *dstate *= mask);
        }
        network.lstm.backward(transposed, workspace, dlstm);
        let [_, _, vectors] = network.split(&network.parameters);
        network.lstm.backward_symbols(transposed, (inputs.lookup, vectors), workspace, (dlstm, dvectors));
    }
}

#[cfg(test)]
mod tests;
