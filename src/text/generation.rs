//! Texts from a network: a symbol is drawn and read, and the next one predicted.

use std::sync::Arc;

use super::network::CharNetwork;
use super::sampling::{Sampler, SamplingConfig};
use crate::kernel::aligned::Aligned;
use crate::kernel::half::{HalfLstm, HalfState};
use crate::kernel::linear::Linear;
use crate::kernel::lookup::Lookup;

/// Symbols between two questions whether to go on.
const BETWEEN_LOOKS: usize = 64;

/// The weights of a network as generation reads them, which stay what they are when the network goes on learning.
#[derive(Debug)]
pub struct Weights {
    lstm: HalfLstm,
    lookup: Lookup,
    head: Linear,
    head_parameters: Vec<f32>,
    /// The logits before anything is read: how often each symbol comes.
    beginning: Vec<f32>,
}

impl Weights {
    /// Those of `network`, whose symbols come as often as `counts` says.
    #[allow(clippy::cast_possible_truncation)] // logits are single precision
    pub fn new(network: &CharNetwork, counts: &[u64]) -> Self {
        let [lstm, head, _] = network.split(&network.parameters);
        let mut lookup = network.lookup();
        network.look_up(&mut lookup, 1);
        Self {
            lstm: HalfLstm::new(&network.lstm, lstm),
            lookup,
            head: network.head,
            head_parameters: head.to_vec(),
            beginning: counts.iter().map(|&count| (count.max(1) as f64).ln() as f32).collect(),
        }
    }
}

/// A text in the making.
#[derive(Debug, Clone)]
pub struct Generator {
    weights: Arc<Weights>,
    state: HalfState,
    /// For the next symbol, padded; `None`: they must be computed.
    logits: Aligned,
    /// Drawn but not yet read.
    unread: Option<u32>,
    sampler: Sampler,
    n_threads: usize,
}

impl Generator {
    /// Begins a text, whose layers up to `n_threads` threads share, which changes no bit.
    pub fn new(weights: Arc<Weights>, config: SamplingConfig, n_threads: usize) -> Self {
        let mut logits = Aligned::zeros(weights.head.width());
        logits[..weights.beginning.len()].copy_from_slice(&weights.beginning);
        Self { state: weights.lstm.state(), weights, logits, unread: None, sampler: Sampler::new(config), n_threads }
    }

    /// Reads what the text goes on from. `go_on` is asked now and then whether to; false: it isn't to.
    pub fn read(&mut self, symbols: &[u32], mut go_on: impl FnMut() -> bool) -> bool {
        for (at, &symbol) in symbols.iter().enumerate() {
            if at % BETWEEN_LOOKS == BETWEEN_LOOKS - 1 && !go_on() {
                return false;
            }
            self.step(symbol);
        }
        if !symbols.is_empty() {
            self.tell();
        }
        true
    }

    /// Draws `n` more symbols, fewer when `go_on` returns false.
    pub fn draw(&mut self, n: usize, mut go_on: impl FnMut() -> bool) -> Vec<u32> {
        let mut drawn = Vec::with_capacity(n.min(1 << 20));
        while drawn.len() < n {
            if drawn.len() % BETWEEN_LOOKS == BETWEEN_LOOKS - 1 && !go_on() {
                break;
            }
            if let Some(symbol) = self.unread.take() {
                self.step(symbol);
                self.tell();
            }
            let symbol = self.sampler.draw(&self.logits[..self.weights.beginning.len()]);
            self.unread = Some(symbol);
            drawn.push(symbol);
        }
        drawn
    }

    /// The prediction of the next symbol: a logit for each.
    pub fn logits(&self) -> &[f32] {
        &self.logits[..self.weights.beginning.len()]
    }

    fn step(&mut self, symbol: u32) {
        self.weights.lstm.step(&self.weights.lookup, symbol, &mut self.state, self.n_threads);
    }

    fn tell(&mut self) {
        let weights = &self.weights;
        weights.head.forward(&weights.head_parameters, 1, self.state.output(), &mut self.logits);
    }
}
