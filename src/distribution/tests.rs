use std::f64::consts::{LN_2, TAU};

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use statrs::function::gamma::ln_gamma;

use super::link::SMALLEST_MEAN;
use super::lognormal::SMALLEST_SIGMA;
use super::*;

const UNIT: Level = Level { center: 0.0, scale: 1.0 };
pub(crate) const COUNTS: Level = Level { center: 6.0, scale: 3.5 };

pub(crate) fn distributions() -> Vec<Distribution> {
    vec![
        Distribution::Quantiles(vec![0.5]),
        Distribution::Quantiles(vec![0.2, 0.9]),
        Distribution::Quantiles(vec![0.05, 0.25, 0.5, 0.75, 0.95]),
        Distribution::Normal,
        Distribution::StudentT,
        Distribution::NegativeBinomial,
        Distribution::Poisson,
        Distribution::ZeroInflatedNegativeBinomial,
        Distribution::Lognormal,
        Distribution::Tweedie(1.5),
        Distribution::Tweedie(1.1),
        Distribution::Tweedie(1.9),
    ]
}

/// Outputs `(n, n_outputs)` within `bound`, and targets that are whole numbers from 0 on in the user's units.
pub(crate) fn random_cases(distribution: &Distribution, n: usize, bound: f32) -> (Vec<f32>, Vec<f64>) {
    let mut rng = StdRng::seed_from_u64(0);
    let outputs = (0..n * distribution.n_outputs()).map(|_| rng.gen_range(-bound..bound)).collect();
    let targets = (0..n).map(|_| (f64::from(rng.gen_range(0..40)) - COUNTS.center) / COUNTS.scale).collect();
    (outputs, targets)
}

pub(crate) fn loss_and_slopes(
    distribution: &Distribution,
    outputs: &[f32],
    target: f64,
    level: Level,
) -> (f64, Vec<f64>) {
    let mut slopes = vec![f64::NAN; outputs.len()];
    let loss = distribution.loss(outputs, target, level, Some(&mut slopes));
    let alone = distribution.loss(outputs, target, level, None);
    assert!(loss == alone || loss.is_nan() && alone.is_nan());
    (loss, slopes)
}

fn parameters(distribution: &Distribution, outputs: &[f32], level: Level) -> Vec<f64> {
    let mut parameters = vec![f64::NAN; distribution.n_parameters()];
    distribution.parameters(outputs, level, &mut parameters);
    parameters
}

/// The output of which softplus makes this.
fn raw(x: f64) -> f32 {
    narrow(x.exp_m1().ln())
}

#[allow(clippy::cast_possible_truncation)] // outputs are single precision
fn narrow(x: f64) -> f32 {
    x as f32
}

pub(crate) fn assert_close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance * (1.0 + expected.abs()), "got {got}, expected {expected}");
}

#[test]
fn slopes_equal_central_differences() {
    let step = 1.0 / 1024.0;
    for distribution in distributions() {
        let (outputs, targets) = random_cases(&distribution, 200, 2.0);
        for (outputs, &target) in outputs.chunks(distribution.n_outputs()).zip(&targets) {
            let kinks = matches!(distribution, Distribution::Quantiles(_));
            let near = |quantile: &f64| (quantile - target).abs() < 0.01;
            if kinks && parameters(&distribution, outputs, UNIT).iter().any(near) {
                continue;
            }
            let (_, slopes) = loss_and_slopes(&distribution, outputs, target, COUNTS);
            let size = slopes.iter().fold(1.0, |most: f64, slope| most.max(slope.abs()));
            for (i, slope) in slopes.iter().enumerate() {
                let mut moved = [outputs.to_vec(), outputs.to_vec()];
                moved[0][i] -= step;
                moved[1][i] += step;
                let [before, after] = [0, 1].map(|side| distribution.loss(&moved[side], target, COUNTS, None));
                let difference = (after - before) / f64::from(moved[1][i] - moved[0][i]);
                // step²/6 is 1.6e-7, of third derivatives that are up to a few hundred times as large as the slopes
                // where the deviation is small
                assert!((difference - slope).abs() < 1e-4 * size, "{distribution:?} {outputs:?} {target}: {i}");
            }
        }
    }
}

