//! Augmentation on the fly: training windows that are a little different in each optimiser step.
//!
//! The methods are those of Um et al. (2017, "Data augmentation of wearable sensor data for Parkinson's disease monitoring using
//! convolutional neural networks") and Le Guennec et al. (2016, "Data augmentation for time series classification using
//! convolutional neural networks"), surveyed by Iwana & Uchida (2021). They change numbers as the network sees them, scaled and
//! normalised; what a window was scaled by stays what it was.

mod draws;
mod scratch;
mod sequence;
mod spline;
mod time;

use serde::{Deserialize, Serialize};

use super::lens::WindowLayout;
use super::{Gathered, Panel, Samples};
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
pub use draws::Draws;
pub use scratch::Scratch;
pub use sequence::Number;
use sequence::Sequence;
use time::Times;

/// Knots of a curve at the most.
const MOST_KNOTS: usize = 1000;

/// One method and how often it is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// The share of the windows that it changes.
    pub probability: f64,
    /// What is done to them.
    #[serde(flatten)]
    pub method: Method,
}

/// How a window is changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// Normal noise is added to each number of the input; the target stays.
    Jitter {
        /// Its standard deviation.
        sigma: f64,
    },
    /// Each target (each feature of a window without a horizon) is multiplied by one number, before the origin and after.
    Scale {
        /// Standard deviation of the number, whose mean is 1.
        sigma: f64,
    },
    /// Each is multiplied by a smooth curve around 1: a cubic spline through random heights.
    MagnitudeWarp {
        /// Heights between the first and the last.
        knots: usize,
        /// Standard deviation of the heights, whose mean is 1.
        sigma: f64,
    },
    /// Time runs at the speed of a smooth curve around 1, of all columns alike.
    TimeWarp {
        /// Heights between the first and the last.
        knots: usize,
        /// Standard deviation of the heights, whose mean is 1.
        sigma: f64,
    },
    /// A part of the rows is stretched over all of them.
    WindowSlice {
        /// The part, above 0 and at most 1.
        size: f64,
    },
}

impl Method {
    fn moves_rows(&self) -> bool {
        matches!(self, Self::TimeWarp { .. } | Self::WindowSlice { .. })
    }
}

impl Augmentation {
    /// Whether every number makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first that doesn't.
    pub fn check(&self) -> Result<()> {
        let wrong = |text: &str, got: &dyn std::fmt::Display| Err(Error::Value(format!("expected {text}, got {got}")));
        if !(0.0..=1.0).contains(&self.probability) {
            return wrong("probability from 0 to 1", &self.probability);
        }
        match self.method {
            Method::WindowSlice { size } if !(size > 0.0 && size <= 1.0) => wrong("size above 0 and at most 1", &size),
            Method::MagnitudeWarp { knots, .. } | Method::TimeWarp { knots, .. }
                if !(1..=MOST_KNOTS).contains(&knots) =>
            {
                wrong("knots from 1 to 1000", &knots)
            }
            Method::Jitter { sigma }
            | Method::Scale { sigma }
            | Method::MagnitudeWarp { sigma, .. }
            | Method::TimeWarp { sigma, .. }
                if !(sigma.is_finite() && sigma >= 0.0) =>
            {
                wrong("sigma of at least 0", &sigma)
            }
            _ => Ok(()),
        }
    }

    fn apply<T: Number>(&self, sequence: &mut Sequence<T>, draws: &mut Draws, scratch: &mut Scratch) {
        if draws.uniform() >= self.probability {
            return;
        }
        let WindowLayout { window_size, horizon, .. } = sequence.layout;
        let (targets, times) = (0..sequence.layout.n_targets_at_once(), Times { window_size, horizon });
        match self.method {
            Method::Jitter { sigma } => sequence.change_inputs(|value| value + sigma * draws.normal()),
            Method::Scale { sigma } => targets.for_each(|column| {
                let factor = 1.0 + sigma * draws.normal();
                sequence.change(column, |_, value| factor * value);
            }),
            Method::MagnitudeWarp { knots, sigma } => targets.for_each(|column| {
                scratch.draw_curve(knots, sigma, sequence.n_rows(), draws);
                sequence.change(column, |row, value| scratch.curve[row] * value);
            }),
            Method::TimeWarp { knots, sigma } => times.warp(knots, sigma, draws, scratch),
            Method::WindowSlice { size } => times.slice(size, draws, scratch),
        }
        if self.method.moves_rows() {
            sequence.resample(&scratch.curve, &mut scratch.column);
        }
    }
}

