//! Losses: one number for a batch, smaller is better; for tensors, and for slices with the gradient beside it.

use serde::Deserialize;
use tch::{Kind, Reduction, Tensor};

use super::batch::Batch;
use crate::error::{Error, Result};

/// What is minimised; each is a mean over outputs and, by weight, over samples.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
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
    /// Negative log-likelihood of the class whose index is the target (`torch.nn.CrossEntropyLoss`).
    CrossEntropy,
}

impl Loss {
    /// Whether the level of a quantile is one.
    ///
    /// # Errors
    /// [`Error::Value`] when it isn't.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Pinball(level) if !(level > 0.0 && level < 1.0) => {
                Err(Error::Value(format!("expected a pinball loss of a level between 0 and 1, got {level}")))
            }
            _ => Ok(()),
        }
    }

    /// The loss of outputs `(batch, output_size)` against a batch.
    ///
    /// # Errors
    /// [`Error::Torch`] when the shapes don't agree.
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
            Self::Pinball(level) => {
                // the derivative of relu is 0 at 0: an output that is right stays, as under the absolute error
                let (too_low, too_high) = (targets.f_sub(outputs)?.f_relu()?, outputs.f_sub(targets)?.f_relu()?);
                too_low.f_mul_scalar(level)?.f_add(&too_high.f_mul_scalar(1.0 - level)?)?
            }
            Self::Mse | Self::CrossEntropy => outputs.f_mse_loss(targets, Reduction::None)?,
        })
    }

    fn of_classes(logits: &Tensor, classes: &Tensor) -> Result<Tensor> {
        let classes = classes.f_squeeze_dim(1)?.f_to_kind(Kind::Int64)?;
        Ok(logits.f_cross_entropy_loss(&classes, None::<&Tensor>, Reduction::None, -100, 0.0)?)
    }

    /// The part of a batch's mean loss that some of its rows make up, and the gradient of the mean with respect to their
    /// outputs, in double precision on the way.
    ///
    /// `outputs` and `gradient` are `(rows, output_size)`, `targets` `(rows, target_len)`, `weights` `(rows,)`;
    /// `batch_len` is the number of rows in the whole batch.
    ///
    /// # Panics
    /// When the lengths don't agree, or a class index isn't one.
    pub fn share(
        self,
        outputs: &[f32],
        targets: &[f32],
        weights: &[f32],
        batch_len: usize,
        mut gradient: Option<&mut [f32]>,
    ) -> f64 {
        let n_rows = weights.len();
        if n_rows == 0 {
            return 0.0;
        }
        let (output_size, target_len) = (outputs.len() / n_rows, targets.len() / n_rows);
        let got = (outputs.len(), targets.len(), gradient.as_ref().map_or(outputs.len(), |gradient| gradient.len()));
        let expected = (n_rows * output_size, n_rows * target_len, outputs.len());
        assert!(got == expected, "expected outputs, targets and gradient of lengths {expected:?}, got {got:?}");
        let mut share = 0.0;
        for (i, &weight) in weights.iter().enumerate() {
            let row = i * output_size..(i + 1) * output_size;
            let slopes = gradient.as_deref_mut().map(|gradient| &mut gradient[row.clone()]);
            let factor = f64::from(weight) / batch_len as f64;
            share += factor * self.of_row(&outputs[row], &targets[i * target_len..][..target_len], factor, slopes);
        }
        share
    }

    /// The loss of one row; the slopes are its derivatives times `factor`.
    fn of_row(self, outputs: &[f32], targets: &[f32], factor: f64, slopes: Option<&mut [f32]>) -> f64 {
        match self {
            Self::Mse => mean_of_row(outputs, targets, factor, slopes, |error| (error * error, 2.0 * error)),
            Self::Mae => mean_of_row(outputs, targets, factor, slopes, |error| (error.abs(), sign(error))),
            Self::Huber => mean_of_row(outputs, targets, factor, slopes, |error| {
                let distance = error.abs();
                let value = if distance < 1.0 { 0.5 * error * error } else { distance - 0.5 };
                (value, error.clamp(-1.0, 1.0))
            }),
            Self::Pinball(level) => mean_of_row(outputs, targets, factor, slopes, |error| {
                let side = if error < 0.0 { level } else { 1.0 - level };
                (side * error.abs(), side * sign(error))
            }),
            Self::CrossEntropy => surprise(outputs, targets[0], factor, slopes),
        }
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

/// The mean over a row of what `of_error` says about each `output - target`: a value and its derivative.
fn mean_of_row(
    outputs: &[f32],
    targets: &[f32],
    factor: f64,
    slopes: Option<&mut [f32]>,
    of_error: impl Fn(f64) -> (f64, f64),
) -> f64 {
    assert_eq!(outputs.len(), targets.len(), "expected as many targets as outputs in a row");
    let n = outputs.len() as f64;
    let of_each = outputs.iter().zip(targets).map(|(&output, &target)| of_error(f64::from(output) - f64::from(target)));
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
mod tests {
    use tch::Device;

    use super::*;
    use crate::rng::{Purpose, Rng};
    use crate::train::batch::tensor;

    const LOSSES: [Loss; 7] = [
        Loss::Mse,
        Loss::Mae,
        Loss::Huber,
        Loss::Pinball(0.1),
        Loss::Pinball(0.5),
        Loss::Pinball(0.9),
        Loss::CrossEntropy,
    ];

    /// Outputs `(rows, output_size)`, targets and weights.
    struct Rows {
        outputs: Vec<f32>,
        targets: Vec<f32>,
        weights: Vec<f32>,
    }

    impl Rows {
        /// Outputs and targets within `bound`; every third output hits its target, every fifth is off by exactly 1.
        fn new(loss: Loss, n_rows: usize, output_size: usize, bound: f64) -> Self {
            let mut rng = Rng::new(0, Purpose::Shuffle);
            let mut outputs = rng.uniform(n_rows * output_size, bound);
            let weights = rng.uniform(n_rows, 0.9).iter().map(|weight| weight + 1.0).collect();
            if loss == Loss::CrossEntropy {
                // equal logits are its ties
                outputs[..output_size].fill(2.0);
                let targets = (0..n_rows).map(|i| (i * 7 % output_size) as f32).collect();
                return Self { outputs, targets, weights };
            }
            let targets = rng.uniform(n_rows * output_size, bound);
            for (i, (output, target)) in outputs.iter_mut().zip(&targets).enumerate() {
                match i % 15 {
                    0 | 3 | 6 | 9 | 12 => *output = *target,
                    5 => *output = target + 1.0,
                    10 => *output = target - 1.0,
                    _ => {}
                }
            }
            Self { outputs, targets, weights }
        }

        fn share(&self, loss: Loss, rows: std::ops::Range<usize>) -> (f64, Vec<f32>) {
            let n_rows = self.weights.len();
            let part = |values: &[f32]| {
                let row_len = values.len() / n_rows;
                values[rows.start * row_len..rows.end * row_len].to_vec()
            };
            let outputs = part(&self.outputs);
            let mut gradient = vec![f32::NAN; outputs.len()];
            let (targets, weights) = (part(&self.targets), part(&self.weights));
            let share = loss.share(&outputs, &targets, &weights, n_rows, Some(&mut gradient));
            assert_eq!(share, loss.share(&outputs, &targets, &weights, n_rows, None));
            (share, gradient)
        }

        fn under_autograd(&self, loss: Loss) -> (f64, Vec<f32>) {
            let n_rows = self.weights.len();
            let matrix = |values: &[f32]| tensor(values, &[n_rows, values.len() / n_rows], Device::Cpu).unwrap();
            let batch = Batch {
                inputs: Tensor::new(),
                targets: matrix(&self.targets),
                weights: Tensor::from_slice(&self.weights),
            };
            let outputs = matrix(&self.outputs).set_requires_grad(true);
            let mean = loss.mean(&outputs, &batch).unwrap();
            mean.backward();
            (mean.double_value(&[]), outputs.grad().reshape([-1]).try_into().unwrap())
        }
    }

    #[test]
    fn slices_agree_with_tensors_under_autograd() {
        for loss in LOSSES {
            for (n_rows, output_size, bound) in [(1, 1, 2.0), (5, 3, 2.0), (33, 24, 3.0), (4, 7, 50.0)] {
                let rows = Rows::new(loss, n_rows, output_size, bound);
                let ((value, gradient), (expected, slopes)) = (rows.share(loss, 0..n_rows), rows.under_autograd(loss));
                // the tensors round each of a few operations to 6e-8 of terms that are at most of the size of the greatest
                // element; so does `share`, once, at the end
                let case = format!("{loss:?}, ({n_rows}, {output_size}) within {bound}");
                assert!((value - expected).abs() <= 1e-6 * expected.abs(), "{case}: {value} {expected}");
                let scale = slopes.iter().fold(0.0, |most: f32, slope| most.max(slope.abs()));
                for (got, slope) in gradient.iter().zip(&slopes) {
                    assert!((got - slope).abs() <= 1e-6 * scale, "{case}: {gradient:?} {slopes:?}");
                }
            }
        }
    }

    #[test]
    fn an_output_that_is_right_has_no_slope() {
        for loss in LOSSES.into_iter().filter(|&loss| loss != Loss::CrossEntropy) {
            let rows = Rows { outputs: vec![0.5, -0.0], targets: vec![0.5, 0.0], weights: vec![3.0] };
            assert_eq!(rows.share(loss, 0..1), (0.0, vec![0.0, 0.0]), "{loss:?}");
            assert_eq!(rows.under_autograd(loss), (0.0, vec![0.0, 0.0]), "{loss:?}");
        }
    }

    #[test]
    fn shares_of_two_parts_add_up() {
        for loss in LOSSES {
            let rows = Rows::new(loss, 9, 4, 2.0);
            let ((value, gradient), (first, head), (second, tail)) =
                (rows.share(loss, 0..9), rows.share(loss, 0..4), rows.share(loss, 4..9));
            // sums of doubles in another order
            assert!((first + second - value).abs() <= 1e-15 * value, "{loss:?}");
            assert_eq!([head, tail].concat(), gradient, "{loss:?}");
            assert_eq!(rows.share(loss, 3..3), (0.0, vec![]));
        }
    }

    #[test]
    fn errors_of_a_case_worked_by_hand() {
        let rows = Rows { outputs: vec![1.0, 2.0], targets: vec![3.0, 1.0], weights: vec![2.0] };
        // errors -2 and 1, weight 2, two outputs: the sums of their losses, and their derivatives
        assert_eq!(rows.share(Loss::Mse, 0..1), (5.0, vec![-4.0, 2.0]));
        assert_eq!(rows.share(Loss::Mae, 0..1), (3.0, vec![-1.0, 1.0]));
        assert_eq!(rows.share(Loss::Huber, 0..1), (2.0, vec![-1.0, 1.0]));
        assert_eq!(rows.share(Loss::Pinball(0.75), 0..1), (0.75 * 2.0 + 0.25, vec![-0.75, 0.25]));
    }

    #[test]
    fn great_logits_don_t_overflow() {
        let rows = Rows { outputs: vec![1e4, 0.0, -1e4, 1e30], targets: vec![0.0, 1.0], weights: vec![1.0, 1.0] };
        // the first row is certain and right; the second is certain and wrong
        assert_eq!(rows.share(Loss::CrossEntropy, 0..1), (0.0, vec![0.0, 0.0]));
        let (value, gradient) = Rows { targets: vec![0.0, 0.0], ..rows }.share(Loss::CrossEntropy, 1..2);
        assert!((value / (0.5 * f64::from(1e30f32)) - 1.0).abs() < 1e-12, "{value}");
        assert_eq!(gradient, [-0.5, 0.5]);
    }

    #[test]
    fn what_is_no_number_shows() {
        for loss in LOSSES {
            let value = loss.share(
                &[f32::NAN, 1.0],
                &[1.0, 0.0][..if loss == Loss::CrossEntropy { 1 } else { 2 }],
                &[1.0],
                1,
                None,
            );
            assert!(value.is_nan(), "{loss:?}: {value}");
        }
    }

    #[test]
    #[should_panic(expected = "expected a class index below 3, got 3")]
    fn a_class_out_of_range_is_refused() {
        Loss::CrossEntropy.share(&[0.0; 3], &[3.0], &[1.0], 1, None);
    }

    #[test]
    fn the_configuration_names_the_level() {
        let parse = |text| serde_json::from_str::<Loss>(text);
        assert_eq!(parse("{\"pinball\": 0.9}").unwrap(), Loss::Pinball(0.9));
        assert_eq!(parse("\"cross_entropy\"").unwrap(), Loss::CrossEntropy);
        assert!(parse("\"pinball\"").is_err());
        for level in [0.0, 1.0, -0.1, f64::NAN] {
            let text = Loss::Pinball(level).check().unwrap_err().to_string();
            assert_eq!(text, format!("expected a pinball loss of a level between 0 and 1, got {level}"));
        }
        assert!(Loss::Pinball(0.5).check().is_ok());
    }
}
