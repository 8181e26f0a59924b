//! Series seen as supervised windows. Nothing is copied until a batch is gathered.

use super::lens::{Lens, Place};
use super::{Gathered, Samples};
use crate::error::{Error, Result};

/// The rows of a series that its windows may forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first row that may be an origin.
    pub first: usize,
    /// The row after the last that may be forecast.
    pub end: usize,
}

/// Windows of all series of a panel: channel after channel, series after series, in time order.
#[derive(Debug, Clone)]
pub struct Windows<'a> {
    lens: Lens<'a>,
    /// First origin of each series.
    origins: Vec<usize>,
    /// The row after the last of each series that may be forecast.
    ends: Vec<usize>,
    /// Number of the first window of each series, and the number of all windows of a channel.
    firsts: Vec<usize>,
    stride: usize,
}

impl<'a> Windows<'a> {
    /// Windows whose origins are `stride` rows apart, in one span for each series; a span too short for the horizon has none.
    ///
    /// # Errors
    /// [`Error::TooShort`] when there isn't even one.
    pub fn new(lens: Lens<'a>, spans: impl Iterator<Item = Span>, stride: usize) -> Result<Self> {
        let mut windows = Self { lens, origins: vec![], ends: vec![], firsts: vec![0], stride };
        let mut longest = 0;
        for Span { first, end } in spans {
            let n = end.checked_sub(first + lens.layout.horizon).map_or(0, |spare| spare / stride + 1);
            windows.origins.push(first);
            windows.ends.push(end);
            windows.firsts.push(windows.firsts[windows.firsts.len() - 1] + n);
            longest = longest.max(end);
        }
        if windows.is_empty() {
            let (window_size, horizon) = (lens.layout.window_size, lens.layout.horizon);
            return Err(Error::too_short(
                format!("at least {} rows (window_size {window_size} + horizon {horizon})", window_size + horizon),
                format!("{longest}"),
            ));
        }
        Ok(windows)
    }

    fn per_channel(&self) -> usize {
        self.firsts[self.firsts.len() - 1]
    }

    fn place(&self, index: usize) -> Place {
        let (channel, index) = (index / self.per_channel(), index % self.per_channel());
        // the last series that begins at or before the window; those without windows begin where the next one does
        let series = self.firsts.partition_point(|&first| first <= index) - 1;
        Place { series, origin: self.origins[series] + (index - self.firsts[series]) * self.stride, channel }
    }
}