/// The augmentations of one training, applied one after the other.
#[derive(Debug, Clone)]
pub struct Augmenter {
    augmentations: Vec<Augmentation>,
    layout: WindowLayout,
    key: u64,
}

impl Augmenter {
    /// For samples of a layout.
    ///
    /// # Errors
    /// As [`Augmentation::check`]; [`Error::Value`] for another method than jitter where targets of several steps overlap.
    pub fn new(augmentations: &[Augmentation], layout: WindowLayout, seed: u64) -> Result<Self> {
        augmentations.iter().try_for_each(Augmentation::check)?;
        let moves_targets = |each: &Augmentation| !matches!(each.method, Method::Jitter { .. });
        if layout.supervised_steps > 1 && augmentations.iter().any(moves_targets) {
            let expected = "expected no augmentation but jitter with supervision='every'";
            return Err(Error::Value(format!("{expected}, got one that changes targets")));
        }
        Ok(Self { augmentations: augmentations.to_vec(), layout, key: Rng::key(seed, Purpose::Augmentation) })
    }

    /// Whether rows keep their weights: not where they are moved in time.
    ///
    /// # Errors
    /// [`Error::Value`] for a panel with weights and an augmentation that moves rows.
    pub fn check_weights(&self, panel: &Panel) -> Result<()> {
        let is_weighted = (0..panel.n_series()).any(|i| panel.weights(i).is_some());
        if is_weighted && self.augmentations.iter().any(|each| each.method.moves_rows()) {
            let expected = "expected no time_warp or window_slice in augment with weights";
            return Err(Error::Value(format!("{expected}, as they move rows in time, got one")));
        }
        Ok(())
    }

    /// Samples as they are in one optimiser step, counted from 0.
    pub fn during<'a>(&'a self, samples: &'a dyn Samples, step: u64) -> Augmented<'a> {
        Augmented { samples, augmenter: self, step }
    }

    /// The numbers that one of the augmentations draws for a sample in a step.
    pub fn draws(&self, step: u64, sample: usize, augmentation: usize) -> Draws {
        Draws::new(self.key, step, sample, augmentation)
    }

    /// Changes the input and the target of a sample, numbered from 0, in place.
    pub fn apply<T: Number>(
        &self,
        (step, sample): (u64, usize),
        (inputs, targets): (&mut [T], &mut [T]),
        scratch: &mut Scratch,
    ) {
        let mut sequence = Sequence { layout: self.layout, inputs, targets };
        for (place, augmentation) in self.augmentations.iter().enumerate() {
            augmentation.apply(&mut sequence, &mut self.draws(step, sample, place), scratch);
        }
    }
}

/// Samples that are changed as they are gathered, in the same way whenever that is.
#[derive(Clone, Copy)]
pub struct Augmented<'a> {
    samples: &'a dyn Samples,
    augmenter: &'a Augmenter,
    step: u64,
}

impl Samples for Augmented<'_> {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn input_len(&self) -> usize {
        self.samples.input_len()
    }

    fn target_len(&self) -> usize {
        self.samples.target_len()
    }

    fn supervised_steps(&self) -> usize {
        self.samples.supervised_steps()
    }

    fn gather(&self, index: usize, batch: &mut Gathered) {
        let (inputs, targets) = (batch.inputs.len(), batch.targets.len());
        self.samples.gather(index, batch);
        let sample = (&mut batch.inputs[inputs..], &mut batch.targets[targets..]);
        self.augmenter.apply((self.step, index), sample, &mut batch.scratch);
    }
}

#[cfg(test)]
mod tests;
