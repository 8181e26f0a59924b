//! Losses: one number for a batch, smaller is better; for slices, with the gradient beside it.

use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::level::Level;
use crate::series::Gathered;

/// What is minimised; each is a mean over the targets that are known (those that are NaN aren't), each
/// by the weight of its row, and, by weight, over samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Squared error (`torch.nn.MSELoss`).
    Mse,
    /// Absolute error (`torch.nn.L1Loss`).
    Mae,
    /// Squared below 1, absolute above (`torch.nn.HuberLoss` with `delta=1`), in scaled units.
    Huber,
    /// Absolute error, weighted by this level where the output is too low and by what it lacks to 1 where it is too high:
    /// least at the quantile of that level (Koenker & Bassett 1978).
    Pinball(f64),
    /// A distribution's loss of the target: several outputs for each.
    Distribution(Distribution),
    /// Negative log-likelihood of the class whose index is the target (`torch.nn.CrossEntropyLoss`).
    CrossEntropy,
}

/// Outputs for one target, so that their slopes have room on the stack.
const MOST_OUTPUTS: usize = 99;

impl Loss {
    /// Whether the levels of quantiles are such.
    ///
    /// # Errors
    /// [`Error::Value`] when they aren't.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Distribution(distribution) if distribution.n_outputs() > MOST_OUTPUTS => Err(Error::Value(format!(
                "expected at most {MOST_OUTPUTS} levels of quantiles, got {}",
                distribution.n_outputs()
            ))),
            Self::Distribution(distribution) => distribution.check(),
            Self::Pinball(level) if !(*level > 0.0 && *level < 1.0) => {
                Err(Error::Value(format!("expected a pinball loss of a level between 0 and 1, got {level}")))
            }
            _ => Ok(()),
        }
    }

    /// The distribution whose parameters the outputs are, if it is that of one.
    pub fn distribution(&self) -> Option<&Distribution> {
        match self {
            Self::Distribution(distribution) => Some(distribution),
            _ => None,
        }
    }

    /// The part of a batch's mean loss that some of its rows make up, and the gradient of the mean with respect to their
    /// outputs, in double precision on the way.
    ///
    /// `outputs` and `gradient` are `(rows, output_size)`, the rows gathered in `batch`; `batch_len` is the number of rows in
    /// the whole batch.
    ///
    /// # Panics
    /// When the lengths don't agree, or a class index isn't one.
    pub fn share(&self, outputs: &[f32], batch: &Gathered, batch_len: usize, mut gradient: Option<&mut [f32]>) -> f64 {
        let n_rows = batch.weights.len();
        if n_rows == 0 {
            return 0.0;
        }
        let (output_size, target_len) = (outputs.len() / n_rows, batch.targets.len() / n_rows);
        let (n_levels, horizon) = (batch.levels.len() / n_rows, batch.row_weights.len() / n_rows);
        let n_slopes = gradient.as_ref().map_or(outputs.len(), |gradient| gradient.len());
        let (got, expected) = ((outputs.len(), batch.targets.len()), (n_rows * output_size, n_rows * target_len));
        assert!(
            got == expected && n_slopes == outputs.len(),
            "expected outputs, targets and gradient of lengths {expected:?}, got {got:?} and {n_slopes}"
        );
        let mut share = 0.0;
        for (i, &weight) in batch.weights.iter().enumerate() {
            let row = i * output_size..(i + 1) * output_size;
            let slopes = gradient.as_deref_mut().map(|gradient| &mut gradient[row.clone()]);
            let factor = f64::from(weight) / batch_len as f64;
            let targets = &batch.targets[i * target_len..][..target_len];
            let levels = &batch.levels[i * n_levels..][..n_levels];
            let truth = Truth { targets, levels, row_weights: &batch.row_weights[i * horizon..][..horizon] };
            share += factor * self.of_row(&outputs[row], truth, factor, slopes);
        }
        share
    }

    /// The loss of one row; the slopes are its derivatives times `factor`.
    fn of_row(&self, outputs: &[f32], truth: Truth, factor: f64, slopes: Option<&mut [f32]>) -> f64 {
        match self {
            Self::Mse => mean_of_row(outputs, truth, factor, slopes, |error| (error * error, 2.0 * error)),
            Self::Mae => mean_of_row(outputs, truth, factor, slopes, |error| (error.abs(), sign(error))),
            Self::Huber => mean_of_row(outputs, truth, factor, slopes, |error| {
                let distance = error.abs();
                let value = if distance < 1.0 { 0.5 * error * error } else { distance - 0.5 };
                (value, error.clamp(-1.0, 1.0))
            }),
            Self::Pinball(level) => mean_of_row(outputs, truth, factor, slopes, |error| {
                let side = if error < 0.0 { *level } else { 1.0 - level };
                (side * error.abs(), side * sign(error))
            }),
            Self::Distribution(distribution) => mean_of_distributions(distribution, outputs, truth, factor, slopes),
            Self::CrossEntropy => surprise(outputs, truth.targets[0], factor, slopes),
        }
    }
}

