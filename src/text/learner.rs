//! Learning to predict the next character: a step is a sequence of each row.

use super::gradient::CharGradient;
use super::network::CharNetwork;
use super::scoring::Scorer;
use super::streams::Streams;
use crate::error::Result;
use crate::train::packed_training::PackedTraining;
use crate::train::{Learner, Part, Step, TrainConfig};

/// A network over symbols with its optimiser. Its samples are the streams' sequences, a step's next to each other: to be
/// visited in order.
pub struct CharLearner<'a> {
    network: &'a mut CharNetwork,
    train: &'a Streams,
    validation: Option<Scorer>,
    gradient: CharGradient,
    training: PackedTraining<'a>,
}

impl<'a> CharLearner<'a> {
    /// Trains `network` in place on `train`, on up to `n_threads` threads; `validation` is held out.
    pub fn new(
        network: &'a mut CharNetwork,
        (train, validation): (&'a Streams, Option<Scorer>),
        n_threads: usize,
        config: &'a TrainConfig,
    ) -> Self {
        let named = (&*network.names, network.owners());
        Self {
            gradient: CharGradient::new(network, train, n_threads),
            training: PackedTraining::new(named, &network.parameters, network.config().dropout, config),
            network,
            train,
            validation,
        }
    }
}

impl Learner for CharLearner<'_> {
    fn n_samples(&self) -> usize {
        self.train.n_rows() * self.train.n_steps()
    }

    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step> {
        let step = indices.first().map_or(0, |first| first / self.train.n_rows());
        let loss = self.gradient.compute(self.network, self.train, step, self.training.masks());
        let threads = (self.network.lstm.set(), self.gradient.n_workers());
        let (gradient, grad_norm) = self.gradient.sum(self.network);
        let numbers = (&mut *self.network.parameters, &*gradient);
        let step = self.training.descend(learning_rate, (loss, grad_norm), numbers, threads);
        self.gradient.update(self.network);
        Ok(step)
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        Ok(self.validation.as_mut().and_then(|scorer| scorer.score(self.network, || true)))
    }

    fn remember(&mut self) {
        self.training.remember(&self.network.parameters);
    }

    fn restore(&mut self) {
        self.training.restore(&mut self.network.parameters);
        self.gradient.update(self.network);
    }

    fn parts(&mut self) -> Vec<(String, Part<'_>)> {
        let states = ("states".to_owned(), Part::Numbers(self.gradient.states_mut()));
        self.training.parts(&mut self.network.parameters).chain([states]).collect()
    }

    fn resume(&mut self, n_steps: u64) {
        self.training.resume(n_steps);
        self.unfreeze(&[]);
        self.gradient.update(self.network);
    }

    fn unfreeze(&mut self, names: &[String]) {
        self.training.unfreeze(names);
    }
}
