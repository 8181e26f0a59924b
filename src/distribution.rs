//! Distributions of one value: a network's outputs are their parameters, and a loss fits them.

mod counts;
mod link;
mod lognormal;
mod tweedie;

use std::f64::consts::{PI, TAU};

use serde::{Deserialize, Serialize};
use statrs::function::gamma::digamma;

#[cfg(feature = "torch")]
pub(crate) use self::counts::SMALLEST_SHARE;
use self::counts::{ln_rising, loss_of_negative_binomial, loss_of_poisson, loss_of_zero_inflated};
use self::link::{logistic, softplus};
#[cfg(feature = "torch")]
pub(crate) use self::link::{SMALLEST_DISPERSION, SMALLEST_MEAN};
#[cfg(feature = "torch")]
pub(crate) use self::lognormal::SMALLEST_SIGMA;
#[cfg(feature = "torch")]
pub(crate) use self::tweedie::saddlepoint_limit;
use self::tweedie::POWERS;
use crate::error::{Error, Result};
use crate::level::Level;

/// The least standard deviation or scale, in the network's units: without it the likelihood of a value that is hit
/// exactly would have no bound.
pub(crate) const SMALLEST_SCALE: f64 = 1e-4;
/// The least degrees of freedom, at and below which Student's distribution has no variance.
pub(crate) const SMALLEST_DF: f64 = 2.0;

/// What is predicted of one value, from as many outputs of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Quantiles at these levels (`n`, ascending), under the mean over levels of twice the pinball loss (Koenker &
    /// Bassett 1978), so that the median alone has the absolute error.
    ///
    /// Output 0 is the quantile of the middle level, index `n / 2`. The others belong to the other levels in ascending
    /// order; softplus makes each the distance of its quantile from the next one towards the middle. So quantiles never
    /// cross.
    Quantiles(Vec<f64>),
    /// Normal: location, and softplus of the second output as standard deviation (`torch.distributions.Normal`).
    Normal,
    /// Student's t: location, softplus as scale, and 2 + softplus as degrees of freedom, so that it has a variance
    /// (`torch.distributions.StudentT`, parameters as in GluonTS).
    StudentT,
    /// Counts from 0: softplus of the first output, counted from 0 in steps of the level's scale, as mean mu; softplus of
    /// the second as dispersion alpha, for a variance of mu + alpha mu² (DeepAR: Salinas et al. 2020).
    NegativeBinomial,
    /// Counts from 0: softplus of the output, counted from 0 in steps of the level's scale, as mean
    /// (`torch.distributions.Poisson`).
    Poisson,
    /// Counts from 0 with additional zeros: mean and dispersion as for [`Self::NegativeBinomial`], the mean of all counts,
    /// and the logistic function of the third output as probability of an additional zero (Lambert 1992; Greene 1994).
    ZeroInflatedNegativeBinomial,
    /// Values above 0: the mean as of counts, and softplus of the second output as standard deviation of the logarithm
    /// (`torch.distributions.LogNormal`).
    Lognormal,
    /// Values from 0 on, 0 with a probability of its own, of this power: the mean as of counts, and softplus of the second
    /// output as dispersion phi, for a variance of phi mu^power (Jørgensen 1987), both in the level's scale.
    Tweedie(f64),
}

impl Distribution {
    /// Whether the levels of quantiles are such, or a power is one.
    ///
    /// # Errors
    /// [`Error::Value`] when they aren't.
    pub fn check(&self) -> Result<()> {
        let levels = match self {
            Self::Quantiles(levels) => levels,
            Self::Tweedie(power) if !POWERS.contains(power) => {
                let (low, high) = (POWERS.start(), POWERS.end());
                return Err(Error::Value(format!("expected a power of tweedie from {low} to {high}, got {power}")));
            }
            _ => return Ok(()),
        };
        let inside = levels.iter().all(|&level| level > 0.0 && level < 1.0);
        if !levels.is_empty() && inside && levels.windows(2).all(|pair| pair[0] < pair[1]) {
            return Ok(());
        }
        Err(Error::Value(format!("expected levels of quantiles between 0 and 1 in ascending order, got {levels:?}")))
    }

