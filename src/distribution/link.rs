//! How the network's outputs, which may be any numbers, become parameters that are above 0, or shares.

use crate::level::Level;

/// The least mean of a count, so that its logarithm is finite; of other values from 0 on, in scales of their level.
pub(crate) const SMALLEST_MEAN: f64 = 1e-6;
/// The least dispersion: a Poisson distribution for all that counts below 1e5 can tell.
pub(crate) const SMALLEST_DISPERSION: f64 = 1e-6;

/// An output in scales from the user's 0.
pub(super) fn from_zero(output: f32, level: Level) -> f64 {
    f64::from(output) + level.center / level.scale
}

/// softplus of the first output, counted from 0, as mean in the user's units, and its derivative.
pub(super) fn mean_from_zero(output: f32, level: Level) -> (f64, f64) {
    let x = from_zero(output, level);
    (level.scale * softplus(x) + SMALLEST_MEAN, level.scale * logistic(x))
}

/// ln(1 + eˣ), free of overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The derivative of [`softplus`].
pub(super) fn logistic(x: f64) -> f64 {
    // where the exponential is infinite, 0 is right
    1.0 / (1.0 + (-x).exp())
}
