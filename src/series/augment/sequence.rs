//! A sample as one sequence: the rows of its window, then those of its horizon.

use crate::series::lens::WindowLayout;

/// A number that is computed with in double precision.
pub trait Number: Copy + Into<f64> {
    /// The nearest number of this type.
    fn narrow(value: f64) -> Self;
}

impl Number for f32 {
    #[allow(clippy::cast_possible_truncation)] // single precision is what is asked for
    fn narrow(value: f64) -> Self {
        value as f32
    }
}

impl Number for f64 {
    fn narrow(value: f64) -> Self {
        value
    }
}

/// The input and the target of one sample: targets and what is known in advance go on from row to row over the horizon, other
/// columns end with the window.
pub(super) struct Sequence<'a, T> {
    pub(super) layout: WindowLayout,
    pub(super) inputs: &'a mut [T],
    pub(super) targets: &'a mut [T],
}

impl<T: Number> Sequence<'_, T> {
    /// Rows of the window and the horizon.
    pub(super) fn n_rows(&self) -> usize {
        self.layout.window_size + self.layout.horizon
    }

    /// The first column whose future an input shows.
    fn known_at(&self) -> usize {
        self.layout.n_values() - if self.layout.n_future > 0 { self.layout.n_known } else { 0 }
    }

    fn rows_of(&self, column: usize) -> usize {
        let is_target = column < self.layout.n_targets_at_once();
        let goes_on = is_target || (self.known_at()..self.layout.n_values()).contains(&column);
        self.layout.window_size + if goes_on { self.layout.horizon } else { 0 }
    }

    fn slot(&mut self, row: usize, column: usize) -> &mut T {
        let (n_targets, window_size) = (self.layout.n_targets_at_once(), self.layout.window_size);
        if row >= window_size && column < n_targets {
            &mut self.targets[(row - window_size) * n_targets + column]
        } else {
            &mut self.inputs[row * self.layout.width() + column]
        }
    }

    /// Changes the numbers of a column, row after row.
    pub(super) fn change(&mut self, column: usize, mut change: impl FnMut(usize, f64) -> f64) {
        for row in 0..self.rows_of(column) {
            let slot = self.slot(row, column);
            *slot = T::narrow(change(row, (*slot).into()));
        }
    }

    /// Changes what the network sees: the window, then what is known in advance of the horizon, in the order of memory.
    pub(super) fn change_inputs(&mut self, mut change: impl FnMut(f64) -> f64) {
        let WindowLayout { window_size, horizon, n_future, .. } = self.layout;
        let (known, n_values) = (self.known_at(), self.layout.n_values());
        let rows = window_size + if n_future > 0 { horizon } else { 0 };
        for (row, inputs) in self.inputs.chunks_exact_mut(self.layout.width()).take(rows).enumerate() {
            let first = if row < window_size { 0 } else { known };
            for value in &mut inputs[first..n_values] {
                *value = T::narrow(change((*value).into()));
            }
        }
    }

    /// Lets each row show the time, in rows, that `times` gives for it, the rows between two by linear interpolation.
    ///
    /// No row may show a time on the other side of the window's last row. Indicators are those of the nearest row; a target
    /// beside a missing one is missing.
    pub(super) fn resample(&mut self, times: &[f64], old: &mut Vec<f64>) {
        let WindowLayout { window_size, indicator, .. } = self.layout;
        let (n_values, n_targets) = (self.layout.n_values(), self.layout.n_targets_at_once());
        for column in 0..n_values {
            let is_gap = indicator && column < n_targets && self.is_gap(window_size - 1, column);
            self.copy(column, old);
            self.change(column, |row, _| {
                // the network sees something there, but it is no observation
                let missing = is_gap && row >= window_size && times[row] < window_size as f64;
                if missing {
                    f64::NAN
                } else {
                    at(old, times[row])
                }
            });
        }
        for column in n_values..self.layout.width() {
            self.copy(column, old);
            self.change(column, |row, _| at(old, (times[row] + 0.5).floor()));
        }
    }

    fn is_gap(&mut self, row: usize, target: usize) -> bool {
        let indicator = self.layout.n_values() + target;
        (*self.slot(row, indicator)).into() > 0.5
    }

    fn copy(&mut self, column: usize, copy: &mut Vec<f64>) {
        copy.clear();
        for row in 0..self.rows_of(column) {
            copy.push((*self.slot(row, column)).into());
        }
    }
}

/// The value at a time, in rows, from 0 to the last row.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at least 0
fn at(values: &[f64], time: f64) -> f64 {
    let row = (time as usize).min(values.len() - 1);
    let part = time - row as f64;
    // on a row, what comes after it must not matter: it may be missing
    if part > 0.0 && row + 1 < values.len() {
        values[row] + part * (values[row + 1] - values[row])
    } else {
        values[row]
    }
}
