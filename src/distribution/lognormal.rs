//! Values above 0 whose logarithm is normal.

use std::f64::consts::TAU;

use super::link::{from_zero, logistic, softplus, SMALLEST_MEAN};
use crate::level::Level;

/// The least standard deviation of the logarithm.
pub(crate) const SMALLEST_SIGMA: f64 = 1e-4;

/// The mean, in scales from the user's 0, and the standard deviation of the logarithm.
fn in_scales(outputs: &[f32], level: Level) -> (f64, f64) {
    let mean = softplus(from_zero(outputs[0], level)) + SMALLEST_MEAN;
    (mean, softplus(f64::from(outputs[1])) + SMALLEST_SIGMA)
}

pub(super) fn parameters(outputs: &[f32], level: Level) -> [f64; 2] {
    let (mean, sigma) = in_scales(outputs, level);
    [mean * level.scale, sigma]
}

pub(super) fn loss(outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
    let (mean, sigma) = in_scales(outputs, level);
    let value = match target + level.center / level.scale {
        // rounding may leave a small value at or below 0, which has no logarithm
        below if below < SMALLEST_MEAN => SMALLEST_MEAN,
        value => value,
    };
    // the logarithm's own mean is ln(mean) - sigma² / 2
    let z = (value / mean).ln() / sigma + 0.5 * sigma;
    if let Some(slopes) = slopes {
        let by_sigma = (1.0 - z * (z - sigma)) / sigma;
        slopes.copy_from_slice(&[
            -z / (sigma * mean) * logistic(from_zero(outputs[0], level)),
            by_sigma * logistic(f64::from(outputs[1])),
        ]);
    }
    0.5 * (TAU.ln() + z * z) + (sigma * value).ln()
}