    /// Whether it is one of values from 0 on, whose first parameter is a mean.
    pub fn is_from_zero(&self) -> bool {
        !matches!(self, Self::Quantiles(_) | Self::Normal | Self::StudentT)
    }

    /// How many outputs of the network belong to one value.
    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Quantiles(levels) => levels.len(),
            Self::Poisson => 1,
            Self::Normal | Self::NegativeBinomial | Self::Lognormal | Self::Tweedie(_) => 2,
            Self::StudentT | Self::ZeroInflatedNegativeBinomial => 3,
        }
    }

    /// How many numbers [`Self::parameters`] writes.
    pub fn n_parameters(&self) -> usize {
        self.n_outputs()
    }

    /// The loss of the outputs for one value, and its derivatives with respect to them.
    ///
    /// `outputs` and `target` are in the network's units, and so is the density; counts and values from 0 on are made of
    /// both by `level`. A count has a probability, and so has 0 under [`Self::Tweedie`].
    ///
    /// # Panics
    /// When the lengths aren't [`Self::n_outputs`].
    pub fn loss(&self, outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
        assert_eq!(outputs.len(), self.n_outputs(), "expected as many outputs as {self:?} has");
        match self {
            Self::Quantiles(levels) => loss_of_quantiles(levels, outputs, target, slopes),
            Self::Normal => loss_of_normal(outputs, target, slopes),
            Self::StudentT => loss_of_student_t(outputs, target, slopes),
            Self::NegativeBinomial => loss_of_negative_binomial(outputs, target, level, slopes),
            Self::Poisson => loss_of_poisson(outputs, target, level, slopes),
            Self::ZeroInflatedNegativeBinomial => loss_of_zero_inflated(outputs, target, level, slopes),
            Self::Lognormal => lognormal::loss(outputs, target, level, slopes),
            Self::Tweedie(power) => tweedie::loss(*power, outputs, target, level, slopes),
        }
    }

    /// The parameters of the distribution in the user's units: quantiles, ascending; location and standard deviation;
    /// location, scale and degrees of freedom; mean and dispersion; mean; mean, dispersion and probability of an
    /// additional zero; mean and standard deviation of the logarithm; mean and dispersion.
    ///
    /// # Panics
    /// When the lengths aren't [`Self::n_outputs`] and [`Self::n_parameters`].
    pub fn parameters(&self, outputs: &[f32], level: Level, parameters: &mut [f64]) {
        assert_eq!(outputs.len(), self.n_outputs(), "expected as many outputs as {self:?} has");
        match self {
            Self::Quantiles(_) => each_quantile(outputs, |i, _, quantile| parameters[i] = level.to_user(quantile)),
            Self::Normal | Self::StudentT => {
                let (location, scale) = location_and_scale(outputs);
                parameters[..2].copy_from_slice(&[level.to_user(location), scale * level.scale]);
                if let Some(&raw) = outputs.get(2) {
                    parameters[2] = degrees_of_freedom(raw);
                }
            }
            Self::NegativeBinomial => {
                let (mean, dispersion) = counts::mean_and_dispersion(outputs, level);
                parameters.copy_from_slice(&[mean, dispersion]);
            }
            Self::Poisson => parameters[0] = counts::poisson_mean(outputs, level),
            Self::ZeroInflatedNegativeBinomial => {
                parameters.copy_from_slice(&counts::zero_inflated_parameters(outputs, level));
            }
            Self::Lognormal => parameters.copy_from_slice(&lognormal::parameters(outputs, level)),
            Self::Tweedie(power) => parameters.copy_from_slice(&tweedie::parameters(*power, outputs, level)),
        }
    }
}

