//! Many series as one table: where each begins and ends, and what belongs to it alone.

use super::Matrix;
use crate::error::{Error, Result};

/// Series of the same columns, the rows of one below those of another: targets first, then features known so far, then
/// those known in advance. NaN is a value that is missing.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    rows: Matrix<'a, f64>,
    lengths: Lengths,
    /// Centres, then scales, of the targets of each series: `(n_series, 2 * n_targets)`.
    scales: Option<Matrix<'a, f64>>,
    /// How much each row counts as a target, of mean 1 over those above 0; `None`: all are 1.
    weights: Option<Vec<f32>>,
    /// Whether windows may begin before their series does.
    pub reaches_back: bool,
}

#[derive(Debug, Clone)]
enum Lengths {
    /// All series have this many rows.
    Equal(usize),
    /// Row at which each series begins, and the number of all rows.
    Starts(Vec<usize>),
}

impl<'a> Panel<'a> {
    /// One series.
    pub fn one(rows: Matrix<'a, f64>) -> Self {
        Self::of_windows(rows, rows.n_rows())
    }

    /// Windows of `n` rows, each a series of its own.
    pub fn of_windows(rows: Matrix<'a, f64>, n: usize) -> Self {
        Self { rows, lengths: Lengths::Equal(n), scales: None, weights: None, reaches_back: false }
    }

    /// Windows of `n` rows with a scaler for each.
    ///
    /// # Errors
    /// [`Error::Shape`] for scales of another number of windows or targets.
    pub fn of_scaled_windows(
        rows: Matrix<'a, f64>,
        n: usize,
        scales: Matrix<'a, f64>,
        n_targets: usize,
    ) -> Result<Self> {
        let panel = Self::of_windows(rows, n);
        check_scales(scales, panel.n_series(), n_targets)?;
        Ok(Self { scales: Some(scales), ..panel })
    }

    /// Series that begin at the rows `starts`, which end with the number of rows; perhaps with a scaler for each.
    ///
    /// # Errors
    /// [`Error::Value`] for starts that don't ascend from 0 to the end, [`Error::Shape`] for scales of another number of
    /// series or targets.
    pub fn new(
        rows: Matrix<'a, f64>,
        starts: Vec<usize>,
        scales: Option<Matrix<'a, f64>>,
        n_targets: usize,
    ) -> Result<Self> {
        let ascending = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        if starts.len() < 2 || starts[0] != 0 || starts[starts.len() - 1] != rows.n_rows() || !ascending {
            return Err(Error::Value(format!(
                "expected starts of series that ascend from 0 to the {} rows, got others",
                rows.n_rows()
            )));
        }
        if let Some(scales) = scales {
            check_scales(scales, starts.len() - 1, n_targets)?;
        }
        Ok(Self { rows, lengths: Lengths::Starts(starts), scales, weights: None, reaches_back: true })
    }

    /// Lets the targets of each row count by its weight; only the ratios of the weights matter.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of weights than of rows, [`Error::Value`] for weights that are negative, not finite
    /// or all 0.
    pub fn weighted(self, weights: &[f64]) -> Result<Self> {
        if weights.len() != self.rows.n_rows() {
            return Err(Error::shape(format!("{} weights of rows", self.rows.n_rows()), weights.len().to_string()));
        }
        let greatest = weights.iter().copied().fold(0.0, f64::max);
        if weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0)) || greatest <= 0.0 {
            let expected = "expected weights that are finite, 0 or more, and not all 0";
            return Err(Error::Value(format!("{expected}, got others")));
        }
        let weights = mean_one(weights, greatest);
        let are_equal = weights.iter().all(|&weight| weight.to_bits() == 1f32.to_bits());
        Ok(Self { weights: (!are_equal).then_some(weights), ..self })
    }

    /// How much the rows of series `i` count as targets, where they differ.
    pub fn weights(&self, i: usize) -> Option<&[f32]> {
        let weights = self.weights.as_ref()?;
        Some(match &self.lengths {
            Lengths::Equal(n) => &weights[i * n..(i + 1) * n],
            Lengths::Starts(starts) => &weights[starts[i]..starts[i + 1]],
        })
    }

    /// Number of series.
    pub fn n_series(&self) -> usize {
        match &self.lengths {
            Lengths::Equal(n) => self.rows.n_rows().checked_div(*n).unwrap_or(1),
            Lengths::Starts(starts) => starts.len() - 1,
        }
    }

    /// Columns of each.
    pub fn n_columns(&self) -> usize {
        self.rows.n_columns()
    }

    /// The rows of series `i`.
    pub fn series(&self, i: usize) -> Matrix<'a, f64> {
        match &self.lengths {
            Lengths::Equal(n) => self.rows.rows(i * n, (i + 1) * n),
            Lengths::Starts(starts) => self.rows.rows(starts[i], starts[i + 1]),
        }
    }

    /// Whether each series has a scaler of its own.
    pub fn has_scales(&self) -> bool {
        self.scales.is_some()
    }

    /// Centre and scale of a target of series `i`, if it has its own.
    pub fn scale(&self, i: usize, target: usize) -> Option<(f64, f64)> {
        let row = self.scales?.row(i);
        Some((row[target], row[row.len() / 2 + target]))
    }
}

