//! Series seen as supervised windows. Nothing is copied until a batch is gathered.

use super::normalize::Normalize;
use super::{Matrix, Samples};
use crate::error::{Error, Result};

/// How windows are cut from a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowShape {
    /// Rows that the network sees.
    pub window_size: usize,
    /// Rows to forecast after them.
    pub horizon: usize,
    /// Rows from one window to the next.
    pub stride: usize,
    /// The first this many columns are forecast.
    pub n_targets: usize,
}

/// Windows over rows of scaled series, those of one series after those of another; the `i`-th of a series starts at row
/// `i * stride`.
#[derive(Debug, Clone)]
pub struct Windows<'a> {
    series: Vec<Matrix<'a, f32>>,
    /// Number of the first window of each series, and the number of all windows.
    firsts: Vec<usize>,
    shape: WindowShape,
    normalize: Option<Normalize>,
}

impl<'a> Windows<'a> {
    /// Windows over all rows of `series`, at least one, all of the same columns. Those that are too short have no windows.
    ///
    /// # Errors
    /// [`Error::TooShort`] when not even one window and its horizon fit into any of them.
    pub fn new(series: Vec<Matrix<'a, f32>>, shape: WindowShape, normalize: Option<Normalize>) -> Result<Self> {
        let needed = shape.window_size + shape.horizon;
        let mut firsts = vec![0];
        for one in &series {
            let n = one.n_rows().checked_sub(needed).map_or(0, |spare| spare / shape.stride + 1);
            firsts.push(firsts[firsts.len() - 1] + n);
        }
        let windows = Self { series, firsts, shape, normalize };
        if windows.is_empty() {
            let longest = windows.series.iter().map(Matrix::n_rows).max().unwrap_or(0);
            return Err(Error::too_short(
                format!("at least {needed} rows (window_size {} + horizon {})", shape.window_size, shape.horizon),
                format!("{longest}"),
            ));
        }
        Ok(windows)
    }

    /// The series and the row at which window `index` starts.
    fn locate(&self, index: usize) -> (Matrix<'a, f32>, usize) {
        // the last series that begins at or before the window; those without windows begin where the next one does
        let series = self.firsts.partition_point(|&first| first <= index) - 1;
        (self.series[series], (index - self.firsts[series]) * self.shape.stride)
    }
}

impl Samples for Windows<'_> {
    fn len(&self) -> usize {
        self.firsts[self.firsts.len() - 1]
    }

    fn input_len(&self) -> usize {
        self.shape.window_size * self.series[0].n_columns()
    }

    fn target_len(&self) -> usize {
        self.shape.horizon * self.shape.n_targets
    }

    fn gather(&self, indices: &[usize], inputs: &mut Vec<f32>, targets: &mut Vec<f32>, weights: &mut Vec<f32>) {
        let WindowShape { window_size, horizon, n_targets, .. } = self.shape;
        for (series, start) in indices.iter().map(|&index| self.locate(index)) {
            let (input_at, target_at) = (inputs.len(), targets.len());
            let origin = start + window_size;
            inputs.extend_from_slice(series.rows(start, origin).values());
            for row in origin..origin + horizon {
                targets.extend_from_slice(&series.row(row)[..n_targets]);
            }
            weights.push(1.0);
            if let Some(normalize) = self.normalize {
                normalize.apply(&mut inputs[input_at..], series.n_columns(), &mut targets[target_at..], n_targets);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gather(samples: &Windows, indices: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let (mut inputs, mut targets, mut weights) = (vec![], vec![], vec![]);
        samples.gather(indices, &mut inputs, &mut targets, &mut weights);
        assert_eq!(weights, vec![1.0; indices.len()]);
        (inputs, targets)
    }

    #[test]
    fn windows_of_a_case_worked_by_hand() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let series = Matrix::new(&values, 2).unwrap();
        let shape = WindowShape { window_size: 2, horizon: 1, stride: 3, n_targets: 1 };
        let windows = Windows::new(vec![series], shape, None).unwrap();
        assert_eq!(windows.len(), 2);
        assert_eq!(gather(&windows, &[1]), (vec![6.0, 7.0, 8.0, 9.0], vec![10.0]));
        let windows = Windows::new(vec![series], shape, Some(Normalize::Last)).unwrap();
        assert_eq!(gather(&windows, &[0]), (vec![-2.0, 1.0, 0.0, 3.0], vec![2.0]));
    }

    #[test]
    fn a_short_series_is_an_error() {
        let values = [0.0; 4];
        let shape = WindowShape { window_size: 4, horizon: 1, stride: 1, n_targets: 1 };
        let error = Windows::new(vec![Matrix::new(&values, 1).unwrap()], shape, None).unwrap_err();
        assert_eq!(error.to_string(), "expected at least 5 rows (window_size 4 + horizon 1), got 4");
    }

    #[test]
    fn series_follow_each_other_and_short_ones_are_passed_over() {
        let lengths = [2, 5, 0, 1, 4];
        let series: Vec<Vec<f32>> =
            (0..5u8).map(|at| (0..lengths[usize::from(at)]).map(|row| f32::from(10 * at + row)).collect()).collect();
        let shape = WindowShape { window_size: 2, horizon: 1, stride: 2, n_targets: 1 };
        let matrices = series.iter().map(|values| Matrix::new(values, 1).unwrap()).collect();
        let windows = Windows::new(matrices, shape, None).unwrap();
        assert_eq!(windows.len(), 3);
        assert_eq!(gather(&windows, &[2, 0, 1]), (vec![40., 41., 10., 11., 12., 13.], vec![42., 12., 14.]));
    }

    proptest! {
        #[test]
        fn every_window_is_a_slice_of_the_series(
            n in 1usize..60, columns in 1usize..4, window_size in 1usize..9, horizon in 1usize..5, stride in 1usize..5,
        ) {
            let values: Vec<f32> = (0..n * columns).map(|i| i as f32).collect();
            let shape = WindowShape { window_size, horizon, stride, n_targets: columns };
            let windows = Windows::new(vec![Matrix::new(&values, columns).unwrap()], shape, None);
            prop_assert_eq!(windows.is_ok(), n >= window_size + horizon);
            if let Ok(windows) = windows {
                let last = windows.len() - 1;
                prop_assert!(last * stride + window_size + horizon <= n);
                prop_assert!((last + 1) * stride + window_size + horizon > n);
                let (input, target) = gather(&windows, &[last]);
                let start = last * stride * columns;
                let middle = start + window_size * columns;
                prop_assert_eq!(&input[..], &values[start..middle]);
                prop_assert_eq!(&target[..], &values[middle..middle + horizon * columns]);
            }
        }
    }
}