/// Of any size and of either sign.
fn any_number() -> impl Strategy<Value = f32> {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, ZERO};
    prop_oneof![NORMAL | ZERO | POSITIVE | NEGATIVE, -100f32..100.0]
}

proptest! {
    #[test]
    fn quantiles_never_cross(
        outputs in prop::collection::vec(any_number(), 1..9),
        center in -1e3..1e3, scale in 0.0..1e3,
    ) {
        let levels = (1..=outputs.len()).map(|i| i as f64 / 10.0).collect();
        let quantiles = parameters(&Distribution::Quantiles(levels), &outputs, Level { center, scale });
        prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", quantiles);
    }

    #[test]
    fn great_outputs_don_t_overflow(
        outputs in prop::collection::vec(any_number(), 3),
        target in -100.0..100.0,
    ) {
        for distribution in distributions().into_iter().filter(|distribution| distribution.n_outputs() <= 3) {
            let outputs = &outputs[..distribution.n_outputs()];
            let (loss, slopes) = loss_and_slopes(&distribution, outputs, target, COUNTS);
            prop_assert!(loss.is_finite(), "{:?} {}", distribution, loss);
            prop_assert!(slopes.iter().all(|slope| slope.is_finite()), "{:?} {:?}", distribution, slopes);
        }
    }
}

#[test]
fn quantiles_of_a_case_worked_by_hand() {
    let distribution = Distribution::Quantiles(vec![0.1, 0.5, 0.9]);
    // softplus(0) is ln 2: quantiles at -ln 2, 0 and ln 2 in the network's units
    let user = Level { center: 10.0, scale: 2.0 };
    assert_eq!(parameters(&distribution, &[0.0; 3], user), [10.0 - 2.0 * LN_2, 10.0, 10.0 + 2.0 * LN_2]);
    // all too low by 5 + ln 2, 5 and 5 - ln 2
    let (loss, slopes) = loss_and_slopes(&distribution, &[0.0; 3], 5.0, user);
    assert_close(loss, 2.0 / 3.0 * (0.1 * (5.0 + LN_2) + 0.5 * 5.0 + 0.9 * (5.0 - LN_2)), 1e-15);
    let each = [-2.0 / 3.0 * (0.1 + 0.5 + 0.9), 2.0 / 3.0 * 0.1 / 2.0, -2.0 / 3.0 * 0.9 / 2.0];
    for (slope, expected) in slopes.iter().zip(each) {
        assert_close(*slope, expected, 1e-15);
    }
}

#[test]
fn the_median_alone_has_the_absolute_error() {
    let median = Distribution::Quantiles(vec![0.5]);
    assert_eq!(loss_and_slopes(&median, &[1.5], 4.0, UNIT), (2.5, vec![-1.0]));
    assert_eq!(loss_and_slopes(&median, &[1.5], 1.5, UNIT), (0.0, vec![0.0]));
}

#[test]
fn densities_equal_closed_forms() {
    // parameters are rounded to single precision on the way in, to 6e-8
    let one = raw(1.0 - SMALLEST_SCALE);
    assert_close(Distribution::Normal.loss(&[0.0, one], 0.0, UNIT, None), 0.5 * TAU.ln(), 1e-6);
    assert_close(Distribution::Normal.loss(&[1.0, one], 3.0, UNIT, None), 0.5 * TAU.ln() + 2.0, 1e-6);
    // with 4 degrees of freedom the density is 3/8 (1 + z²/4)^(-5/2)
    let student = |z| Distribution::StudentT.loss(&[0.0, one, raw(2.0)], z, UNIT, None);
    assert_close(student(0.0), -(0.375f64).ln(), 1e-6);
    assert_close(student(2.0), -(0.375f64).ln() + 2.5 * LN_2, 1e-6);
    // with endless degrees of freedom it is the normal one
    let endless = Distribution::StudentT.loss(&[1.0, one, 1e30], 3.0, UNIT, None);
    assert_close(endless, 0.5 * TAU.ln() + 2.0, 1e-6);
    assert_eq!(parameters(&Distribution::StudentT, &[1.0, one, 1e30], COUNTS)[..1], [9.5]);
}