/// What one row of outputs should have been.
#[derive(Clone, Copy)]
struct Truth<'a> {
    targets: &'a [f32],
    levels: &'a [Level],
    row_weights: &'a [f32],
}

impl Truth<'_> {
    /// Targets that are known; at least 1, to divide by.
    fn n_known(&self) -> f64 {
        self.targets.iter().filter(|target| !target.is_nan()).count().max(1) as f64
    }

    /// The targets, each with the weight of its row of the series.
    fn weighted(&self) -> impl Iterator<Item = (f32, f64)> + '_ {
        let n_at_once = self.targets.len() / self.row_weights.len().max(1);
        let weight =
            move |i: usize| if self.row_weights.is_empty() { 1.0 } else { f64::from(self.row_weights[i / n_at_once]) };
        self.targets.iter().enumerate().map(move |(i, &target)| (target, weight(i)))
    }
}

/// As PyTorch's: 0 for 0.
fn sign(x: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else {
        x.signum()
    }
}

/// The mean over a row of `of_error(output - target)`: a value and its derivative.
fn mean_of_row(
    outputs: &[f32],
    truth: Truth,
    factor: f64,
    slopes: Option<&mut [f32]>,
    of_error: impl Fn(f64) -> (f64, f64),
) -> f64 {
    assert_eq!(outputs.len(), truth.targets.len(), "expected as many targets as outputs in a row");
    let n = truth.n_known();
    let of_each = outputs.iter().zip(truth.weighted()).map(|(&output, (target, weight))| {
        if target.is_nan() {
            return (0.0, 0.0);
        }
        let (value, derivative) = of_error(f64::from(output) - f64::from(target));
        (weight * value, weight * derivative)
    });
    let sum: f64 = match slopes {
        None => of_each.map(|(value, _)| value).sum(),
        Some(slopes) => of_each
            .zip(slopes)
            .map(|((value, derivative), slope)| {
                *slope = narrow(factor / n * derivative);
                value
            })
            .sum(),
    };
    sum / n
}

/// The mean over a row, whose levels come again at each step, of a distribution's losses.
fn mean_of_distributions(
    distribution: &Distribution,
    outputs: &[f32],
    truth: Truth,
    factor: f64,
    mut slopes: Option<&mut [f32]>,
) -> f64 {
    let (n, n_outputs) = (truth.n_known(), distribution.n_outputs());
    let n_expected = truth.targets.len() * n_outputs;
    assert_eq!(outputs.len(), n_expected, "expected {n_outputs} outputs for each target");
    let mut derivatives = [0.0; MOST_OUTPUTS];
    let mut sum = 0.0;
    for (i, ((target, weight), outputs)) in truth.weighted().zip(outputs.chunks_exact(n_outputs)).enumerate() {
        let derivatives = &mut derivatives[..n_outputs];
        derivatives.fill(0.0);
        if !target.is_nan() {
            let wanted = slopes.is_some().then_some(&mut *derivatives);
            let level = truth.levels[i % truth.levels.len()];
            sum += weight * distribution.loss(outputs, f64::from(target), level, wanted);
        }
        let slopes = slopes.as_deref_mut().map(|slopes| &mut slopes[i * n_outputs..][..n_outputs]);
        for (slope, derivative) in slopes.into_iter().flatten().zip(derivatives) {
            *slope = narrow(factor / n * (weight * *derivative));
        }
    }
    sum / n
}

/// Negative logarithm of the softmax at the class, free of overflow: no exponent is above 0.
fn surprise(logits: &[f32], class: f32, factor: f64, slopes: Option<&mut [f32]>) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // what is lost makes another number, which is refused
    let index = class as usize;
    let n_classes = logits.len();
    assert!(index < n_classes && index as f32 == class, "expected a class index below {n_classes}, got {class}");
    let greatest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let exponential = |logit: f32| (f64::from(logit) - greatest).exp();
    let sum: f64 = logits.iter().map(|&logit| exponential(logit)).sum();
    for (i, slope) in slopes.into_iter().flatten().enumerate() {
        let hit = if i == index { 1.0 } else { 0.0 };
        *slope = narrow(factor * (exponential(logits[i]) / sum - hit));
    }
    sum.ln() - (f64::from(logits[index]) - greatest)
}

#[allow(clippy::cast_possible_truncation)] // gradients are single precision
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
pub(crate) mod tests;
