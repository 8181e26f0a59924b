//! The losses of distributions under autograd: the slow, obvious twin, and what GPUs train with.

use std::f64::consts::{PI, TAU};

use tch::{Kind, Tensor};

use crate::distribution::{
    saddlepoint_limit, Distribution, SMALLEST_DF, SMALLEST_DISPERSION, SMALLEST_MEAN, SMALLEST_SCALE, SMALLEST_SHARE,
    SMALLEST_SIGMA,
};
use crate::error::{Error, Result};

impl Distribution {
    /// The losses `(...)` of outputs `(..., n_outputs)` under autograd, in double precision on the way: the twin of
    /// [`Self::loss`].
    ///
    /// Targets, centers and scales are broadcast to `(...)`; the losses are of the outputs' kind.
    ///
    /// # Errors
    /// [`Error::Shape`] when the last dimension isn't [`Self::n_outputs`], [`Error::Torch`] when shapes can't be
    /// broadcast.
    pub fn loss_of_tensors(
        &self,
        outputs: &Tensor,
        targets: &Tensor,
        center: &Tensor,
        scale: &Tensor,
    ) -> Result<Tensor> {
        let n_outputs = self.n_outputs();
        if outputs.size().last().copied() != i64::try_from(n_outputs).ok() {
            return Err(Error::shape(format!("outputs of shape (..., {n_outputs})"), format!("{:?}", outputs.size())));
        }
        let kind = outputs.kind();
        // single precision would lose the difference of the logarithms of two gamma functions
        let outputs = outputs.f_to_kind(Kind::Double)?;
        let places: Vec<Tensor> = (0..outputs.size()[outputs.dim() - 1]).map(|i| outputs.select(-1, i)).collect();
        // refuses shapes that don't fit: the operators below would panic
        let broadcast = Tensor::f_broadcast_tensors(&[&places[0], targets, center, scale])?;
        let [targets, center, scale] = [1, 2, 3].map(|i| broadcast[i].to_kind(Kind::Double));
        let of_each = match self {
            Distribution::Quantiles(levels) => of_quantiles(levels, &outputs, &targets),
            Distribution::Normal => of_normal(&places, &targets),
            Distribution::StudentT => of_student_t(&places, &targets),
            Distribution::NegativeBinomial => {
                let mean = mean_from_zero(&places[0], &center, &scale);
                of_negative_binomial(&mean, &dispersion(&places[1]), &counts(&targets, &center, &scale))
            }
            Distribution::Poisson => {
                let mean = mean_from_zero(&places[0], &center, &scale);
                let counts = counts(&targets, &center, &scale);
                (&counts + 1.0).lgamma() + &mean - counts * mean.log()
            }
            Distribution::ZeroInflatedNegativeBinomial => {
                let mean = mean_from_zero(&places[0], &center, &scale);
                of_zero_inflated(&mean, &places, &counts(&targets, &center, &scale))
            }
            Distribution::Lognormal => of_lognormal(&places, &targets, &(center / scale)),
            Distribution::Tweedie(power) => of_tweedie(*power, &places, &targets, &(center / scale))?,
        };
        Ok(of_each.f_to_kind(kind)?)
    }
}

fn of_quantiles(levels: &[f64], outputs: &Tensor, targets: &Tensor) -> Tensor {
    let n_outputs = outputs.size()[outputs.dim() - 1];
    let middle = n_outputs / 2;
    let (innermost, distances) = (outputs.narrow(-1, 0, 1), softplus(&outputs.narrow(-1, 1, n_outputs - 1)));
    let above = distances.narrow(-1, middle, n_outputs - 1 - middle).cumsum(-1, None);
    let below = distances.narrow(-1, 0, middle).flip([-1]).cumsum(-1, None).flip([-1]);
    let quantiles = Tensor::cat(&[&innermost - below, innermost.shallow_clone(), &innermost + above], -1);
    let levels = Tensor::from_slice(levels).to_device(outputs.device());
    let error = targets.unsqueeze(-1) - quantiles;
    // the derivative of relu is 0 at 0
    let pinball = error.relu() * &levels + (-error).relu() * (levels.ones_like() - &levels);
    pinball.mean_dim(-1, false, None) * 2.0
}

