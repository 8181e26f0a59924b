//! What known features add to targets at each row, a function that a regression finds: linear in the features, in their
//! recent means and in hinges of up to three of them.

use super::panel::Panel;
use super::scale::Scaler;
use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};

/// Rows after which a row counts half in a recent mean.
const HALF_LIVES: [f64; 3] = [3.0, 12.0, 48.0];
/// Hinges of each feature by itself, which bend at quantiles of it.
const N_SINGLE: usize = 6;
/// Hinges `max(0, a x + b y + c z - threshold)` of several features: products of few features, as of an hour and a
/// temperature, are close to sums of them (Rahimi & Recht 2008, "Weighted Sums of Random Kitchen Sinks").
const N_HINGES: usize = 256;
/// Features of such a hinge, at most.
const MOST_FEATURES: usize = 3;
/// Hinges are the same whatever the seed of the network: their weights are solved for, and that is all that differs.
const SEED: u64 = 0;

/// The function, of scaled features, in scaled units of the targets. A missing feature is 0.
///
/// Its terms are the features, for each rate a recent mean of all of them, and the hinges. A recent mean begins at the
/// first row of a window; each row moves it towards the row's value by the rate.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownEffect {
    n_known: usize,
    rates: Vec<f64>,
    /// `(n_hinges, n_known)`.
    hinges: Vec<f64>,
    thresholds: Vec<f64>,
    /// `(n_targets, n_terms)`.
    weight: Vec<f64>,
    /// Feature and factor of the hinges, those that aren't zero.
    factors: Vec<Vec<(usize, f64)>>,
}

impl KnownEffect {
    /// One without weights, whose hinges are of the features `kept`. They bend at some of these rows `(n, n_known)` of features.
    pub fn draw((n_known, n_targets): (usize, usize), kept: &[usize], rows: &[f32]) -> Self {
        let mut rng = Rng::new(SEED, Purpose::Hinges);
        let (mut hinges, mut thresholds) = (Vec::new(), Vec::new());
        let n_rows = rows.len() / n_known;
        for &feature in kept {
            let mut values: Vec<f64> = rows.iter().skip(feature).step_by(n_known).map(|&value| value.into()).collect();
            values.sort_by(f64::total_cmp);
            let mut bends: Vec<f64> = (1..=N_SINGLE).map(|i| values[i * n_rows / (N_SINGLE + 1)]).collect();
            bends.dedup();
            // beyond the ends of a feature, or between two values that it has, a hinge is linear
            bends.retain(|&bend| bend > values[0] && bend < values[n_rows - 1]);
            for bend in bends {
                hinges.extend((0..n_known).map(|at| f64::from(u8::from(at == feature))));
                thresholds.push(bend);
            }
        }
        for _ in 0..if kept.len() > 1 { N_HINGES } else { 0 } {
            let mut hinge = vec![0.0; n_known];
            while hinge.iter().filter(|&&factor| factor != 0.0).count() < 2 {
                for _ in 0..MOST_FEATURES {
                    // of variance 1
                    hinge[kept[pick(&mut rng, kept.len())]] = (2.0 * rng.unit() - 1.0) * 3f64.sqrt();
                }
            }
            let row = &rows[pick(&mut rng, n_rows) * n_known..];
            thresholds.push(hinge.iter().zip(row).map(|(factor, &value)| factor * f64::from(value)).sum());
            hinges.extend(hinge);
        }
        let rates: Vec<f64> = HALF_LIVES.iter().map(|rows| 1.0 - 0.5f64.powf(1.0 / rows)).collect();
        let n_terms = n_known * (1 + rates.len()) + thresholds.len();
        Self::new(n_known, rates, hinges, thresholds, vec![0.0; n_targets * n_terms])
    }

    fn new(n_known: usize, rates: Vec<f64>, hinges: Vec<f64>, thresholds: Vec<f64>, weight: Vec<f64>) -> Self {
        let nonzero =
            |hinge: &[f64]| hinge.iter().copied().enumerate().filter(|&(_, factor)| factor != 0.0).collect::<Vec<_>>();
        let factors = hinges.chunks_exact(n_known).map(nonzero).collect();
        Self { n_known, rates, hinges, thresholds, weight, factors }
    }

