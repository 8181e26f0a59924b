//! Losses: one number for a batch, smaller is better.

use serde::Deserialize;
use tch::{Kind, Reduction, Tensor};

use super::batch::Batch;
use crate::error::Result;

/// What is minimised; each is a mean over outputs and, by weight, over samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Squared error (`torch.nn.MSELoss`).
    Mse,
    /// Absolute error (`torch.nn.L1Loss`).
    Mae,
    /// Squared below 1, absolute above (`torch.nn.HuberLoss` with `delta=1`), in scaled units.
    Huber,
    /// Negative log-likelihood of the class whose index is the target (`torch.nn.CrossEntropyLoss`).
    CrossEntropy,
}

impl Loss {
    /// The loss of outputs `(batch, output_size)` against a batch.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when the shapes don't agree.
    pub fn mean(self, outputs: &Tensor, batch: &Batch) -> Result<Tensor> {
        let of_each = match self {
            Self::CrossEntropy => Self::of_classes(outputs, &batch.targets)?,
            _ => self.of_numbers(outputs, &batch.targets)?.f_mean_dim(&[1i64][..], false, Kind::Float)?,
        };
        Ok(of_each.f_mul(&batch.weights)?.f_mean(Kind::Float)?)
    }

    fn of_numbers(self, outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Mae => outputs.f_l1_loss(targets, Reduction::None)?,
            Self::Huber => outputs.f_huber_loss(targets, Reduction::None, 1.0)?,
            Self::Mse | Self::CrossEntropy => outputs.f_mse_loss(targets, Reduction::None)?,
        })
    }

    fn of_classes(logits: &Tensor, classes: &Tensor) -> Result<Tensor> {
        let classes = classes.f_squeeze_dim(1)?.f_to_kind(Kind::Int64)?;
        Ok(logits.f_cross_entropy_loss(&classes, None::<&Tensor>, Reduction::None, -100, 0.0)?)
    }
}
