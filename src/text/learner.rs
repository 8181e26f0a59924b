//! Learning to tell the next character: a step is a sequence of each row.

use super::gradient::CharGradient;
use super::network::CharNetwork;
use super::scoring::Scorer;
use super::streams::Streams;
use crate::error::Result;
use crate::kernel::aligned::Aligned;
use crate::rng::DropoutMasks;
use crate::train::packed_optimizer::PackedOptimizer;
use crate::train::{Learner, Part, Step, TrainConfig};

/// A network over symbols with its optimiser. Its samples are the streams' sequences, a step's next to each other: to be
/// visited in order.
pub struct CharLearner<'a> {
    network: &'a mut CharNetwork,
    train: &'a Streams,
    validation: Option<Scorer>,
    config: &'a TrainConfig,
    dropout: DropoutMasks,
    n_steps: u64,
    gradient: CharGradient,
    packed: PackedOptimizer,
    remembered: Aligned,
}

impl<'a> CharLearner<'a> {
    /// Trains `network` in place on `train`, on up to `n_threads` threads; `validation` is held out.
    pub fn new(
        network: &'a mut CharNetwork,
        (train, validation): (&'a Streams, Option<Scorer>),
        n_threads: usize,
        config: &'a TrainConfig,
    ) -> Self {
        Self {
            gradient: CharGradient::new(network, train, n_threads),
            packed: PackedOptimizer::new(&network.names, network.owners(), config),
            dropout: DropoutMasks::new(config.seed, network.config().dropout),
            remembered: network.parameters.clone(),
            n_steps: 0,
            network,
            train,
            validation,
            config,
        }
    }
}

impl Learner for CharLearner<'_> {
    fn n_samples(&self) -> usize {
        self.train.n_rows() * self.train.n_steps()
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        let step = indices.first().map_or(0, |first| first / self.train.n_rows());
        let masks = (self.dropout.p() > 0.0).then(|| self.dropout.during(self.n_steps));
        let loss = self.gradient.compute(self.network, self.train, step, masks);
        let (set, n_workers) = (self.network.lstm.set(), self.gradient.n_workers());
        let (gradient, grad_norm) = self.gradient.sum(self.network);
        let parameters = (&mut *self.network.parameters, &*gradient);
        self.packed.step(self.config, (learning_rate, grad_norm), parameters, (set, n_workers));
        self.gradient.update(self.network);
        self.n_steps += 1;
        Ok(Step { loss, grad_norm })
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        Ok(self.validation.as_mut().and_then(|scorer| scorer.score(self.network, || true)))
    }

    fn remember(&mut self) {
        self.remembered.copy_from_slice(&self.network.parameters);
    }

    fn restore(&mut self) {
        self.network.parameters.copy_from_slice(&self.remembered);
        self.gradient.update(self.network);
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        let states = ("states".to_owned(), Part::Numbers(self.gradient.states_mut()));
        self.packed.parts(&mut self.network.parameters, &mut self.remembered).chain([states]).collect()
    }

    fn resume(&mut self, n_steps: u64) {
        self.n_steps = n_steps;
        self.unfreeze(&[]);
        self.gradient.update(self.network);
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.packed.unfreeze(names);
    }
}