impl Samples for Windows<'_> {
    fn len(&self) -> usize {
        self.per_channel() * self.lens.layout.n_channels()
    }

    fn n_times(&self) -> usize {
        self.per_channel()
    }

    fn input_len(&self) -> usize {
        self.lens.layout.n_rows() * self.lens.layout.width()
    }

    fn target_len(&self) -> usize {
        self.lens.layout.horizon * self.lens.layout.n_targets_at_once()
    }

    fn supervised_steps(&self) -> usize {
        self.lens.layout.supervised_steps
    }

    fn gather(&self, index: usize, batch: &mut Gathered) {
        let (place, at) = (self.place(index), batch.levels.len());
        self.lens.input(place, &mut batch.inputs, &mut batch.levels);
        self.lens.target((place, self.ends[place.series]), &batch.levels[at..], &mut batch.targets);
        batch.weights.resize(batch.weights.len() + self.supervised_steps(), 1.0);
        self.lens.row_weights(place, &mut batch.row_weights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::lens::WindowLayout;
    use crate::series::scale::Scaler;
    use crate::series::{Matrix, Panel};
    use proptest::prelude::*;

    fn layout(window_size: usize, horizon: usize, columns: usize) -> WindowLayout {
        WindowLayout { horizon, ..WindowLayout::windows_alone(window_size, columns) }
    }

    fn gather(
        panel: &Panel,
        layout: WindowLayout,
        stride: usize,
        indices: &[usize],
    ) -> Result<(usize, Vec<f32>, Vec<f32>)> {
        let scaler = Scaler::identity(layout.n_features);
        let lens = Lens { panel, scaler: &scaler, output_scaler: &scaler, layout, effects: None };
        let spans = (0..panel.n_series()).map(|i| Span { first: layout.window_size, end: panel.series(i).n_rows() });
        let windows = Windows::new(lens, spans, stride)?;
        let mut batch = Gathered::default();
        for &index in indices {
            windows.gather(index.min(windows.len() - 1), &mut batch);
        }
        assert_eq!(batch.weights, vec![1.0; indices.len()]);
        Ok((windows.len(), batch.inputs, batch.targets))
    }

    fn numbers(n: usize) -> Vec<f64> {
        (0..n).map(|i| i as f64).collect()
    }

    #[test]
    fn windows_of_a_case_worked_by_hand() {
        let values = numbers(12);
        let panel = Panel::one(Matrix::new(&values, 2).unwrap());
        let got = gather(&panel, layout(2, 1, 2), 3, &[1]).unwrap();
        assert_eq!(got, (2, vec![6.0, 7.0, 8.0, 9.0], vec![10.0, 11.0]));
        let channels = WindowLayout { independent: true, ..layout(2, 1, 2) };
        assert_eq!(gather(&panel, channels, 3, &[3]).unwrap(), (4, vec![7.0, 9.0], vec![11.0]));
    }

    #[test]
    fn every_supervised_step_has_a_weight_and_a_level() {
        let values = numbers(12);
        let panel = Panel::one(Matrix::new(&values, 2).unwrap());
        let scaler = Scaler::identity(2);
        let layout = WindowLayout { level_rows: 1, supervised_steps: 2, ..layout(2, 1, 2) };
        let lens = Lens { panel: &panel, scaler: &scaler, output_scaler: &scaler, layout, effects: None };
        let windows = Windows::new(lens, std::iter::once(Span { first: 2, end: 6 }), 1).unwrap();
        let mut batch = Gathered::default();
        windows.gather(1, &mut batch);
        windows.gather(0, &mut batch);
        assert_eq!((windows.target_len(), windows.supervised_steps()), (2, 2));
        assert_eq!(batch.targets, [4., 5., 6., 7., 2., 3., 4., 5.]);
        assert_eq!((batch.weights, batch.levels.len()), (vec![1.0; 4], 8));
    }

    #[test]
    fn rows_have_their_weights_and_those_of_zero_are_missing() {
        let values = numbers(14);
        let weights = [9.0, 9.0, 1.0, 2.0, 0.0, 3.0, 0.0];
        // those above 0 have the mean 24 / 5
        let panel = Panel::one(Matrix::new(&values, 2).unwrap()).weighted(&weights).unwrap();
        let scaler = Scaler::identity(2);
        let gathered = |layout: WindowLayout, indices: &[usize]| {
            let lens = Lens { panel: &panel, scaler: &scaler, output_scaler: &scaler, layout, effects: None };
            let windows = Windows::new(lens, std::iter::once(Span { first: 2, end: 6 }), 1).unwrap();
            let mut batch = Gathered::default();
            for &index in indices {
                windows.gather(index, &mut batch);
            }
            let known = batch.targets.iter().map(|target| if target.is_nan() { -1.0 } else { *target }).collect();
            let weights: Vec<f32> = batch.row_weights.iter().map(|weight| (weight * 4.8).round()).collect();
            (batch.weights, weights, known)
        };
        let expected: (Vec<f32>, _, Vec<f32>) =
            (vec![1.0; 2], vec![0., 3., 1., 2.], vec![-1., -1., 10., 11., 4., 5., 6., 7.]);
        assert_eq!(gathered(layout(2, 2, 2), &[2, 0]), expected);
        // one variable at a time, and two supervised steps of a row each
        let channels = WindowLayout { independent: true, ..layout(2, 2, 2) };
        assert_eq!(gathered(channels, &[5]), (vec![1.0], vec![0., 3.], vec![-1., 11.]));
        let every = WindowLayout { level_rows: 1, supervised_steps: 2, ..layout(2, 1, 2) };
        assert_eq!(gathered(every, &[1]), (vec![1.0; 2], vec![1., 2.], vec![4., 5., 6., 7.]));
    }

    #[test]
    fn a_short_series_is_an_error() {
        let values = [0.0; 4];
        let panel = Panel::one(Matrix::new(&values, 1).unwrap());
        let text = gather(&panel, layout(4, 1, 1), 1, &[]).unwrap_err().to_string();
        assert_eq!(text, "expected at least 5 rows (window_size 4 + horizon 1), got 4");
    }

    #[test]
    fn series_follow_each_other_and_short_ones_are_passed_over() {
        let values: Vec<f64> = [0., 1.].into_iter().chain((10..15).map(f64::from)).chain([30.]).collect();
        let values: Vec<f64> = values.into_iter().chain((40..44).map(f64::from)).collect();
        let panel = Panel::new(Matrix::new(&values, 1).unwrap(), vec![0, 2, 7, 7, 8, 12], None, 1).unwrap();
        let got = gather(&panel, layout(2, 1, 1), 2, &[2, 0, 1]).unwrap();
        assert_eq!(got, (3, vec![40., 41., 10., 11., 12., 13.], vec![42., 12., 14.]));
    }

    proptest! {
        #[test]
        fn every_window_is_a_slice_of_the_series(
            n in 1usize..60, columns in 1usize..4, window_size in 1usize..9, horizon in 1usize..5, stride in 1usize..5,
        ) {
            let values = numbers(n * columns);
            let panel = Panel::one(Matrix::new(&values, columns).unwrap());
            let windows = gather(&panel, layout(window_size, horizon, columns), stride, &[usize::MAX]);
            prop_assert_eq!(windows.is_ok(), n >= window_size + horizon);
            if let Ok((len, input, target)) = windows {
                let last = len - 1;
                prop_assert!(last * stride + window_size + horizon <= n);
                prop_assert!((last + 1) * stride + window_size + horizon > n);
                let start = last * stride * columns;
                let middle = start + window_size * columns;
                let values: Vec<f32> = (0..n * columns).map(|i| i as f32).collect();
                prop_assert_eq!(&input[..], &values[start..middle]);
                prop_assert_eq!(&target[..], &values[middle..middle + horizon * columns]);
            }
        }
    }
}
