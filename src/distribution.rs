//! Distributions of one value: a network's outputs are their parameters, and a loss fits them.

use std::f64::consts::{PI, TAU};

use serde::{Deserialize, Serialize};
use statrs::function::gamma::{digamma, ln_gamma};

use crate::error::{Error, Result};
use crate::level::Level;

/// The least standard deviation or scale, in the network's units: without it the likelihood of a value that is hit
/// exactly would have no bound.
pub(crate) const SMALLEST_SCALE: f64 = 1e-4;
/// The least mean of a count, so that its logarithm is finite.
pub(crate) const SMALLEST_MEAN: f64 = 1e-6;
/// The least dispersion of a count: a Poisson distribution for all that counts below 1e5 can tell.
pub(crate) const SMALLEST_DISPERSION: f64 = 1e-6;
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
}

impl Distribution {
    /// Whether the levels of quantiles are such.
    ///
    /// # Errors
    /// [`Error::Value`] when they aren't.
    pub fn check(&self) -> Result<()> {
        let Self::Quantiles(levels) = self else { return Ok(()) };
        let inside = levels.iter().all(|&level| level > 0.0 && level < 1.0);
        if !levels.is_empty() && inside && levels.windows(2).all(|pair| pair[0] < pair[1]) {
            return Ok(());
        }
        Err(Error::Value(format!("expected levels of quantiles between 0 and 1 in ascending order, got {levels:?}")))
    }

    /// How many outputs of the network belong to one value.
    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Quantiles(levels) => levels.len(),
            Self::Normal | Self::NegativeBinomial => 2,
            Self::StudentT => 3,
        }
    }

    /// How many numbers [`Self::parameters`] writes.
    pub fn n_parameters(&self) -> usize {
        self.n_outputs()
    }

    /// The loss of the outputs for one value, and its derivatives with respect to them.
    ///
    /// `outputs` and `target` are in the network's units, and so is the density; counts are made of both by `level`,
    /// and have their own probability.
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
        }
    }

    /// The parameters of the distribution in the user's units: quantiles, ascending; location and standard deviation;
    /// location, scale and degrees of freedom; mean and dispersion.
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
                let (mean, dispersion) = mean_and_dispersion(outputs, level);
                parameters.copy_from_slice(&[mean, dispersion]);
            }
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

/// An output in scales from the user's 0.
fn from_zero(output: f32, level: Level) -> f64 {
    f64::from(output) + level.center / level.scale
}

fn mean_and_dispersion(outputs: &[f32], level: Level) -> (f64, f64) {
    let mean = level.scale * softplus(from_zero(outputs[0], level)) + SMALLEST_MEAN;
    (mean, softplus(f64::from(outputs[1])) + SMALLEST_DISPERSION)
}

fn loss_of_negative_binomial(outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
    let (mean, dispersion) = mean_and_dispersion(outputs, level);
    let count = match level.to_user(target) {
        // rounding may leave a count of 0 below 0, where a great dispersion has no logarithm
        below if below < 0.0 => 0.0,
        count => count,
    };
    let (n, odds) = (1.0 / dispersion, dispersion * mean);
    if let Some(slopes) = slopes {
        let excess = (mean - count) / (1.0 + odds);
        let by_dispersion = n * (n * (digamma(n + count) - digamma(n) - odds.ln_1p()) + excess);
        let by_output = level.scale * logistic(from_zero(outputs[0], level));
        slopes.copy_from_slice(&[excess / mean * by_output, by_dispersion * logistic(f64::from(outputs[1]))]);
    }
    ln_gamma(count + 1.0) - ln_rising(n, count) + (n + count) * odds.ln_1p() - count * odds.ln()
}

/// ln(1 + eˣ), free of overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The derivative of [`softplus`].
fn logistic(x: f64) -> f64 {
    // where the exponential is infinite, 0 is right
    1.0 / (1.0 + (-x).exp())
}

/// ln(Γ(a + x) / Γ(a)) for a > 0 and x of at least 0.
fn ln_rising(a: f64, x: f64) -> f64 {
    if a < 10.0 {
        return ln_gamma(a + x) - ln_gamma(a);
    }
    // the two logarithms would cancel: the difference of their Stirling series, which is exact to 1e-14 from 10 on
    let rest = |a: f64| {
        let square = 1.0 / (a * a);
        (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0)))) / a
    };
    (a - 0.5) * (x / a).ln_1p() + x * ((a + x).ln() - 1.0) + rest(a + x) - rest(a)
}

#[cfg(test)]
pub(crate) mod tests;
