//! Characters: a network that predicts the next one of a text, its training, its score, and the texts it generates.

pub mod cross_entropy;
pub mod generation;
pub mod gradient;
pub mod learner;
pub mod network;
mod reader;
pub mod sampling;
pub mod scoring;
pub mod streams;
pub mod vocabulary;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::array::Array;
use crate::error::{check_positive, Error, Result};
use crate::kernel::isa::InstructionSet;
use crate::kernel::pool;
use crate::network::parameter::check_finite;
use crate::network::{Parameters, COPIES};
use crate::store::Digest;
use crate::train::fingerprint::{add_weights, json, of_options};
use crate::train::{fit_with_checkpoints, Checkpoints, Observer, Outcome, TrainConfig};
use generation::{Generator, Weights};
use gradient::CharGradient;
use learner::CharLearner;
use network::{CharNetwork, CharNetworkConfig};
use sampling::SamplingConfig;
use scoring::Scorer;
use streams::Streams;
use vocabulary::{Unknown, Vocabulary};

/// Everything that must be known to build a model of texts again, weights aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CharConfig {
    /// The characters that it knows, in the order of their symbols.
    pub characters: String,
    /// How often each of them comes in the text that it was fitted to.
    pub counts: Vec<u64>,
    /// Sizes.
    #[serde(flatten)]
    pub network: CharNetworkConfig,
}

impl CharConfig {
    fn vocabulary(&self) -> Result<Vocabulary> {
        let vocabulary = Vocabulary::new(&self.characters)?;
        if self.counts.len() == vocabulary.len() {
            return Ok(vocabulary);
        }
        let expected = format!("a count for each of {} characters", vocabulary.len());
        Err(Error::shape(expected, self.counts.len().to_string()))
    }

    /// How many weights its network has, by checked arithmetic; nothing is allocated.
    ///
    /// # Errors
    /// [`Error::Value`] for sizes that make no sense, or ask for more weights than any memory holds.
    pub fn count_weights(&self) -> Result<usize> {
        self.network.count_weights(self.vocabulary()?.len())
    }
}

/// How a text is cut up for training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CutConfig {
    /// Characters that gradients go back through.
    pub sequence_length: usize,
    /// The part of the text, its end, that is held out.
    pub validation_fraction: f64,
}

/// A network with its vocabulary.
pub struct CharModel {
    config: CharConfig,
    vocabulary: Vocabulary,
    parameters: Parameters,
    /// Made when a text is first asked for.
    weights: Option<Arc<Weights>>,
}

impl CharModel {
    /// An untrained model.
    ///
    /// # Errors
    /// [`Error::Value`] for a configuration that makes no sense.
    pub fn new(config: CharConfig) -> Result<Self> {
        let vocabulary = config.vocabulary()?;
        let parameters = config.network.draw(vocabulary.len())?;
        Ok(Self { config, vocabulary, parameters, weights: None })
    }

    /// A trained model again, of what was kept of it: draws no weights, and allocates nothing before they are known to be
    /// those of the configuration.
    ///
    /// # Errors
    /// [`Error::Value`] or [`Error::Shape`] for weights of another model, or that aren't finite.
    pub fn restore(config: CharConfig, weights: Vec<(String, Array)>) -> Result<Self> {
        let vocabulary = config.vocabulary()?;
        check_finite(&weights)?;
        let parameters = config.network.take(vocabulary.len(), weights)?;
        Ok(Self { config, vocabulary, parameters, weights: None })
    }

    /// How it was built.
    pub fn config(&self) -> &CharConfig {
        &self.config
    }

    /// The characters that it knows.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Replaces all weights by those of the same names; nothing changes unless all fit.
    ///
    /// # Errors
    /// As [`Parameters::load`].
    pub fn load_parameters(&mut self, values: &[(String, Array)]) -> Result<()> {
        self.weights = None;
        self.parameters.load(values)
    }

    fn network(&self) -> Result<CharNetwork> {
        CharNetwork::new(self.config.network, self.vocabulary.len(), &self.parameters)
    }

