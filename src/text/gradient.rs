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
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // sizes are small here
mod tests {
    use tch::{Kind, Reduction, Tensor};

    use super::*;
    use crate::network::Parameters;
    use crate::rng::DropoutMasks;
    use crate::text::network::CharNetworkConfig;
    use crate::torch::devices::Devices;
    use crate::torch::weights::Weights;

    const CONFIG: CharNetworkConfig =
        CharNetworkConfig { embedding_size: 5, hidden_size: 10, num_layers: 2, dropout: 0.4, seed: 0 };
    const N_SYMBOLS: usize = 7;
    const ROWS: usize = 9;
    const LENGTH: usize = 6;

    fn streams() -> Streams {
        let text = (0..ROWS as u32 * 2 * LENGTH as u32).map(|i| (i * i + i / 5) % N_SYMBOLS as u32);
        Streams::for_training(&[text.chain([3]).collect()], LENGTH, ROWS)
    }

    /// Loss and gradient of the second step, within so many bytes.
    fn computed(bytes: usize, n_threads: usize) -> (f64, Vec<Vec<f32>>, Parameters) {
        let weights = CONFIG.draw(N_SYMBOLS).unwrap();
        let network = CharNetwork::new(CONFIG, N_SYMBOLS, &weights).unwrap();
        let mut gradient = CharGradient::within(bytes, &network, &streams(), n_threads);
        let masks = |step| Some(DropoutMasks::new(1, CONFIG.dropout).during(step));
        gradient.compute(&network, &streams(), 0, masks(0));
        let loss = gradient.compute(&network, &streams(), 1, masks(1));
        (loss, network.unpack(gradient.sum(&network).0), weights)
    }

    /// The mask of a layer's outputs as a tensor `(rows, steps, hidden_size)`.
    fn mask(step: u64, layer: usize) -> Tensor {
        let mut elements = vec![0.0; ROWS * LENGTH * CONFIG.hidden_size];
        DropoutMasks::new(1, CONFIG.dropout).at(step, layer).fill(0, &mut elements);
        Tensor::from_slice(&elements).reshape([ROWS as i64, LENGTH as i64, -1])
    }

    /// The same under libtorch's automatic differentiation, layer after layer.
    fn expected(weights: &Parameters) -> (f64, Vec<Tensor>) {
        let tensors = Weights::new(weights, &Devices::CPU).unwrap().tensors();
        let streams = streams();
        let zeros = || Tensor::zeros([1, ROWS as i64, 10], (Kind::Float, tch::Device::Cpu));
        let mut states = [zeros(), zeros(), zeros(), zeros()];
        let mut loss = Tensor::from(0.0);
        for step in 0..2 {
            let rows = || (0..ROWS).map(|row| streams.sequence(row, step));
            let ids = |symbols: Vec<&[u32]>| {
                let ids: Vec<i64> = symbols.concat().into_iter().map(i64::from).collect();
                Tensor::from_slice(&ids).reshape([ROWS as i64, LENGTH as i64])
            };
            let inputs = ids(rows().map(|sequence| streams.inputs(sequence)).collect());
            let targets = ids(rows().map(|sequence| streams.targets(sequence)).collect());
            let mut x = Tensor::embedding(&tensors[0], &inputs, -1, false, false);
            for layer in 0..2 {
                let state = &states[2 * layer..2 * layer + 2];
                let parts = &tensors[1 + 4 * layer..5 + 4 * layer];
                let (y, h, c) = x.lstm(state, parts, true, 1, 0.0, false, false, true);
                x = y * mask(step as u64, layer);
                states[2 * layer] = h.detach();
                states[2 * layer + 1] = c.detach();
            }
            let logits = x.linear(&tensors[9], Some(&tensors[10])).flatten(0, 1);
            loss = logits.cross_entropy_loss(&targets.flatten(0, 1), None::<&Tensor>, Reduction::Mean, -100, 0.0);
        }
        loss.backward();
        (loss.double_value(&[]), tensors.iter().map(Tensor::grad).collect())
    }

    fn close(a: &[f32], b: &[f32], tolerance: f32) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < tolerance), "{a:?} {b:?}");
    }

    #[test]
    fn libtorch_has_the_same_gradient_with_the_same_masks() {
        let (loss, gradient, weights) = computed(STEP_BYTES, 2);
        let (expected_loss, expected) = expected(&weights);
        assert!((loss - expected_loss).abs() < 1e-6, "{loss} {expected_loss}");
        for (gradient, expected) in gradient.iter().zip(expected) {
            // sums of some 54 products of numbers below 1 in single precision
            close(gradient, &Vec::<f32>::try_from(expected.flatten(0, -1)).unwrap(), 1e-6);
        }
    }

    #[test]
    fn rows_may_be_cut_up() {
        let (loss, whole, _) = computed(STEP_BYTES, 1);
        for (bytes, n_threads) in [(1, 1), (40_000, 1), (STEP_BYTES, 2), (1, 2)] {
            let (same, pieces, _) = computed(bytes, n_threads);
            assert!((same - loss).abs() < 1e-12, "losses are summed in double precision, but in another order");
            // the same sums in another order
            whole.iter().zip(pieces).for_each(|(a, b)| close(a, &b, 1e-6));
        }
    }
}
