//! What the training loop asks of whatever learns.

use super::pace::Pace;
use crate::error::Result;

/// Whatever learns from numbered samples, one batch at a time.
pub trait Learner {
    /// Number of training samples.
    fn n_samples(&self) -> usize;

    /// One optimiser step on the training samples `indices`, which are read one batch at a time: their mean loss before
    /// it, and the norm of the gradient before clipping.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<Step>;

    /// Mean loss of the validation samples under the present weights, `None` where nothing is held out.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn validate(&mut self) -> Result<Option<f64>>;

    /// Remembers the present weights, in place of those remembered before.
    fn remember(&mut self);

    /// Goes back to the remembered weights.
    fn restore(&mut self);

    /// All numbers that training changes, by name: weights, moments of the optimiser, remembered weights.
    fn parts(&mut self) -> Vec<(String, Part<'_>)>;

    /// Goes on after so many steps, once its [`Learner::parts`] were replaced by those of then.
    fn resume(&mut self, n_steps: u64);

    /// Trains these parameters from now on, which [`super::config::Transfer::frozen`] has kept as they were.
    fn unfreeze(&mut self, _names: &[String]) {}
}

/// What one optimiser step found out about its batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean loss of the batch, before the step.
    pub loss: f64,
    /// Norm of the gradient, before clipping.
    pub grad_norm: f64,
}

impl Step {
    /// What of it is no number any more.
    pub(super) fn not_finite(&self) -> Option<String> {
        match (self.loss.is_finite(), self.grad_norm.is_finite()) {
            (true, true) => None,
            (false, _) => Some(format!("training loss became {}", self.loss)),
            (true, false) => Some(format!("norm of the gradient became {}", self.grad_norm)),
        }
    }
}

/// Numbers that a learner changes in the course of a training.
#[derive(Debug)]
pub enum Part<'a> {
    /// Of ours.
    Numbers(&'a mut [f32]),
    /// In memory that only the learner reaches.
    Elsewhere(Box<dyn Elsewhere + 'a>),
    /// Steps that a parameter has taken, and whether it is frozen.
    Pace(&'a mut Pace),
}

/// Numbers that lie on another device, or in another library's memory.
pub trait Elsewhere: std::fmt::Debug {
    /// How many they are.
    fn count(&self) -> usize;

    /// A copy of them.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when they can't be read.
    fn read(&self) -> Result<Vec<f32>>;

    /// Replaces them by as many others.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when they can't be written.
    fn write(&mut self, values: &[f32]) -> Result<()>;
}

/// What a learner keeps of each parameter.
pub(crate) const PARTS: [&str; 4] = ["weights", "first_moment", "second_moment", "best_weights"];
