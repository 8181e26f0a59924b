//! Scaling of columns: standard, min-max, robust, with scikit-learn's semantics.
//!
//! Every scaler here is affine: `scaled = (value - center) / scale`. NaN is passed over in fitting and kept in scaling.

use serde::{Deserialize, Serialize};

use super::Matrix;
use crate::error::{Error, Result};

/// Which statistics bring a column to a common size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalerKind {
    /// Mean 0 and standard deviation 1 (`sklearn.preprocessing.StandardScaler`).
    Standard,
    /// The range 0 to 1 (`sklearn.preprocessing.MinMaxScaler`).
    Minmax,
    /// Median 0 and inter-quartile range 1 (`sklearn.preprocessing.RobustScaler`).
    Robust,
}

/// A fitted scaler: one centre and one scale for each column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Subtracted, of shape `(n_columns,)`.
    pub center: Vec<f64>,
    /// Divided by afterwards, of shape `(n_columns,)`.
    pub scale: Vec<f64>,
}

impl Scaler {
    /// The scaler that changes nothing.
    pub fn identity(n_columns: usize) -> Self {
        Self { center: vec![0.0; n_columns], scale: vec![1.0; n_columns] }
    }

    /// Learns from tables of the same columns as if they were one; pass training rows only. A column of NaN alone is left
    /// as it is.
    pub fn fit<T: Copy + Into<f64>>(kind: ScalerKind, data: &[Matrix<T>]) -> Self {
        let (center, scale) = match kind {
            ScalerKind::Standard => moments(data).iter().map(|m| (m.mean, m.scale)).unzip(),
            ScalerKind::Minmax => ranges(data).iter().map(|r| (r.min, one_if_tiny(r.max - r.min))).unzip(),
            ScalerKind::Robust => columns(data).into_iter().map(median_and_spread).unzip(),
        };
        let mut scaler = Self { center, scale };
        for (center, scale) in scaler.center.iter_mut().zip(&mut scaler.scale) {
            if center.is_nan() {
                (*center, *scale) = (0.0, 1.0);
            }
        }
        scaler
    }

    /// The scaler of the first `n` columns.
    pub fn first(&self, n: usize) -> Self {
        Self { center: self.center[..n].to_vec(), scale: self.scale[..n].to_vec() }
    }

    /// Whether it belongs to tables of this many columns.
    ///
    /// # Errors
    /// [`Error::Shape`] when it doesn't.
    pub fn check(&self, n_columns: usize) -> Result<()> {
        if self.center.len() == n_columns && self.scale.len() == n_columns {
            return Ok(());
        }
        Err(Error::shape(
            format!("centre and scale of {n_columns} columns"),
            format!("{} and {}", self.center.len(), self.scale.len()),
        ))
    }

    /// Whether it can scale: its numbers are finite, and none of the scales is 0.
    ///
    /// # Errors
    /// [`Error::Value`] when it can't.
    pub fn check_numbers(&self) -> Result<()> {
        if self.center.iter().chain(&self.scale).all(|x| x.is_finite()) && self.scale.iter().all(|&x| x != 0.0) {
            return Ok(());
        }
        Err(Error::Value("expected finite scalers with scales other than 0, got others".to_owned()))
    }

    /// Scales row-major values whose columns repeat with the scaler's length.
    #[allow(clippy::cast_possible_truncation)]
    pub fn transform(&self, values: &[f64]) -> Vec<f32> {
        self.map(values, |value, center, scale| ((value - center) / scale) as f32)
    }

    /// Scales one number of a column.
    #[allow(clippy::cast_possible_truncation)]
    pub fn transform_one(&self, column: usize, value: f64) -> f32 {
        ((value - self.center[column]) / self.scale[column]) as f32
    }

    /// The inverse of [`Scaler::transform`].
    pub fn inverse(&self, values: &[f32]) -> Vec<f64> {
        self.map(values, |value, center, scale| f64::from(value) * scale + center)
    }

    /// `map(value, center, scale)` of all values, row after row.
    pub fn map<T: Copy, U>(&self, values: &[T], map: impl Fn(T, f64, f64) -> U) -> Vec<U> {
        let mut mapped = Vec::with_capacity(values.len());
        for row in values.chunks_exact(self.center.len()) {
            let columns = self.center.iter().zip(&self.scale);
            mapped.extend(row.iter().zip(columns).map(|(&value, (&center, &scale))| map(value, center, scale)));
        }
        mapped
    }
}

/// The columns of tables, at least one, NaN left out.
pub fn columns<T: Copy + Into<f64>>(data: &[Matrix<T>]) -> Vec<Vec<f64>> {
    let n_rows = data.iter().map(Matrix::n_rows).sum();
    let mut columns = vec![Vec::with_capacity(n_rows); data[0].n_columns()];
    for_each(data, |j, value| columns[j].push(value));
    columns
}

/// Mean, variance (`ddof` 0) and the standard deviation to divide by, 1 for a constant column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Variance with `ddof` 0.
    pub variance: f64,
    /// Standard deviation, or 1 where the variance is rounding noise.
    pub scale: f64,
}