fn of_normal(outputs: &[Tensor], targets: &Tensor) -> Tensor {
    let deviation = softplus(&outputs[1]) + SMALLEST_SCALE;
    let z = (targets - &outputs[0]) / &deviation;
    z.square() * 0.5 + deviation.log() + 0.5 * TAU.ln()
}

fn of_student_t(outputs: &[Tensor], targets: &Tensor) -> Tensor {
    let scale = softplus(&outputs[1]) + SMALLEST_SCALE;
    let df = softplus(&outputs[2]) + SMALLEST_DF;
    let z = (targets - &outputs[0]) / &scale;
    let constant = (&df * 0.5).lgamma() - (&df * 0.5 + 0.5).lgamma() + (&df * PI).log() * 0.5;
    constant + scale.log() + (&df * 0.5 + 0.5) * (z.square() / &df).log1p()
}

fn mean_from_zero(output: &Tensor, center: &Tensor, scale: &Tensor) -> Tensor {
    softplus(&(output + center / scale)) * scale + SMALLEST_MEAN
}

fn dispersion(output: &Tensor) -> Tensor {
    softplus(output) + SMALLEST_DISPERSION
}

fn counts(targets: &Tensor, center: &Tensor, scale: &Tensor) -> Tensor {
    (targets * scale + center).clamp_min(0.0)
}

fn of_negative_binomial(mean: &Tensor, dispersion: &Tensor, counts: &Tensor) -> Tensor {
    let (n, odds) = (dispersion.reciprocal(), dispersion * mean);
    let constant = (counts + 1.0).lgamma() + n.lgamma() - (&n + counts).lgamma();
    constant + (&n + counts) * odds.log1p() - counts * odds.log()
}

fn of_zero_inflated(mean: &Tensor, outputs: &[Tensor], counts: &Tensor) -> Tensor {
    let free = 1.0 - SMALLEST_SHARE;
    let share = (-&outputs[2]).sigmoid() * free + SMALLEST_SHARE;
    let counted = share.log() - of_negative_binomial(&(mean / &share), &dispersion(&outputs[1]), counts);
    let extra = outputs[2].log_sigmoid() + free.ln();
    -extra.logaddexp(&counted).where_self(&counts.lt(0.5), &counted)
}

fn of_lognormal(outputs: &[Tensor], targets: &Tensor, center: &Tensor) -> Tensor {
    let mean = softplus(&(&outputs[0] + center)) + SMALLEST_MEAN;
    let sigma = softplus(&outputs[1]) + SMALLEST_SIGMA;
    let values = (targets + center).clamp_min(SMALLEST_MEAN);
    let z = ((&values / mean).log() + sigma.square() * 0.5) / &sigma;
    z.square() * 0.5 + (sigma * values).log() + 0.5 * TAU.ln()
}

fn of_tweedie(power: f64, outputs: &[Tensor], targets: &Tensor, center: &Tensor) -> Result<Tensor> {
    let mean = softplus(&(&outputs[0] + center)) + SMALLEST_MEAN;
    let dispersion = dispersion(&outputs[1]);
    let values = targets + center;
    let zero = values.le_tensor(&((center.abs() + 1.0) * SMALLEST_MEAN));
    let values = values.masked_fill(&zero, 0.0);
    let tilt = &values * mean.pow_tensor_scalar(1.0 - power) / (1.0 - power)
        - mean.pow_tensor_scalar(2.0 - power) / (2.0 - power);
    // each part sees only values that it can read: what is masked would have slopes that are no numbers
    let few = (&dispersion * values.pow_tensor_scalar(power - 2.0))
        .gt(saddlepoint_limit(power))
        .logical_and(&zero.logical_not());
    let many = zero.logical_or(&few).logical_not();
    let only = |part: &Tensor, of: &Tensor| of.where_self(part, &of.ones_like());
    let series = by_series(power, &only(&few, &dispersion), &only(&few, &values))?;
    let saddlepoint = by_saddlepoint(power, &only(&many, &dispersion), &only(&many, &values));
    let constant = series.where_self(&few, &saddlepoint.masked_fill(&zero, 0.0));
    Ok(constant - tilt / dispersion)
}

