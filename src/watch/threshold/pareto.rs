//! The generalised Pareto distribution, fitted by maximum likelihood.

use serde::{Deserialize, Serialize};

/// Excesses below this number don't tell a shape: an exponential distribution is taken.
const LEAST_FOR_SHAPE: usize = 10;
/// Below it the likelihood has no maximum (Smith 1985).
const LEAST_SHAPE: f64 = -0.5;
const GRID: i32 = 8;

/// Shape and scale of a distribution of positive numbers; shape 0 is the exponential one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pareto {
    /// The heavier the tail, the greater; below 0 it ends.
    pub shape: f64,
    /// In the unit of the numbers.
    pub scale: f64,
}

impl Pareto {
    /// The most likely one for these positive numbers, by Grimshaw's (1993) reduction to one unknown.
    pub fn fit(excesses: &[f64]) -> Self {
        let n = excesses.len();
        let mean = if n == 0 { 0.0 } else { excesses.iter().sum::<f64>() / n as f64 };
        let exponential = Self { shape: 0.0, scale: mean };
        let greatest = excesses.iter().copied().fold(0.0, f64::max);
        if n < LEAST_FOR_SHAPE || greatest <= 0.0 {
            return exponential;
        }
        // theta = shape / scale, in units of the greatest excess above -1
        let at = |x: f64| Self::at(excesses, x.exp_m1() / greatest, mean);
        let (mut best, mut place) = (exponential, 0.0);
        for step in -GRID..=GRID {
            // theta + 1 from e^-8 to e^8
            let x = f64::from(step);
            let found = at(x);
            if found.merit() < best.merit() {
                (best, place) = (found, x);
            }
        }
        let refined = at(golden_section(|x| at(x).merit(), place - 1.0, place + 1.0));
        if refined.merit() < best.merit() {
            refined
        } else {
            best
        }
    }

    /// The best one among those whose shape is `theta` times the scale.
    fn at(excesses: &[f64], theta: f64, mean: f64) -> Self {
        if theta.abs() * mean < 1e-9 {
            return Self { shape: 0.0, scale: mean };
        }
        let shape = excesses.iter().map(|excess| (theta * excess).ln_1p()).sum::<f64>() / excesses.len() as f64;
        Self { shape, scale: shape / theta }
    }

    /// The mean negative log-likelihood of the numbers that it was fitted to along its `theta`, up to a constant.
    fn merit(self) -> f64 {
        if self.shape < LEAST_SHAPE || self.scale.is_nan() || self.scale <= 0.0 {
            return f64::INFINITY;
        }
        self.scale.ln() + self.shape
    }

    /// The excess that is exceeded with this probability; negative for one above 1.
    pub fn excess_of(self, probability: f64) -> f64 {
        // expm1 keeps the digits where the shape is small
        let log = -probability.ln();
        if self.shape.abs() < 1e-12 {
            self.scale * log
        } else {
            self.scale * (self.shape * log).exp_m1() / self.shape
        }
    }
}

/// Where a function of one valley is least between two places.
fn golden_section(function: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (function(left), function(right));
    // 0.618 ^ 32 is 2e-7, of a valley that is flat at its ground
    for _ in 0..32 {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = function(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = function(right);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles of a distribution: what a fit must find again.
    fn quantiles(pareto: Pareto, n: usize) -> Vec<f64> {
        (0..n).map(|i| pareto.excess_of((i as f64 + 0.5) / n as f64)).collect()
    }

    #[test]
    fn shape_and_scale_are_found_again() {
        for shape in [-0.3, 0.0, 0.25, 0.8] {
            let truth = Pareto { shape, scale: 3.0 };
            let found = Pareto::fit(&quantiles(truth, 4000));
            // quantiles cut off the tail: what lies beyond the last of 4000
            assert!((found.shape - shape).abs() < 0.02 && (found.scale - 3.0).abs() < 0.06, "{shape}: {found:?}");
        }
    }

    #[test]
    fn a_few_numbers_are_exponential() {
        assert_eq!(Pareto::fit(&[1.0, 2.0, 6.0]), Pareto { shape: 0.0, scale: 3.0 });
        assert!((Pareto { shape: 0.0, scale: 3.0 }.excess_of((-2.0_f64).exp()) - 6.0).abs() < 1e-12);
    }
}
