//! The record of a training.

/// What happened in one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Number, from 1.
    pub epoch: usize,
    /// Mean loss of the training windows, each taken before the step that it caused.
    pub train_loss: f64,
    /// Mean loss of the validation windows after the epoch.
    pub val_loss: Option<f64>,
    /// Learning rate during the epoch.
    pub learning_rate: f64,
    /// Mean norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Wall time, validation included.
    pub seconds: f64,
}

impl Epoch {
    /// The loss that schedules, stopping and the choice of the best weights look at.
    pub fn monitored(&self) -> f64 {
        self.val_loss.unwrap_or(self.train_loss)
    }
}
