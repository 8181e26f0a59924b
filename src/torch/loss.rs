//! Losses of tensors under automatic differentiation.

use tch::{Kind, Reduction, Tensor};

use super::batch::Batch;
use crate::error::Result;
use crate::train::loss::Loss;

impl Loss {
    /// The loss of outputs `(batch, output_size)` against a batch.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when the shapes don't agree.
    pub fn mean(&self, outputs: &Tensor, batch: &Batch) -> Result<Tensor> {
        let of_each = if *self == Self::CrossEntropy {
            Self::of_classes(outputs, &batch.targets)?
        } else {
            let missing = batch.targets.f_isnan()?;
            let n_known = missing.f_logical_not()?.f_sum_dim_intlist(&[1i64][..], false, Kind::Float)?;
            let known = batch.targets.f_nan_to_num(0.0, f64::INFINITY, f64::NEG_INFINITY)?;
            let losses = self.of_numbers(outputs, &known, batch)?;
            let mut losses = losses.f_masked_fill(&missing, 0.0)?;
            if let Some(row_weights) = &batch.row_weights {
                losses = losses.f_mul(row_weights)?;
            }
            losses.f_sum_dim_intlist(&[1i64][..], false, Kind::Float)?.f_div(&n_known.f_clamp_min(1.0)?)?
        };
        Ok(of_each.f_mul(&batch.weights)?.f_mean(Kind::Float)?)
    }

    fn of_numbers(&self, outputs: &Tensor, targets: &Tensor, batch: &Batch) -> Result<Tensor> {
        Ok(match self {
            Self::Mae => outputs.f_l1_loss(targets, Reduction::None)?,
            Self::Huber => outputs.f_huber_loss(targets, Reduction::None, 1.0)?,
            Self::Pinball(level) => {
                // the derivative of relu is 0 at 0: an output that is right stays, as under the absolute error
                let (too_low, too_high) = (targets.f_sub(outputs)?.f_relu()?, outputs.f_sub(targets)?.f_relu()?);
                too_low.f_mul_scalar(*level)?.f_add(&too_high.f_mul_scalar(1.0 - level)?)?
            }
            Self::Distribution(distribution) => {
                let (n, size) = (targets.size()[0], targets.size()[1]);
                let (centers, scales) = batch.levels(size)?;
                distribution.loss_of_tensors(&outputs.f_reshape([n, size, -1])?, targets, &centers, &scales)?
            }
            Self::Mse | Self::CrossEntropy => outputs.f_mse_loss(targets, Reduction::None)?,
        })
    }

    fn of_classes(logits: &Tensor, classes: &Tensor) -> Result<Tensor> {
        let classes = classes.f_squeeze_dim(1)?.f_to_kind(Kind::Int64)?;
        Ok(logits.f_cross_entropy_loss(&classes, None::<&Tensor>, Reduction::None, -100, 0.0)?)
    }
}

#[cfg(test)]
mod tests;