fn loss_of_quantiles(levels: &[f64], outputs: &[f32], target: f64, mut slopes: Option<&mut [f64]>) -> f64 {
    let (mut sum, weight) = (0.0, 2.0 / levels.len() as f64);
    each_quantile(outputs, |i, place, quantile| {
        let error = quantile - target;
        let side = if error < 0.0 { levels[i] } else { 1.0 - levels[i] };
        sum += side * error.abs();
        if let Some(slopes) = slopes.as_deref_mut() {
            // as under PyTorch's absolute error, what is right stays
            slopes[place] = if error == 0.0 { 0.0 } else { weight * side * error.signum() };
        }
    });
    if let Some(slopes) = slopes {
        gather_inward(outputs, slopes);
    }
    weight * sum
}

/// Visits each quantile, outward from the middle: the index of its level, the place of its output, the quantile.
fn each_quantile(outputs: &[f32], mut visit: impl FnMut(usize, usize, f64)) {
    let middle = outputs.len() / 2;
    let innermost = f64::from(outputs[0]);
    visit(middle, 0, innermost);
    let mut quantile = innermost;
    for (i, &raw) in outputs.iter().enumerate().skip(middle + 1) {
        quantile += softplus(f64::from(raw));
        visit(i, i, quantile);
    }
    quantile = innermost;
    for (i, &raw) in outputs[1..=middle].iter().enumerate().rev() {
        quantile -= softplus(f64::from(raw));
        visit(i, i + 1, quantile);
    }
}

/// Makes slopes with respect to quantiles, at the places of their outputs, those with respect to the outputs, each of
/// which moves all quantiles further out as well.
fn gather_inward(outputs: &[f32], slopes: &mut [f64]) {
    let middle = outputs.len() / 2;
    let (mut above, mut below) = (0.0, 0.0);
    for (&raw, slope) in outputs.iter().zip(&mut *slopes).skip(middle + 1).rev() {
        above += *slope;
        *slope = above * logistic(f64::from(raw));
    }
    for (&raw, slope) in outputs.iter().zip(&mut *slopes).take(middle + 1).skip(1) {
        below += *slope;
        *slope = -below * logistic(f64::from(raw));
    }
    slopes[0] += above + below;
}

fn location_and_scale(outputs: &[f32]) -> (f64, f64) {
    (f64::from(outputs[0]), softplus(f64::from(outputs[1])) + SMALLEST_SCALE)
}

fn loss_of_normal(outputs: &[f32], target: f64, slopes: Option<&mut [f64]>) -> f64 {
    let (location, deviation) = location_and_scale(outputs);
    let z = (target - location) / deviation;
    if let Some(slopes) = slopes {
        let by_deviation = (1.0 - z * z) / deviation;
        slopes.copy_from_slice(&[-z / deviation, by_deviation * logistic(f64::from(outputs[1]))]);
    }
    0.5 * (TAU.ln() + z * z) + deviation.ln()
}

fn degrees_of_freedom(raw: f32) -> f64 {
    SMALLEST_DF + softplus(f64::from(raw))
}

fn loss_of_student_t(outputs: &[f32], target: f64, slopes: Option<&mut [f64]>) -> f64 {
    let ((location, scale), df) = (location_and_scale(outputs), degrees_of_freedom(outputs[2]));
    let z = (target - location) / scale;
    let surprise = (z * z / df).ln_1p();
    if let Some(slopes) = slopes {
        let weight = (df + 1.0) / (df + z * z);
        let by_scale = (1.0 - weight * z * z) / scale;
        let by_df = 0.5 * (digamma(0.5 * df) - digamma(0.5 * (df + 1.0)) + surprise + (1.0 - weight * z * z) / df);
        let [by_raw_scale, by_raw_df] = [outputs[1], outputs[2]].map(|raw| logistic(f64::from(raw)));
        slopes.copy_from_slice(&[-weight * z / scale, by_scale * by_raw_scale, by_df * by_raw_df]);
    }
    0.5 * ((df * PI).ln() + (df + 1.0) * surprise) - ln_rising(0.5 * df, 0.5) + scale.ln()
}

#[cfg(test)]
pub(crate) mod tests;
