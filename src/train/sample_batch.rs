//! A batch of samples, and what is asked of it: the loss that is differentiated.

use std::ops::Range;

use super::config::TrainConfig;
use super::loss::Loss;
use super::packed_training::PackedTraining;
use super::processes::Share;
use crate::rng::StepMasks;
use crate::series::Samples;

/// The rows of one step and what is asked of them.
#[derive(Clone, Copy)]
pub struct SampleBatch<'a> {
    /// Where its rows come from.
    pub samples: &'a dyn Samples,
    /// Which they are.
    pub indices: &'a [usize],
    /// Which of them are computed here.
    pub share: Share,
    /// What is differentiated.
    pub loss: &'a Loss,
    /// Dropout between the layers.
    pub masks: Option<StepMasks>,
}

impl<'a> SampleBatch<'a> {
    /// The rows that thread `at` of `n_threads` computes of each `batch_size` of those computed here, where there are any.
    pub(crate) fn rows(
        &self,
        (at, n_threads): (usize, usize),
        batch_size: usize,
    ) -> impl Iterator<Item = Range<usize>> + use<> {
        let (own, part) = (self.share.rows(self.indices.len()), Share { rank: at, world_size: n_threads });
        let batches = own.clone().step_by(batch_size).map(move |start| start..own.end.min(start + batch_size));
        batches.map(move |batch| part.of(&batch)).filter(|rows| !rows.is_empty())
    }

    /// The batch of a step of this training, with its dropout.
    pub(crate) fn of_step(training: &PackedTraining<'a>, samples: &'a dyn Samples, indices: &'a [usize]) -> Self {
        let TrainConfig { loss, .. } = training.config;
        Self { samples, indices, share: training.config.share(), loss, masks: training.masks() }
    }
}