/// The moments of each column; NaN for an empty one.
pub fn moments<T: Copy + Into<f64>>(data: &[Matrix<T>]) -> Vec<Moments> {
    let n_columns = data[0].n_columns();
    let (mut counts, mut means) = (vec![0.0; n_columns], vec![0.0; n_columns]);
    for_each(data, |j, value| {
        counts[j] += 1.0;
        means[j] += value;
    });
    for (mean, count) in means.iter_mut().zip(&counts) {
        *mean /= count;
    }
    let (mut residuals, mut squares) = (vec![0.0; n_columns], vec![0.0; n_columns]);
    for_each(data, |j, value| {
        let residual = value - means[j];
        residuals[j] += residual;
        squares[j] += residual * residual;
    });
    (0..n_columns).map(|j| Moments::new(counts[j], means[j], residuals[j], squares[j])).collect()
}

impl Moments {
    fn new(n: f64, mean: f64, residuals: f64, squares: f64) -> Self {
        // the two-pass algorithm with the correction for a rounded mean (Chan, Golub & LeVeque 1983)
        let variance = (squares - residuals * residuals / n) / n;
        // below this, what looks like a variance is the rounding of a constant column (scikit-learn's bound)
        let noise = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
        let scale = if variance <= noise { 1.0 } else { variance.sqrt() };
        Self { mean, variance, scale }
    }
}

/// Least and greatest value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

impl Range {
    /// The greatest absolute value.
    pub fn size(&self) -> f64 {
        self.min.abs().max(self.max.abs())
    }
}

/// The range of each column; NaN for an empty one.
pub fn ranges<T: Copy + Into<f64>>(data: &[Matrix<T>]) -> Vec<Range> {
    let mut ranges = vec![Range { min: f64::NAN, max: f64::NAN }; data[0].n_columns()];
    for_each(data, |j, value| {
        ranges[j].min = ranges[j].min.min(value);
        ranges[j].max = ranges[j].max.max(value);
    });
    ranges
}

/// Calls `visit(column, value)` for all values but NaN, in the order in which they lie in memory.
fn for_each<T: Copy + Into<f64>>(data: &[Matrix<T>], mut visit: impl FnMut(usize, f64)) {
    for row in data.iter().flat_map(|part| part.values().chunks_exact(part.n_columns())) {
        for (j, &value) in row.iter().enumerate() {
            let value = value.into();
            if !value.is_nan() {
                visit(j, value);
            }
        }
    }
}

/// 1 where a spread is nothing but rounding noise, so that constant columns are shifted and not blown up.
pub fn one_if_tiny(spread: f64) -> f64 {
    if spread < 10.0 * f64::EPSILON {
        1.0
    } else {
        spread
    }
}

fn median_and_spread(column: Vec<f64>) -> (f64, f64) {
    let sorted = sorted(column);
    (quantile(&sorted, 0.5), one_if_tiny(quantile(&sorted, 0.75) - quantile(&sorted, 0.25)))
}

/// The column in ascending order.
pub fn sorted(mut column: Vec<f64>) -> Vec<f64> {
    column.sort_unstable_by(f64::total_cmp);
    column
}

/// Quantile `q` in `[0, 1]` of a sorted column by linear interpolation (NumPy's default); NaN for an empty one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = q * last as f64;
    let below = position.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    low + (high - low) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_kinds_of_a_case_worked_by_hand() {
        let data = [1.0, 5.0, 2.0, 5.0, 3.0, 5.0, 6.0, f64::NAN];
        let fit = |kind| Scaler::fit(kind, &[Matrix::new(&data, 2).unwrap()]);
        let standard = fit(ScalerKind::Standard);
        assert_eq!(standard.center, [3.0, 5.0]);
        assert!((standard.scale[0] - 3.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(standard.scale[1], 1.0);
        assert_eq!(fit(ScalerKind::Minmax), Scaler { center: vec![1.0, 5.0], scale: vec![5.0, 1.0] });
        // quartiles of 1, 2, 3, 6: 1.75, 2.5, 3.75
        assert_eq!(fit(ScalerKind::Robust), Scaler { center: vec![2.5, 5.0], scale: vec![2.0, 1.0] });
    }

    #[test]
    fn a_column_of_which_nothing_is_known_is_left_as_it_is() {
        let data = [1.0, f64::NAN, 3.0, f64::NAN];
        for kind in [ScalerKind::Standard, ScalerKind::Minmax, ScalerKind::Robust] {
            let scaler = Scaler::fit(kind, &[Matrix::new(&data, 2).unwrap()]);
            assert_eq!((scaler.center[1], scaler.scale[1]), (0.0, 1.0), "{kind:?}");
        }
    }

    #[test]
    fn a_large_constant_is_constant() {
        let data = [1e9 + 0.1; 7];
        assert_eq!(Scaler::fit(ScalerKind::Standard, &[Matrix::new(&data, 1).unwrap()]).scale, [1.0]);
    }

    proptest! {
        #[test]
        fn inverse_undoes_transform(values in proptest::collection::vec(-1e3..1e3f64, 4..40)) {
            let values = &values[..values.len() / 2 * 2];
            for kind in [ScalerKind::Standard, ScalerKind::Minmax, ScalerKind::Robust] {
                let scaler = Scaler::fit(kind, &[Matrix::new(values, 2).unwrap()]);
                for (back, value) in scaler.inverse(&scaler.transform(values)).iter().zip(values) {
                    // float32 keeps 24 bits of a scaled value; a tiny robust range makes scaled values large
                    prop_assert!((back - value).abs() <= 1e-6 * 2e3, "{back} {value}");
                }
            }
        }
    }
}