#[test]
fn counts_equal_closed_forms() {
    for count in [0.0, 1.0, 7.0] {
        let loss = |mean, raw_dispersion| {
            let outputs = [narrow(f64::from(raw(mean / COUNTS.scale)) - COUNTS.center / COUNTS.scale), raw_dispersion];
            let target = (count - COUNTS.center) / COUNTS.scale;
            Distribution::NegativeBinomial.loss(&outputs, target, COUNTS, None)
        };
        // the smallest mean and dispersion are added: 1e-6, times derivatives up to 50
        // with mean and dispersion 1 it is the geometric distribution, P(y) = 2^-(y + 1)
        assert_close(loss(1.0, raw(1.0)), (count + 1.0) * LN_2, 1e-5);
        // without dispersion it is Poisson's
        let poisson = 3.0 - count * 3f64.ln() + ln_gamma(count + 1.0);
        assert_close(loss(3.0, -50.0), poisson, 1e-4);
    }
    let moments = parameters(&Distribution::NegativeBinomial, &[4.0, raw(0.5)], COUNTS);
    // in scales from 0, softplus, back, and what was added
    let expected = COUNTS.scale * softplus(4.0 + COUNTS.center / COUNTS.scale) + 1e-6;
    assert_close(moments[0], expected, 1e-9);
    assert_close(moments[1], 0.5 + 1e-6, 1e-7);
}

#[test]
fn poisson_and_zero_inflated_counts_equal_closed_forms() {
    let target = |count: f64| (count - COUNTS.center) / COUNTS.scale;
    let mean_output = |mean: f64| narrow(f64::from(raw(mean / COUNTS.scale)) - COUNTS.center / COUNTS.scale);
    for count in [0.0, 1.0, 7.0] {
        // what is rounded and added, 1e-6, times derivatives up to 50
        let poisson = Distribution::Poisson.loss(&[mean_output(3.0)], target(count), COUNTS, None);
        assert_close(poisson, 3.0 - count * 3f64.ln() + ln_gamma(count + 1.0), 1e-5);
        // half of the counts are additional zeros, so that the others have the mean 1: P(y) = 2^-(y + 1)
        let at_half = narrow((0.5 / 0.499f64).ln());
        let outputs = [mean_output(0.5), raw(1.0), at_half];
        let inflated = Distribution::ZeroInflatedNegativeBinomial.loss(&outputs, target(count), COUNTS, None);
        let expected = 0.5 * 2f64.powf(-count - 1.0) + if count == 0.0 { 0.5 } else { 0.0 };
        assert_close(inflated, -expected.ln(), 1e-5);
        // a target in single precision is off by 1e-7 on either side
        for rounded in [target(count - 1e-6), target(count + 1e-6)] {
            let found = Distribution::ZeroInflatedNegativeBinomial.loss(&outputs, rounded, COUNTS, None);
            assert_close(found, inflated, 1e-5);
        }
        assert_close(parameters(&Distribution::ZeroInflatedNegativeBinomial, &outputs, COUNTS)[2], 0.5, 1e-3);
    }
}

#[test]
fn without_additional_zeros_it_is_the_negative_binomial_distribution() {
    let (outputs, targets) = random_cases(&Distribution::NegativeBinomial, 50, 3.0);
    for (outputs, &target) in outputs.chunks(2).zip(&targets) {
        let expected = Distribution::NegativeBinomial.loss(outputs, target, COUNTS, None);
        let inflated = [outputs[0], outputs[1], -90.0];
        let found = Distribution::ZeroInflatedNegativeBinomial.loss(&inflated, target, COUNTS, None);
        assert_close(found, expected, 1e-13);
    }
}

