//! How well a network predicts texts: nats per character, states carried on from the beginning of each.

use std::ops::Range;

use super::cross_entropy;
use super::network::CharNetwork;
use super::reader::{state_len, Reader};
use super::streams::Streams;
use crate::kernel::lookup::Lookup;
use crate::kernel::pool;
use crate::kernel::workspace::Needs;
use crate::train::processes::Share;

/// Characters that are read between two looks at the rows.
const SEQUENCE: usize = 64;
/// Rows that are read at once.
const ROWS: usize = 64;
/// Characters of a text that are read in one go, and sequences before them that warm its state up.
const PART: usize = 2048;
const WARM_UP: usize = 4;
/// Bytes for them, on all threads.
const BYTES: usize = 1 << 28;

/// What it takes to score texts again and again.
pub struct Scorer {
    streams: Streams,
    workers: Vec<ScoringWorker>,
    lookup: Lookup,
}

struct ScoringWorker {
    reader: Reader,
    rows: Range<usize>,
    states: Vec<f32>,
    /// Of each row.
    nats: Vec<f64>,
}

impl Scorer {
    /// For these texts, on up to `n_threads` threads, which changes no bit.
    pub fn new(network: &CharNetwork, texts: &[Vec<u32>], n_threads: usize) -> Self {
        let streams = Streams::for_scoring(texts, SEQUENCE, ROWS, (PART, WARM_UP));
        let n_workers = n_threads.clamp(1, streams.n_rows().max(1));
        let worker = |at| {
            let rows = Share { rank: at, world_size: n_workers }.rows(streams.n_rows());
            ScoringWorker {
                reader: Reader::new(network, (rows.len(), SEQUENCE), Needs::default(), BYTES / n_workers),
                states: vec![0.0; rows.len() * state_len(network)],
                nats: vec![0.0; rows.len()],
                rows,
            }
        };
        let workers = (0..n_workers).map(worker).collect();
        Self { workers, streams, lookup: network.lookup() }
    }

    /// Characters that are predicted: all but the first of each text.
    pub fn n_targets(&self) -> usize {
        (0..self.streams.n_steps()).map(|step| self.streams.n_targets(step)).sum()
    }

    /// The mean nats of a character under the network's present weights. `go_on` is asked now and then whether to.
    ///
    /// `None` when it isn't to go on, or there is nothing to predict.
    pub fn score(&mut self, network: &CharNetwork, mut go_on: impl FnMut() -> bool) -> Option<f64> {
        network.look_up(&mut self.lookup, self.workers.len());
        self.workers.iter_mut().for_each(|worker| worker.nats.fill(0.0));
        let (streams, lookup) = (&self.streams, &self.lookup);
        for step in 0..streams.n_steps() {
            if !go_on() {
                return None;
            }
            pool::for_each(&mut self.workers, |_, worker| worker.read(network, lookup, (streams, step)));
        }
        let nats: f64 = self.workers.iter().flat_map(|worker| &worker.nats).sum();
        let n_targets = self.n_targets();
        (n_targets > 0).then(|| nats / n_targets as f64)
    }
}

impl ScoringWorker {
    fn read(&mut self, network: &CharNetwork, lookup: &Lookup, (streams, step): (&Streams, usize)) {
        let (at_once, len, first) = (self.reader.max_rows(), state_len(network), self.rows.start);
        for (start, states) in self.rows.clone().step_by(at_once).zip(self.states.chunks_mut(at_once * len)) {
            let rows = start..self.rows.end.min(start + at_once);
            self.reader.read(network, lookup, (streams, step, rows.clone()), states, None);
            self.reader.for_each_target(network, (streams, step, rows), |row, logits, target| {
                if let Some(target) = target {
                    self.nats[row - first] += cross_entropy::nats(logits, target);
                }
            });
        }
    }
}
