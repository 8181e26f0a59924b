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

    /// Learns from the rows given; pass training rows only.
    pub fn fit<T: Copy + Into<f64>>(kind: ScalerKind, data: Matrix<T>) -> Self {
        let (center, scale) = columns(data).map(|column| kind.center_and_scale(column)).unzip();
        Self { center, scale }
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

    /// Scales row-major values whose columns repeat with the scaler's length.
    #[allow(clippy::cast_possible_truncation)]
    pub fn transform(&self, values: &[f64]) -> Vec<f32> {
        self.zip(values).map(|(value, center, scale)| ((value - center) / scale) as f32).collect()
    }

    /// The inverse of [`Scaler::transform`].
    pub fn inverse(&self, values: &[f32]) -> Vec<f64> {
        let columns = self.center.iter().zip(&self.scale).cycle();
        values.iter().zip(columns).map(|(&value, (center, scale))| f64::from(value) * scale + center).collect()
    }

    fn zip<'a>(&'a self, values: &'a [f64]) -> impl Iterator<Item = (f64, f64, f64)> + 'a {
        let columns = self.center.iter().zip(&self.scale).cycle();
        values.iter().zip(columns).map(|(&value, (&center, &scale))| (value, center, scale))
    }
}

impl ScalerKind {
    fn center_and_scale(self, column: Vec<f64>) -> (f64, f64) {
        match self {
            Self::Standard => {
                let moments = Moments::of(&column);
                (moments.mean, moments.scale)
            }
            Self::Minmax => {
                let range = Range::of(&column);
                (range.min, one_if_tiny(range.max - range.min))
            }
            Self::Robust => {
                let sorted = sorted(column);
                let range = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
                (quantile(&sorted, 0.5), one_if_tiny(range))
            }
        }
    }
}

/// The columns of a table, NaN left out.
pub fn columns<'a, T: Copy + Into<f64> + 'a>(data: Matrix<'a, T>) -> impl Iterator<Item = Vec<f64>> + 'a {
    let n_columns = data.n_columns();
    (0..n_columns).map(move |j| {
        let column = data.values()[j.min(data.values().len())..].iter().step_by(n_columns);
        column.map(|&value| value.into()).filter(|value| !value.is_nan()).collect()
    })
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

impl Moments {
    /// The moments of a column without NaN; NaN for an empty one.
    pub fn of(column: &[f64]) -> Self {
        let n = column.len() as f64;
        let mean = column.iter().sum::<f64>() / n;
        let residual = column.iter().map(|x| x - mean).sum::<f64>();
        let squares = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        // the two-pass algorithm with the correction for a rounded mean (Chan, Golub & LeVeque 1983)
        let variance = (squares - residual * residual / n) / n;
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
    /// The range of a column without NaN; NaN for an empty one.
    pub fn of(column: &[f64]) -> Self {
        let min = column.iter().copied().fold(f64::NAN, f64::min);
        let max = column.iter().copied().fold(f64::NAN, f64::max);
        Self { min, max }
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
        let fit = |kind| Scaler::fit(kind, Matrix::new(&data, 2).unwrap());
        let standard = fit(ScalerKind::Standard);
        assert_eq!(standard.center, [3.0, 5.0]);
        assert!((standard.scale[0] - 3.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(standard.scale[1], 1.0);
        assert_eq!(fit(ScalerKind::Minmax), Scaler { center: vec![1.0, 5.0], scale: vec![5.0, 1.0] });
        // quartiles of 1, 2, 3, 6: 1.75, 2.5, 3.75
        assert_eq!(fit(ScalerKind::Robust), Scaler { center: vec![2.5, 5.0], scale: vec![2.0, 1.0] });
    }

    #[test]
    fn a_large_constant_is_constant() {
        let data = [1e9 + 0.1; 7];
        assert_eq!(Scaler::fit(ScalerKind::Standard, Matrix::new(&data, 1).unwrap()).scale, [1.0]);
    }

    proptest! {
        #[test]
        fn inverse_undoes_transform(values in proptest::collection::vec(-1e3..1e3f64, 4..40)) {
            let values = &values[..values.len() / 2 * 2];
            for kind in [ScalerKind::Standard, ScalerKind::Minmax, ScalerKind::Robust] {
                let scaler = Scaler::fit(kind, Matrix::new(values, 2).unwrap());
                for (back, value) in scaler.inverse(&scaler.transform(values)).iter().zip(values) {
                    // float32 keeps 24 bits of a scaled value; a tiny robust range makes scaled values large
                    prop_assert!((back - value).abs() <= 1e-6 * 2e3, "{back} {value}");
                }
            }
        }
    }
}
