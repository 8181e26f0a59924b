//! Learning where there is nothing to learn: a network that is a line alone is solved, and a training says how good it is.

use std::ops::Range;

use super::config::TrainConfig;
use super::learner::{Learner, Part, Step};
use crate::error::Result;
use crate::network::fused_line::{FusedLine, LineMemory};
use crate::network::{NetworkConfig, Parameters};
use crate::series::{Gathered, Samples};

/// Windows in one pass.
const ROWS: usize = 256;

/// A line and its weights, which no step changes.
pub struct LineLearner<'a> {
    network_config: &'a NetworkConfig,
    network: FusedLine,
    memory: LineMemory,
    gathered: Gathered,
    weights: Parameters,
    best: Parameters,
    train: &'a dyn Samples,
    validation: Option<&'a dyn Samples>,
    config: &'a TrainConfig,
}

impl<'a> LineLearner<'a> {
    /// Evaluates a line of these weights on `train`, and on `validation`, which is held out.
    ///
    /// # Errors
    /// As [`FusedLine::new`].
    pub fn new(
        (network_config, weights): (&'a NetworkConfig, &Parameters),
        (train, validation): (&'a dyn Samples, Option<&'a dyn Samples>),
        config: &'a TrainConfig,
    ) -> Result<Self> {
        let network = FusedLine::new(network_config, weights)?;
        Ok(Self {
            network_config,
            memory: network.memory(ROWS),
            network,
            gathered: Gathered::default(),
            weights: weights.clone(),
            best: weights.clone(),
            train,
            validation,
            config,
        })
    }

    /// Its weights: those of a checkpoint, where it went on from one.
    pub fn into_weights(self) -> Parameters {
        self.weights
    }

    /// What samples of these numbers, `n` of a batch, add to its mean loss.
    fn loss(&mut self, samples: &dyn Samples, indices: impl Iterator<Item = usize>, n: usize) -> f64 {
        let (mut indices, mut loss) = (indices.peekable(), 0.0);
        while indices.peek().is_some() {
            self.gathered.clear();
            indices.by_ref().take(ROWS).for_each(|index| samples.gather(index, &mut self.gathered));
            let rows = self.gathered.weights.len();
            for (row, input) in self.gathered.inputs.chunks_exact(samples.input_len()).enumerate() {
                self.network.set_window(&mut self.memory, row, input);
            }
            let outputs = self.network.forward(&mut self.memory, rows);
            loss += self.config.loss.share(outputs, &self.gathered, n, None);
        }
        loss
    }

    fn own(&self, n: usize) -> Range<usize> {
        self.config.share().rows(n)
    }
}

impl Learner for LineLearner<'_> {
    fn n_samples(&self) -> usize {
        self.train.len()
    }

    fn step(&mut self, indices: &[usize], _learning_rate: f64) -> Result<Step> {
        let own = self.own(indices.len());
        let loss = self.loss(self.train, indices[own].iter().copied(), indices.len());
        Ok(Step { loss: self.config.sum(loss)?, grad_norm: 0.0 })
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        let Some(samples) = self.validation else { return Ok(None) };
        let loss = self.loss(samples, self.own(samples.len()), samples.len());
        self.config.sum(loss).map(Some)
    }

    fn remember(&mut self) {
        self.best.clone_from(&self.weights);
    }

    fn restore(&mut self) {
        self.weights.clone_from(&self.best);
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        let each = self.weights.iter_mut().zip(self.best.iter_mut());
        let each = each.flat_map(|((name, weights), (_, best))| {
            [(format!("weights.{name}"), weights), (format!("best_weights.{name}"), best)]
        });
        each.map(|(name, array)| (name, Part::Numbers(array.values_mut()))).collect()
    }

    fn resume(&mut self, _n_steps: u64) {
        if let Ok(network) = FusedLine::new(self.network_config, &self.weights) {
            self.network = network;
        }
    }
}