    /// That of a file, whose arrays [`KnownEffect::arrays`] gave.
    ///
    /// # Errors
    /// [`Error::Value`] for arrays of other lengths, or numbers that aren't finite.
    pub fn of_arrays((n_known, n_targets): (usize, usize), arrays: [Vec<f64>; 4]) -> Result<Self> {
        let finite = arrays.iter().flatten().all(|number| number.is_finite());
        let [rates, hinges, thresholds, weight] = arrays;
        let n_terms = n_known.saturating_mul(1 + rates.len()).saturating_add(thresholds.len());
        let fits = hinges.len() == thresholds.len().saturating_mul(n_known)
            && weight.len() == n_targets.saturating_mul(n_terms)
            && n_known > 0;
        if finite && fits && rates.iter().all(|rate| (0.0..=1.0).contains(rate)) {
            return Ok(Self::new(n_known, rates, hinges, thresholds, weight));
        }
        Err(Error::Value(format!(
            "expected finite arrays of an effect of {n_known} known features on {n_targets} targets, got others"
        )))
    }

    /// Its arrays by name, for files: rates, hinges `(n_hinges, n_known)`, their thresholds, weight `(n_targets, n_terms)`.
    pub fn arrays(&self) -> [(&'static str, &[f64]); 4] {
        let [rates, hinges, thresholds, weight] = Self::NAMES;
        [(rates, &self.rates), (hinges, &self.hinges), (thresholds, &self.thresholds), (weight, &self.weight)]
    }

    /// The names of its arrays, beside those of the scalers.
    pub const NAMES: [&'static str; 4] = ["effect_rates", "effect_hinges", "effect_thresholds", "effect_weight"];

    /// Features.
    pub fn n_known(&self) -> usize {
        self.n_known
    }

    /// Terms of the sum.
    pub fn n_terms(&self) -> usize {
        self.n_smooth() + self.n_hinges()
    }

    /// Features and recent means, which are the first terms.
    pub fn n_smooth(&self) -> usize {
        self.n_known * (1 + self.rates.len())
    }

    /// Hinges, which are the last.
    pub fn n_hinges(&self) -> usize {
        self.thresholds.len()
    }

    /// The terms that are of none but some features: those themselves, with their recent means and their hinges if wanted.
    pub fn terms_of(&self, kept: &[usize], (with_means, with_hinges): (bool, bool)) -> Vec<usize> {
        let n_smooth = if with_means { self.n_smooth() } else { self.n_known };
        let smooth = (0..n_smooth).filter(|at| kept.contains(&(at % self.n_known)));
        let is_of_kept = |i: &usize| self.factors[*i].iter().all(|(feature, _)| kept.contains(feature));
        let hinges = (0..if with_hinges { self.n_hinges() } else { 0 }).filter(is_of_kept);
        smooth.chain(hinges.map(|i| self.n_smooth() + i)).collect()
    }

    /// With other weights `(n_targets, n_terms)`.
    ///
    /// # Panics
    /// For another number of weights.
    #[must_use]
    pub fn with_weight(self, weight: Vec<f64>) -> Self {
        assert_eq!(weight.len(), self.weight.len(), "expected as many weights as before");
        Self { weight, ..self }
    }

    /// Whether it adds nothing.
    pub fn is_zero(&self) -> bool {
        self.weight.iter().all(|&weight| weight == 0.0)
    }

    /// The terms of consecutive rows `(n, n_known)` of a window: `(n, n_terms)`.
    #[allow(clippy::cast_possible_truncation)] // inputs of the regression
    pub fn terms(&self, rows: &[f32]) -> Vec<f32> {
        let mut terms = Vec::with_capacity(rows.len() / self.n_known * self.n_terms());
        let mut means: Vec<f64> =
            (0..self.rates.len()).flat_map(|_| rows[..self.n_known].iter().map(|&value| f64::from(value))).collect();
        for row in rows.chunks_exact(self.n_known) {
            terms.extend_from_slice(row);
            for (means, rate) in means.chunks_exact_mut(self.n_known).zip(&self.rates) {
                for (mean, &value) in means.iter_mut().zip(row) {
                    *mean += rate * (f64::from(value) - *mean);
                    terms.push(*mean as f32);
                }
            }
            terms.extend((0..self.n_hinges()).map(|i| self.hinge(i, row) as f32));
        }
        terms
    }

    fn hinge(&self, i: usize, row: &[f32]) -> f64 {
        let sum: f64 = self.factors[i].iter().map(|&(at, factor)| factor * f64::from(row[at])).sum();
        (sum - self.thresholds[i]).max(0.0)
    }

    /// Appends, for each target, what a row adds by itself, and to each recent mean: `(n_targets, 1 + n_rates)`.
    fn parts(&self, row: &[f32], bends: &mut Vec<f64>, parts: &mut Vec<f64>) {
        bends.clear();
        bends.extend((0..self.n_hinges()).map(|i| self.hinge(i, row)));
        for weight in self.weight.chunks_exact(self.n_terms()) {
            let (smooth, hinges) = weight.split_at(self.n_smooth());
            let linear = |weight: &[f64]| -> f64 {
                weight.iter().zip(row).map(|(weight, &value)| weight * f64::from(value)).sum()
            };
            let mut smooth = smooth.chunks_exact(self.n_known).map(linear);
            let bent: f64 = hinges.iter().zip(&*bends).map(|(weight, bend)| weight * bend).sum();
            parts.push(smooth.next().unwrap_or(0.0) + bent);
            parts.extend(smooth);
        }
    }
}

/// A number below `n`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn pick(rng: &mut Rng, n: usize) -> usize {
    ((rng.unit() * n as f64) as usize).min(n - 1)
}

/// An effect at the rows of a panel, from which those at the rows of any window follow.
#[derive(Debug)]
pub struct RowEffects {
    /// Of each row, then of features that are all 0, as before a series: `(n_rows + 1, n_targets, 1 + n_rates)`.
    parts: Vec<f64>,
    /// The number of the first row of each series.
    starts: Vec<usize>,
    rates: Vec<f64>,
    n_targets: usize,
}

impl RowEffects {
    /// That of the last columns of a panel, scaled by `scaler`.
    pub fn new(effect: &KnownEffect, panel: &Panel, scaler: &Scaler) -> Self {
        let n_targets = effect.weight.len() / effect.n_terms();
        let (mut parts, mut bends, mut starts, mut features) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (first, mut n_rows) = (panel.n_columns() - effect.n_known, 0);
        for series in 0..panel.n_series() {
            let rows = panel.series(series);
            starts.push(n_rows);
            n_rows += rows.n_rows();
            for row in 0..rows.n_rows() {
                features.clear();
                let values = rows.row(row)[first..].iter().enumerate();
                features.extend(values.map(|(i, &value)| scaler.transform_one(first + i, value)).map(zero_if_nan));
                effect.parts(&features, &mut bends, &mut parts);
            }
        }
        effect.parts(&vec![0.0; effect.n_known], &mut bends, &mut parts);
        Self { parts, starts, rates: effect.rates.clone(), n_targets }
    }