/// With as many terms on both sides of the greatest as any of the values needs.
fn by_series(power: f64, dispersion: &Tensor, values: &Tensor) -> Result<Tensor> {
    let shape = (2.0 - power) / (power - 1.0);
    let ln_z = (values / (power - 1.0)).log() * shape - dispersion.log() * (1.0 + shape) - (2.0 - power).ln();
    let likeliest =
        (values.pow_tensor_scalar(2.0 - power) / (dispersion * (2.0 - power))).round().clamp_min(1.0).detach();
    // nine standard deviations of a normal distribution, and 30 where it is far from normal, end below 1e-17
    let most = likeliest.max().f_double_value(&[])?;
    let reach = (9.0 * (most / (1.0 + shape)).sqrt()).ceil() + 30.0;
    let offsets = Tensor::f_arange_start(-reach, reach + 1.0, (Kind::Double, values.device()))?;
    let n = likeliest.unsqueeze(-1) + offsets;
    let none = n.lt(1.0);
    let n = n.clamp_min(1.0);
    let terms = &n * ln_z.unsqueeze(-1) - (&n + 1.0).lgamma() - (n * shape).lgamma();
    Ok(values.log() - terms.masked_fill(&none, f64::NEG_INFINITY).logsumexp(&[-1i64][..], false))
}

fn by_saddlepoint(power: f64, dispersion: &Tensor, values: &Tensor) -> Tensor {
    let tilt = values.pow_tensor_scalar(2.0 - power) / ((1.0 - power) * (2.0 - power));
    let correction = dispersion * values.pow_tensor_scalar(power - 2.0) * (power * (power - 3.0) / 24.0) + 1.0;
    (dispersion * TAU).log() * 0.5 + values.log() * (0.5 * power) + tilt / dispersion - correction.log()
}

/// Without the threshold of `torch.nn.functional.softplus`, above which it is linear: 2e-9 off.
fn softplus(x: &Tensor) -> Tensor {
    x.logaddexp(&x.zeros_like())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::tests::{assert_close, distributions, loss_and_slopes, random_cases, COUNTS};

    #[test]
    fn loss_and_slopes_equal_autograd() {
        for distribution in distributions() {
            for bound in [3.0, 30.0] {
                let (outputs, targets) = random_cases(&distribution, 500, bound);
                let p = distribution.n_outputs();
                let leaf =
                    Tensor::from_slice(&outputs).to_kind(Kind::Double).reshape([500, -1]).set_requires_grad(true);
                let [center, scale] = [COUNTS.center, COUNTS.scale].map(|x| Tensor::from_slice(&[x]));
                let losses =
                    distribution.loss_of_tensors(&leaf, &Tensor::from_slice(&targets), &center, &scale).unwrap();
                assert_eq!(losses.size(), [500]);
                losses.sum(Kind::Double).backward();
                let losses: Vec<f64> = losses.try_into().unwrap();
                let gradient: Vec<f64> = leaf.grad().reshape([-1]).try_into().unwrap();
                for (i, &target) in targets.iter().enumerate() {
                    let (loss, slopes) = loss_and_slopes(&distribution, &outputs[i * p..][..p], target, COUNTS);
                    // doubles on both sides; what is lost most are 15 digits of ln Γ(1e6) = 1e7 in the tensors, which
                    // don't avoid its cancelling where the dispersion is the smallest
                    assert_close(loss, losses[i], 1e-8);
                    for (slope, expected) in slopes.iter().zip(&gradient[i * p..]) {
                        assert_close(*slope, *expected, 1e-8);
                    }
                }
            }
        }
    }

    #[test]
    fn single_precision_keeps_its_kind() {
        let outputs = Tensor::zeros([4, 3, 2], (Kind::Float, tch::Device::Cpu));
        let (ones, targets) = (outputs.select(-1, 0).ones_like(), Tensor::zeros([3], (Kind::Float, tch::Device::Cpu)));
        let losses = Distribution::Normal.loss_of_tensors(&outputs, &targets, &ones, &ones).unwrap();
        assert_eq!((losses.kind(), losses.size()), (Kind::Float, vec![4, 3]));
        let error = |targets, distribution: Distribution| {
            distribution.loss_of_tensors(&outputs, targets, &ones, &ones).unwrap_err().to_string()
        };
        assert_eq!(error(&targets, Distribution::StudentT), "expected outputs of shape (..., 3), got [4, 3, 2]");
        assert!(error(&Tensor::from_slice(&[1.0, 2.0]), Distribution::Normal).starts_with("libtorch: "));
    }
}