#[test]
fn a_lognormal_density_is_that_of_the_logarithm_over_the_value() {
    let level = Level { center: 0.0, scale: 4.0 };
    let (mean, sigma) = (2.0_f64, 0.5);
    let outputs = [raw(mean - SMALLEST_MEAN), raw(sigma - SMALLEST_SIGMA)];
    for value in [0.1, 1.0, 2.0, 30.0] {
        let z = ((value / mean).ln() + 0.5 * sigma * sigma) / sigma;
        let expected = 0.5 * z * z + 0.5 * TAU.ln() + (sigma * value).ln();
        // parameters are rounded to single precision on the way in
        assert_close(Distribution::Lognormal.loss(&outputs, value, level, None), expected, 1e-5);
    }
    let [mean, sigma] = parameters(&Distribution::Lognormal, &outputs, level)[..] else { unreachable!() };
    assert_close(mean, 8.0, 1e-6);
    assert_close(sigma, 0.5, 1e-6);
}

#[test]
fn ln_rising_is_a_sum_of_logarithms() {
    for a in [1e-6, 0.3, 9.999, 10.0, 1e3, 1e6, 1e12] {
        let mut expected = 0.0;
        for n in 0..60 {
            // 15 digits of a hundred
            assert_close(ln_rising(a, f64::from(n)), expected, 1e-13);
            expected += (a + f64::from(n)).ln();
        }
    }
}

#[test]
fn what_is_no_number_shows() {
    for distribution in distributions() {
        for place in 0..distribution.n_outputs() {
            let mut outputs = vec![0.5; distribution.n_outputs()];
            outputs[place] = f32::NAN;
            let (loss, _) = loss_and_slopes(&distribution, &outputs, -COUNTS.center / COUNTS.scale, COUNTS);
            assert!(loss.is_nan(), "{distribution:?}, output {place}: {loss}");
        }
        assert!(distribution.loss(&vec![0.5; distribution.n_outputs()], f64::NAN, COUNTS, None).is_nan());
    }
}

#[test]
fn levels_that_are_none_are_refused() {
    for distribution in distributions() {
        distribution.check().unwrap();
    }
    for levels in [vec![], vec![0.0, 0.5], vec![0.5, 1.0], vec![0.5, 0.5], vec![0.9, 0.1], vec![f64::NAN]] {
        let text = Distribution::Quantiles(levels.clone()).check().unwrap_err().to_string();
        let expected = "expected levels of quantiles between 0 and 1 in ascending order, got ";
        assert_eq!(text, format!("{expected}{levels:?}"));
    }
}

#[test]
fn powers_near_1_and_2_are_refused() {
    for power in [1.0, 1.04, 1.96, 2.0, f64::NAN] {
        let text = Distribution::Tweedie(power).check().unwrap_err().to_string();
        assert_eq!(text, format!("expected a power of tweedie from 1.05 to 1.95, got {power}"));
    }
}

#[test]
#[should_panic(expected = "expected as many outputs as StudentT has")]
fn outputs_of_another_distribution_are_refused() {
    Distribution::StudentT.loss(&[0.0; 2], 0.0, UNIT, None);
}

#[test]
fn the_configuration_names_the_distribution() {
    let quantiles = Distribution::Quantiles(vec![0.1, 0.5, 0.9]);
    for (text, expected) in [
        (r#"{"quantiles":[0.1,0.5,0.9]}"#, quantiles),
        (r#""normal""#, Distribution::Normal),
        (r#""student_t""#, Distribution::StudentT),
        (r#""negative_binomial""#, Distribution::NegativeBinomial),
        (r#""poisson""#, Distribution::Poisson),
        (r#""zero_inflated_negative_binomial""#, Distribution::ZeroInflatedNegativeBinomial),
        (r#""lognormal""#, Distribution::Lognormal),
        (r#"{"tweedie":1.5}"#, Distribution::Tweedie(1.5)),
    ] {
        assert_eq!(serde_json::from_str::<Distribution>(text).unwrap(), expected);
        assert_eq!(serde_json::to_string(&expected).unwrap(), text);
    }
}