    fn encode(&self, texts: &[&str], unknown: Unknown) -> Result<Vec<Vec<u32>>> {
        texts.iter().map(|text| self.vocabulary.encode(text, unknown)).collect()
    }

    /// Trains on texts, each of which begins with states of zero, as do the rows into which they are cut.
    ///
    /// # Errors
    /// [`Error::Value`] for options that make no sense, [`Error::TooShort`] for too few characters.
    pub fn fit(
        &mut self,
        texts: &[&str],
        cut: CutConfig,
        training: &TrainConfig,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        training.check()?;
        check_positive([("sequence_length", cut.sequence_length)])?;
        let (train, validation) = split(self.encode(texts, Unknown::Error)?, cut.validation_fraction)?;
        let longest = train.iter().map(Vec::len).max().unwrap_or(0);
        if train.len() == 1 && longest <= cut.sequence_length {
            let expected = format!("more characters to train on than sequence_length={}", cut.sequence_length);
            return Err(Error::too_short(expected, longest.to_string()));
        }
        let n_threads = pool::n_threads(training.n_threads);
        self.config.network.check_memory(self.vocabulary.len(), COPIES + n_threads.min(training.batch_size))?;
        self.weights = None;
        let mut network = self.network()?;
        let sequence_length = cut.sequence_length.min(longest - 1);
        let streams = Streams::for_training(&train, sequence_length, training.batch_size);
        let checkpoints = self.checkpoints(texts, cut, training)?;
        let scorer = (!validation.is_empty()).then(|| Scorer::new(&network, &validation, n_threads));
        let mut learner = CharLearner::new(&mut network, (&streams, scorer), n_threads, training);
        // a step's samples are those that stand next to each other
        let in_order = TrainConfig { shuffle: false, ..training.clone() };
        let outcome = fit_with_checkpoints(&mut learner, &in_order, observer, checkpoints);
        network.store(&mut self.parameters);
        outcome
    }

    /// The checkpoints of this training; `None`: none are wanted.
    fn checkpoints(&self, texts: &[&str], cut: CutConfig, training: &TrainConfig) -> Result<Option<Checkpoints>> {
        let Some(config) = &training.checkpoint else { return Ok(None) };
        let options = [json(&self.config.network)?, json(&cut)?, json(training)?];
        let mut fingerprint = of_options(&options, training);
        let (mut data, mut weights) = (Digest::default(), Digest::default());
        for text in texts {
            data.add(text.as_bytes());
        }
        add_weights(&mut weights, &self.parameters);
        fingerprint.extend([
            ("instruction set".to_owned(), format!("{:?}", InstructionSet::choose()?)),
            ("text".to_owned(), format!("with the digest {data}")),
            ("initial weights".to_owned(), weights.to_string()),
        ]);
        Checkpoints::open(config, fingerprint).map(Some)
    }

    /// The loss of step number `step` of a training without dropout whose weights stay what they are, and its gradient for
    /// each parameter.
    ///
    /// # Errors
    /// [`Error::Value`] for unknown characters or a step that isn't there.
    pub fn gradients(
        &self,
        texts: &[&str],
        (sequence_length, batch_size): (usize, usize),
        step: usize,
    ) -> Result<(f64, Vec<(String, Array)>)> {
        check_positive([("sequence_length", sequence_length), ("batch_size", batch_size)])?;
        let network = self.network()?;
        let streams = Streams::for_training(&self.encode(texts, Unknown::Error)?, sequence_length, batch_size);
        if step >= streams.n_steps() {
            return Err(Error::Value(format!("expected a step below {}, got {step}", streams.n_steps())));
        }
        let mut gradient = CharGradient::new(&network, &streams, pool::n_threads(None));
        let losses = (0..=step).map(|step| gradient.compute(&network, &streams, step, None));
        let loss = losses.last().unwrap_or_default();
        let each = self.parameters.iter().zip(network.unpack(gradient.sum(&network).0));
        let named = each.map(|((name, array), values)| Ok((name.to_owned(), Array::new(array.shape(), values)?)));
        Ok((loss, named.collect::<Result<_>>()?))
    }

