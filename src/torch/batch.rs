//! Batches: samples gathered into tensors.

use tch::{Device, Tensor};

use super::tensor::tensor;
use crate::error::Result;
use crate::memory;
use crate::series::augment::Augmenter;
use crate::series::{Gathered, Samples};

/// One batch on the network's device.
#[derive(Debug)]
pub struct Batch {
    /// Inputs of shape `(batch, window_size, n_features)`.
    pub inputs: Tensor,
    /// Targets of shape `(batch * supervised_steps, target_len)`.
    pub targets: Tensor,
    /// Weights of shape `(batch * supervised_steps,)`, of mean 1 over all samples.
    pub weights: Tensor,
    /// The weight of the row of each target, of shape `(batch * supervised_steps, target_len)`; `None`: all are 1.
    pub row_weights: Option<Tensor>,
    /// Centres and scales of the targets at once, of shape `(2, batch * supervised_steps, n_targets)`; no targets where the
    /// samples have none.
    pub levels: Tensor,
}

impl Batch {
    /// Centres and scales of targets `(batch, size)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when there are none.
    pub fn levels(&self, size: i64) -> Result<(Tensor, Tensor)> {
        let repeated = self.levels.f_repeat([1, 1, size / self.levels.size()[2].max(1)])?;
        Ok((repeated.f_get(0)?, repeated.f_get(1)?))
    }
}

/// Samples, and where their batches go.
pub struct Loader<'a> {
    samples: &'a dyn Samples,
    n_features: usize,
    device: Device,
    augmenter: Option<&'a Augmenter>,
}

impl<'a> Loader<'a> {
    /// Loads `samples` whose windows have `n_features` numbers at each step.
    pub fn new(samples: &'a dyn Samples, n_features: usize, device: Device) -> Self {
        Self { samples, n_features, device, augmenter: None }
    }

    /// Changes the samples of each training step.
    pub fn augmented(self, augmenter: Option<&'a Augmenter>) -> Self {
        Self { augmenter, ..self }
    }

    /// Number of samples.
    pub fn n_samples(&self) -> usize {
        self.samples.len()
    }

    /// Targets of one window.
    pub fn supervised_steps(&self) -> usize {
        self.samples.supervised_steps()
    }

    /// The indices of all samples.
    pub fn in_order(&self) -> Vec<usize> {
        (0..self.n_samples()).collect()
    }

    /// Gathers some samples for an optimiser step, counted from 0: augmented, where they are to be.
    ///
    /// # Errors
    /// As [`Loader::batch`].
    pub fn training_batch(&self, indices: &[usize], step: u64) -> Result<Batch> {
        match self.augmenter {
            None => self.batch(indices),
            Some(augmenter) => Loader { samples: &augmenter.during(self.samples, step), ..*self }.batch(indices),
        }
    }

    /// Gathers some samples as they are.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when the device has no room.
    pub fn batch(&self, indices: &[usize]) -> Result<Batch> {
        let (n, mut gathered) = (indices.len(), Gathered::default());
        // as they are gathered, as a tensor, and while it grows
        let len = self.samples.input_len() + self.supervised_steps() * self.samples.target_len();
        memory::check::<f32>(n.saturating_mul(3 * len), || format!("a batch of {n} windows (batch_size)"))?;
        for &index in indices {
            self.samples.gather(index, &mut gathered);
        }
        let steps = self.samples.input_len() / self.n_features;
        let levels = gathered.levels.iter().map(|level| level.center);
        let levels: Vec<f32> = levels.chain(gathered.levels.iter().map(|level| level.scale)).map(narrow).collect();
        let (n_targets, target_len) = (n * self.supervised_steps(), self.samples.target_len());
        let n_at_once = n_targets * target_len / gathered.row_weights.len().max(1);
        let row_weights: Vec<f32> =
            gathered.row_weights.iter().flat_map(|&weight| std::iter::repeat_n(weight, n_at_once)).collect();
        let row_weights =
            (!row_weights.is_empty()).then(|| tensor(&row_weights, &[n_targets, target_len], self.device));
        Ok(Batch {
            inputs: tensor(&gathered.inputs, &[n, steps, self.n_features], self.device)?,
            targets: tensor(&gathered.targets, &[n_targets, target_len], self.device)?,
            weights: tensor(&gathered.weights, &[n_targets], self.device)?,
            row_weights: row_weights.transpose()?,
            levels: tensor(&levels, &[2, n_targets, gathered.levels.len() / n_targets], self.device)?,
        })
    }
}

#[allow(clippy::cast_possible_truncation)] // tensors are single precision
fn narrow(x: f64) -> f32 {
    x as f32
}
