//! Counts: Poisson's distribution, the negative binomial one, and that with additional zeros.

use statrs::function::gamma::{digamma, ln_gamma};

use super::link::{logistic, mean_from_zero, softplus, SMALLEST_DISPERSION};
use crate::level::Level;

/// The least probability that a count isn't one of the additional zeros.
pub(crate) const SMALLEST_SHARE: f64 = 1e-3;

/// A target in the user's units.
fn count_of(target: f64, level: Level) -> f64 {
    match level.to_user(target) {
        // rounding may leave a count of 0 below 0, where a great dispersion has no logarithm
        below if below < 0.0 => 0.0,
        count => count,
    }
}

pub(super) fn poisson_mean(outputs: &[f32], level: Level) -> f64 {
    mean_from_zero(outputs[0], level).0
}

pub(super) fn loss_of_poisson(outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
    let (mean, by_output) = mean_from_zero(outputs[0], level);
    let count = count_of(target, level);
    if let Some(slopes) = slopes {
        slopes[0] = (mean - count) / mean * by_output;
    }
    ln_gamma(count + 1.0) + mean - count * mean.ln()
}

pub(super) fn mean_and_dispersion(outputs: &[f32], level: Level) -> (f64, f64) {
    (mean_from_zero(outputs[0], level).0, softplus(f64::from(outputs[1])) + SMALLEST_DISPERSION)
}

pub(super) fn loss_of_negative_binomial(outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
    let (mean, dispersion) = mean_and_dispersion(outputs, level);
    let count = count_of(target, level);
    if let Some(slopes) = slopes {
        let [by_mean, by_dispersion] = negative_binomial_slopes(mean, dispersion, count);
        let by_output = mean_from_zero(outputs[0], level).1;
        slopes.copy_from_slice(&[by_mean * by_output, by_dispersion * logistic(f64::from(outputs[1]))]);
    }
    negative_binomial(mean, dispersion, count)
}

/// The negative log-likelihood of a count.
fn negative_binomial(mean: f64, dispersion: f64, count: f64) -> f64 {
    let (n, odds) = (1.0 / dispersion, dispersion * mean);
    ln_gamma(count + 1.0) - ln_rising(n, count) + (n + count) * odds.ln_1p() - count * odds.ln()
}

/// Its derivatives with respect to mean and dispersion.
fn negative_binomial_slopes(mean: f64, dispersion: f64, count: f64) -> [f64; 2] {
    let (n, odds) = (1.0 / dispersion, dispersion * mean);
    let excess = (mean - count) / (1.0 + odds);
    [excess / mean, n * (n * (digamma(n + count) - digamma(n) - odds.ln_1p()) + excess)]
}

/// The probability of a count that isn't an additional zero, and its derivative: at least [`SMALLEST_SHARE`], so that
/// the counts' own mean, the mean divided by it, stays finite.
fn share(output: f32) -> (f64, f64) {
    let x = f64::from(output);
    let free = 1.0 - SMALLEST_SHARE;
    (SMALLEST_SHARE + free * logistic(-x), -free * logistic(x) * logistic(-x))
}

/// Mean of all counts, dispersion, and probability of an additional zero.
pub(super) fn zero_inflated_parameters(outputs: &[f32], level: Level) -> [f64; 3] {
    let (mean, dispersion) = mean_and_dispersion(outputs, level);
    [mean, dispersion, (1.0 - SMALLEST_SHARE) * logistic(f64::from(outputs[2]))]
}

pub(super) fn loss_of_zero_inflated(outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
    let (mean, dispersion) = mean_and_dispersion(outputs, level);
    let count = count_of(target, level);
    let (share, by_raw) = share(outputs[2]);
    let own = negative_binomial(mean / share, dispersion, count);
    // of the logarithm of the probability of an additional zero
    let (ln_extra, by_raw_extra) = {
        let x = f64::from(outputs[2]);
        ((1.0 - SMALLEST_SHARE).ln() - softplus(-x), logistic(-x))
    };
    let ln_counted = share.ln() - own;
    // in single precision, a count of 0 may come out on either side of it
    let is_zero = count < 0.5;
    let loss = if is_zero { -ln_sum(ln_extra, ln_counted) } else { -ln_counted };
    if let Some(slopes) = slopes {
        // the probability that it isn't an additional zero, now that the count is known
        let counted = if is_zero { (ln_counted + loss).exp() } else { 1.0 };
        let [by_own_mean, by_dispersion] = negative_binomial_slopes(mean / share, dispersion, count);
        let by_share = -(1.0 + by_own_mean * mean / share) / share;
        let by_output = mean_from_zero(outputs[0], level).1;
        slopes.copy_from_slice(&[
            counted * by_own_mean / share * by_output,
            counted * by_dispersion * logistic(f64::from(outputs[1])),
            counted * by_share * by_raw - (1.0 - counted) * by_raw_extra,
        ]);
    }
    loss
}

/// ln(eᵃ + eᵇ), free of overflow.
fn ln_sum(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}

/// ln(Γ(a + x) / Γ(a)) for a > 0 and x of at least 0.
pub(super) fn ln_rising(a: f64, x: f64) -> f64 {
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