    /// What is added to a target at so many rows from the first of a window of `window_size` on, which ends before row `origin`
    /// of a series.
    pub fn of_window(
        &self,
        (series, origin): (usize, usize),
        target: usize,
        (window_size, n_rows): (usize, usize),
    ) -> Vec<f64> {
        let width = 1 + self.rates.len();
        let part = |row: usize| &self.parts[(row * self.n_targets + target) * width..][..width];
        let before = self.parts.len() / (width * self.n_targets) - 1;
        let at = |i: usize| part((origin + i).checked_sub(window_size).map_or(before, |row| self.starts[series] + row));
        let mut means = at(0)[1..].to_vec();
        let of_row = |i: usize| {
            let part = at(i);
            for ((mean, &value), rate) in means.iter_mut().zip(&part[1..]).zip(&self.rates) {
                *mean += rate * (value - *mean);
            }
            part[0] + means.iter().sum::<f64>()
        };
        (0..n_rows).map(of_row).collect()
    }
}

fn zero_if_nan(value: f32) -> f32 {
    if value.is_nan() {
        0.0
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Matrix;

    /// `2 x`, a recent mean of `x` that moves half of the way, and `3 max(0, x - y - 1)`.
    fn effect() -> KnownEffect {
        let arrays = [vec![0.5], vec![1.0, -1.0], vec![1.0], vec![2.0, 0.0, 1.0, 0.0, 3.0]];
        KnownEffect::of_arrays((2, 1), arrays).unwrap()
    }

    #[test]
    fn a_case_worked_by_hand() {
        let terms = effect().terms(&[1.0, 0.0, 3.0, 1.0]);
        assert_eq!(terms, [1.0, 0.0, 1.0, 0.0, 0.0, 3.0, 1.0, 2.0, 0.5, 1.0]);
        // a target and a past feature come before; a missing feature is 0
        let rows = [9.0, 9.0, 1.0, 0.0, 9.0, 9.0, 3.0, 1.0, 9.0, 9.0, f64::NAN, 0.0];
        let panel = Panel::one(Matrix::new(&rows, 4).unwrap());
        let rows = RowEffects::new(&effect(), &panel, &Scaler::identity(4));
        let place = |origin| (0, origin);
        assert_eq!(rows.of_window(place(2), 0, (2, 3)), [2.0 + 1.0, 6.0 + 2.0 + 3.0, 1.0]);
        // a mean begins with the window; before the series, features are 0
        assert_eq!(rows.of_window(place(2), 0, (1, 2)), [6.0 + 3.0 + 3.0, 1.5]);
        assert_eq!(rows.of_window(place(1), 0, (2, 2)), [0.0, 2.0 + 0.5]);
    }

    #[test]
    fn rows_of_each_series_have_their_own_effect() {
        let rows = [1.0, 0.0, 3.0, 1.0, 5.0, 0.0];
        let panel = Panel::new(Matrix::new(&rows, 2).unwrap(), vec![0, 1, 3], None, 0).unwrap();
        let rows = RowEffects::new(&effect(), &panel, &Scaler::identity(2));
        let of = |series| rows.of_window((series, 0), 0, (0, 1));
        assert_eq!((of(0), of(1)), (vec![3.0], vec![6.0 + 3.0 + 3.0]));
    }

    #[test]
    fn effects_are_the_weighted_sums_of_terms() {
        let mut rng = Rng::new(1, Purpose::Shuffle);
        let (n, n_known) = (30, 5);
        let rows = rng.uniform(n * n_known, 2.0);
        let drawn = KnownEffect::draw((n_known, 2), &[0, 2, 3], &rows);
        let weight: Vec<f64> = rng.uniform(2 * drawn.n_terms(), 1.0).into_iter().map(f64::from).collect();
        let effect = drawn.with_weight(weight.clone());
        let wide: Vec<f64> = rows.iter().copied().map(f64::from).collect();
        let panel = Panel::one(Matrix::new(&wide, n_known).unwrap());
        let of_rows = RowEffects::new(&effect, &panel, &Scaler::identity(n_known));
        for target in 0..2 {
            let got = of_rows.of_window((0, 20), target, (15, 25));
            let terms = effect.terms(&rows[5 * n_known..]);
            for (terms, got) in terms.chunks_exact(effect.n_terms()).zip(got) {
                let weight = &weight[target * effect.n_terms()..];
                let expected: f64 = terms.iter().zip(weight).map(|(&term, weight)| f64::from(term) * weight).sum();
                // some 270 terms in single precision
                assert!((got - expected).abs() < 1e-4, "{got} {expected}");
            }
        }
    }

    #[test]
    fn hinges_are_of_few_of_the_features_that_are_kept_and_bend_at_rows() {
        let mut rows = Rng::new(1, Purpose::Shuffle).uniform(100 * 7, 1.0);
        // of a feature with two values, a hinge would be linear
        rows.iter_mut().skip(5).step_by(7).for_each(|value| *value = value.signum());
        let effect = KnownEffect::draw((7, 1), &[1, 2, 5], &rows);
        assert!(effect.is_zero());
        assert_eq!(effect.n_hinges(), 2 * N_SINGLE + N_HINGES);
        let terms = effect.terms(&rows);
        for i in 0..effect.n_hinges() {
            let of: Vec<usize> = effect.factors[i].iter().map(|&(feature, _)| feature).collect();
            assert!(of.iter().all(|feature| [1, 2, 5].contains(feature)), "{of:?}");
            assert!(if i < 2 * N_SINGLE { of.len() == 1 } else { (2..=MOST_FEATURES).contains(&of.len()) }, "{of:?}");
            // at the row where it bends, it is 0, and rises from there
            let column = || terms.chunks_exact(effect.n_terms()).map(|row| row[effect.n_smooth() + i]);
            assert!(column().any(|value| value == 0.0));
        }
        assert_eq!(KnownEffect::draw((7, 1), &[5], &rows).n_hinges(), 0);
    }

    #[test]
    fn terms_of_some_features_read_no_others() {
        let effect = effect();
        assert_eq!(effect.terms_of(&[0, 1], (true, true)), [0, 1, 2, 3, 4]);
        assert_eq!(effect.terms_of(&[0, 1], (false, true)), [0, 1, 4]);
        assert_eq!(effect.terms_of(&[0], (true, true)), [0, 2]);
        assert_eq!(effect.terms_of(&[1], (true, false)), [1, 3]);
    }

    #[test]
    fn arrays_say_all_and_are_checked() {
        let arrays = || effect().arrays().map(|(_, numbers)| numbers.to_vec());
        assert_eq!(KnownEffect::of_arrays((2, 1), arrays()).unwrap(), effect());
        for (sizes, which, number) in [((2, 2), 0, 0.5), ((3, 1), 0, 0.5), ((2, 1), 0, 2.0), ((2, 1), 3, f64::NAN)] {
            let mut arrays = arrays();
            arrays[which][0] = number;
            assert!(KnownEffect::of_arrays(sizes, arrays).is_err(), "{sizes:?} {which} {number}");
        }
    }
}