    /// The mean nats of all characters but each text's first; `None` when `go_on` returned false.
    ///
    /// # Errors
    /// [`Error::Value`] for unknown characters, [`Error::TooShort`] where no text has two.
    pub fn score(
        &self,
        texts: &[&str],
        unknown: Unknown,
        n_threads: Option<usize>,
        go_on: impl FnMut() -> bool,
    ) -> Result<Option<f64>> {
        let texts = self.encode(texts, unknown)?;
        if texts.iter().all(|text| text.len() < 2) {
            return Err(Error::too_short("a text of at least 2 known characters", "none"));
        }
        let network = self.network()?;
        Ok(Scorer::new(&network, &texts, pool::n_threads(n_threads)).score(&network, go_on))
    }

    /// Begins a text; [`Generator::read`] reads what it goes on from.
    ///
    /// # Errors
    /// [`Error::Value`] for sampling that makes no sense.
    pub fn generator(&mut self, sampling: SamplingConfig, n_threads: Option<usize>) -> Result<Generator> {
        sampling.check()?;
        let weights = match &self.weights {
            Some(weights) => Arc::clone(weights),
            None => Arc::new(Weights::new(&self.network()?, &self.config.counts)),
        };
        self.weights = Some(Arc::clone(&weights));
        Ok(Generator::new(weights, sampling, pool::n_threads(n_threads)))
    }
}

/// Documents in two parts: training, and what is held out, the end of a single one, else the last ones.
type Parts = (Vec<Vec<u32>>, Vec<Vec<u32>>);

fn split(mut documents: Vec<Vec<u32>>, fraction: f64) -> Result<Parts> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(Error::Value(format!("expected validation_fraction of at least 0 and below 1, got {fraction}")));
    }
    let (n_documents, total) = (documents.len(), documents.iter().map(Vec::len).sum::<usize>());
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a part of a count
    let n_held_out = (fraction * total as f64).round() as usize;
    let validation = if fraction == 0.0 {
        Vec::new()
    } else if let [document] = &mut documents[..] {
        vec![document.split_off(total - n_held_out)]
    } else {
        let mut n = 0;
        let last = documents.iter().rev().take_while(|document| {
            n += document.len();
            n - document.len() < n_held_out
        });
        let n_last = last.count();
        documents.split_off(documents.len() - n_last)
    };
    let has_targets = |documents: &[Vec<u32>]| documents.iter().any(|document| document.len() > 1);
    if !has_targets(&documents) || (fraction > 0.0 && !has_targets(&validation)) {
        return Err(Error::too_short(
            format!("texts of at least 2 characters to train on and, for validation_fraction={fraction}, to hold out"),
            format!("{total} characters in {n_documents}"),
        ));
    }
    Ok((documents, validation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(lengths: &[usize]) -> Vec<Vec<u32>> {
        lengths.iter().zip(0..).map(|(&len, at)| vec![at; len]).collect()
    }

    #[test]
    fn the_end_is_held_out() {
        let (train, validation) = split(vec![(0..20).collect()], 0.1).unwrap();
        assert_eq!((train, validation), (vec![(0..18).collect()], vec![vec![18, 19]]));
        let (train, validation) = split(documents(&[9, 3, 2, 2, 4]), 0.25).unwrap();
        assert_eq!((train, validation), (documents(&[9, 3, 2]), documents(&[9, 3, 2, 2, 4])[3..].to_vec()));
        assert!(split(documents(&[5, 5]), 0.0).unwrap().1.is_empty());
    }

    #[test]
    fn both_parts_need_something_to_tell() {
        for (lengths, fraction) in [(&[3][..], 0.3), (&[20], 0.01), (&[1, 1], 0.0), (&[4], 0.7), (&[5], 1.0)] {
            assert!(split(documents(lengths), fraction).is_err(), "{lengths:?} {fraction}");
        }
    }
}
