//! Tweedie's distribution of a power between 1 and 2: a sum of as many gamma variables as a Poisson variable says, so
//! 0 has a probability of its own. Its variance is dispersion times mean to the power (Jørgensen 1987).

use std::f64::consts::TAU;
use std::ops::RangeInclusive;

use statrs::function::gamma::ln_gamma;

use super::link::{from_zero, logistic, softplus, SMALLEST_DISPERSION, SMALLEST_MEAN};
use crate::level::Level;

/// Powers nearer to 1 have a peak for each number of gamma variables, those nearer to 2 need thousands of terms.
pub(crate) const POWERS: RangeInclusive<f64> = 1.05..=1.95;

/// The dispersion, divided by the value to the power of 2 less the distribution's, up to which the saddlepoint
/// approximation takes the place of the series, which would have hundreds of terms.
pub(crate) fn saddlepoint_limit(power: f64) -> f64 {
    (0.02_f64).min(0.01 / (2.0 - power))
}

/// Mean and dispersion, in scales from the user's 0.
fn in_scales(outputs: &[f32], level: Level) -> (f64, f64) {
    let mean = softplus(from_zero(outputs[0], level)) + SMALLEST_MEAN;
    (mean, softplus(f64::from(outputs[1])) + SMALLEST_DISPERSION)
}

pub(super) fn parameters(power: f64, outputs: &[f32], level: Level) -> [f64; 2] {
    let (mean, dispersion) = in_scales(outputs, level);
    [mean * level.scale, dispersion * level.scale.powf(2.0 - power)]
}

pub(super) fn loss(power: f64, outputs: &[f32], target: f64, level: Level, slopes: Option<&mut [f64]>) -> f64 {
    let (mean, dispersion) = in_scales(outputs, level);
    let center = level.center / level.scale;
    let value = match target + center {
        // rounding of the target and of the level may leave a 0 on either side
        nearly if nearly <= SMALLEST_MEAN * (1.0 + center.abs()) => 0.0,
        value => value,
    };
    let (constant, constant_by_dispersion) = if value == 0.0 {
        (0.0, 0.0)
    } else if dispersion * value.powf(power - 2.0) > saddlepoint_limit(power) {
        by_series(power, dispersion, value)
    } else {
        by_saddlepoint(power, dispersion, value)
    };
    // what the logarithm of the density has of the mean, times the dispersion
    let tilt = value * mean.powf(1.0 - power) / (1.0 - power) - mean.powf(2.0 - power) / (2.0 - power);
    if let Some(slopes) = slopes {
        let by_mean = (mean.powf(1.0 - power) - value * mean.powf(-power)) / dispersion;
        let by_dispersion = constant_by_dispersion + tilt / dispersion / dispersion;
        slopes.copy_from_slice(&[
            by_mean * logistic(from_zero(outputs[0], level)),
            by_dispersion * logistic(f64::from(outputs[1])),
        ]);
    }
    constant - tilt / dispersion
}

/// What the loss of a value above 0 has besides the mean, and its derivative with respect to the dispersion: the series
/// of Dunn & Smyth (2005), a term for each number of gamma variables, from the greatest to both sides.
fn by_series(power: f64, dispersion: f64, value: f64) -> (f64, f64) {
    let shape = (2.0 - power) / (power - 1.0);
    let ln_z = shape * (value / (power - 1.0)).ln() - (1.0 + shape) * dispersion.ln() - (2.0 - power).ln();
    let ln_term = |n: f64| n * ln_z - ln_gamma(1.0 + n) - ln_gamma(shape * n);
    let likeliest = (value.powf(2.0 - power) / (dispersion * (2.0 - power))).round().max(1.0);
    let greatest = ln_term(likeliest);
    let (mut sum, mut of_numbers) = (1.0, likeliest);
    for step in [1.0, -1.0] {
        let mut n = likeliest + step;
        while n >= 1.0 {
            let term = (ln_term(n) - greatest).exp();
            if term.is_nan() || term <= 1e-17 {
                break;
            }
            sum += term;
            of_numbers += term * n;
            n += step;
        }
    }
    (value.ln() - greatest - sum.ln(), (1.0 + shape) * of_numbers / sum / dispersion)
}