/// Weights divided by the mean of those above 0, so that a weight of 0 is the same as a target that is missing.
#[allow(clippy::cast_possible_truncation)] // losses are weighted in single precision
fn mean_one(weights: &[f64], greatest: f64) -> Vec<f32> {
    // parts of the greatest, whose sum is finite
    let parts = || weights.iter().map(|weight| weight / greatest);
    let n_above = parts().filter(|&part| part > 0.0).count();
    let mean = parts().sum::<f64>() / n_above as f64;
    parts().map(|part| (part / mean) as f32).collect()
}

fn check_scales(scales: Matrix<f64>, n_series: usize, n_targets: usize) -> Result<()> {
    let (got, expected) = ((scales.n_rows(), scales.n_columns()), (n_series, 2 * n_targets));
    if got == expected {
        return Ok(());
    }
    Err(Error::shape(format!("scales of shape {expected:?}"), format!("{got:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_their_starts() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let rows = Matrix::new(&values, 2).unwrap();
        let scales = [1.0, 2.0, 3.0, 4.0];
        let panel = Panel::new(rows, vec![0, 2, 6], Some(Matrix::new(&scales, 2).unwrap()), 1).unwrap();
        assert_eq!((panel.n_series(), panel.n_columns()), (2, 2));
        assert_eq!(panel.series(0).values(), &values[..4]);
        assert_eq!(panel.series(1).values(), &values[4..]);
        assert_eq!(panel.scale(1, 0), Some((3.0, 4.0)));
        assert_eq!(Panel::one(rows).series(0).values(), values);
        assert_eq!(Panel::of_windows(rows, 3).series(1).values(), &values[6..]);
    }

    #[test]
    fn weights_above_zero_have_mean_one_at_any_scale() {
        let rows = Matrix::new(&[0.0; 6], 1).unwrap();
        let panel = |weights: &[f64]| Panel::new(rows, vec![0, 2, 6], None, 1).unwrap().weighted(weights);
        // a mean of 2 over the four above 0
        let weights = [1.0, 3.0, 0.0, 3.0, 1.0, 0.0];
        for scale in [1.0, 0.1, 1e-300, 5e307] {
            let panel = panel(&weights.map(|weight| scale * weight)).unwrap();
            let expected: [&[f32]; 2] = [&[0.5, 1.5], &[0.0, 1.5, 0.5, 0.0]];
            assert_eq!([0, 1].map(|i| panel.weights(i).unwrap()), expected, "{scale}");
        }
        // equal weights are none
        assert_eq!(panel(&[0.7; 6]).unwrap().weights(1), None);
        for weights in [vec![1.0; 5], vec![0.0; 6], vec![1.0, 1.0, -1.0, 1.0, 1.0, 1.0]] {
            assert!(panel(&weights).is_err(), "{weights:?}");
        }
        for wrong in [f64::NAN, f64::INFINITY] {
            assert!(panel(&[1.0, 1.0, 1.0, wrong, 1.0, 1.0]).is_err());
        }
    }

    #[test]
    fn what_makes_no_panel_is_refused() {
        let rows = Matrix::new(&[0.0; 6], 1).unwrap();
        for starts in [vec![0, 5], vec![1, 6], vec![0, 4, 3, 6], vec![6], vec![]] {
            assert!(Panel::new(rows, starts.clone(), None, 1).is_err(), "{starts:?}");
        }
        let scales = Matrix::new(&[1.0; 4], 4).unwrap();
        let text = Panel::new(rows, vec![0, 6], Some(scales), 1).unwrap_err().to_string();
        assert_eq!(text, "expected scales of shape (1, 2), got (1, 4)");
    }
}