/// The same by the saddlepoint approximation with its first correction, exact to 1e-5 up to [`saddlepoint_limit`].
fn by_saddlepoint(power: f64, dispersion: f64, value: f64) -> (f64, f64) {
    let tilt = value.powf(2.0 - power) / ((1.0 - power) * (2.0 - power));
    let per_dispersion = power * (power - 3.0) / 24.0 * value.powf(power - 2.0);
    let correction = 1.0 + dispersion * per_dispersion;
    (
        0.5 * (TAU * dispersion).ln() + 0.5 * power * value.ln() + tilt / dispersion - correction.ln(),
        0.5 / dispersion - tilt / dispersion / dispersion - per_dispersion / correction,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum over numbers of gamma variables of Poisson probabilities times densities of their sum.
    fn slow(power: f64, mean: f64, dispersion: f64, value: f64) -> f64 {
        let rate = mean.powf(2.0 - power) / (dispersion * (2.0 - power));
        let (shape, scale) = ((2.0 - power) / (power - 1.0), dispersion * (power - 1.0) * mean.powf(power - 1.0));
        let terms: Vec<f64> = (1..4000)
            .map(|n| {
                let (n, all) = (f64::from(n), f64::from(n) * shape);
                let poisson = n * rate.ln() - rate - ln_gamma(n + 1.0);
                poisson + (all - 1.0) * value.ln() - value / scale - all * scale.ln() - ln_gamma(all)
            })
            .collect();
        let greatest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        -greatest - terms.iter().map(|term| (term - greatest).exp()).sum::<f64>().ln()
    }

    fn fast(power: f64, mean: f64, dispersion: f64, value: f64, constant: fn(f64, f64, f64) -> (f64, f64)) -> f64 {
        let tilt = value * mean.powf(1.0 - power) / (1.0 - power) - mean.powf(2.0 - power) / (2.0 - power);
        constant(power, dispersion, value).0 - tilt / dispersion
    }

    #[test]
    fn the_series_is_a_sum_of_gamma_densities() {
        for power in [1.05, 1.2, 1.5, 1.7, 1.95] {
            for mean in [1e-3, 0.5, 3.0, 40.0] {
                for dispersion in [0.1, 1.0, 20.0] {
                    for value in [1e-3, 0.3, 2.0, 50.0] {
                        let (found, expected) =
                            (fast(power, mean, dispersion, value, by_series), slow(power, mean, dispersion, value));
                        // terms of up to 1e5 cancel, in doubles
                        assert!((found - expected).abs() <= 1e-10 * (1.0 + expected.abs()), "{found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_rounded_zero_is_zero() {
        let level = Level { center: 20.0, scale: 3.0 };
        let of_target = |target| loss(1.5, &[-3.0, 0.5], target, level, None);
        let exact = of_target(-20.0 / 3.0);
        // single precision has steps of 5e-7 there
        for rounded in [-20.0 / 3.0 - 5e-7, -20.0 / 3.0 + 5e-7] {
            assert_eq!(of_target(rounded), exact);
        }
        assert!((of_target(-20.0 / 3.0 + 1e-3) - exact).abs() > 0.1);
    }

    #[test]
    fn both_ways_agree_where_one_takes_over() {
        for power in [1.05, 1.2, 1.5, 1.7, 1.95] {
            for value in [0.1_f64, 1.0, 30.0] {
                let dispersion = saddlepoint_limit(power) * value.powf(2.0 - power);
                let ((series, slope), (saddlepoint, other)) =
                    (by_series(power, dispersion, value), by_saddlepoint(power, dispersion, value));
                // the second correction is some (0.01)²; slopes are of a logarithm's size, 1 / dispersion
                assert!((series - saddlepoint).abs() < 2e-5, "{power} {value}: {series} {saddlepoint}");
                assert!((slope - other).abs() * dispersion < 1e-4, "{power} {value}: {slope} {other}");
            }
        }
    }

    #[test]
    fn slopes_of_the_saddlepoint_equal_central_differences() {
        let level = Level { center: 30.0, scale: 1.0 };
        for outputs in [[0.5_f32, -6.0], [-2.0, -9.0]] {
            let mut slopes = [f64::NAN; 2];
            loss(1.5, &outputs, 1.0, level, Some(&mut slopes));
            for place in 0..2 {
                let mut moved = [outputs; 2];
                moved[0][place] -= 1.0 / 1024.0;
                moved[1][place] += 1.0 / 1024.0;
                let [before, after] = moved.map(|outputs| loss(1.5, &outputs, 1.0, level, None));
                let difference = (after - before) / f64::from(moved[1][place] - moved[0][place]);
                // step²/6 is 1.6e-7, of third derivatives of the slopes' size; losses of 1e4 keep 12 digits
                assert!((difference - slopes[place]).abs() < 1e-5 * (1.0 + slopes[place].abs()), "{outputs:?}");
            }
        }
    }
}
