//! What the network sees of a series around an origin: the rows before it and, of what is known in advance, those after.

use super::effect::RowEffects;
use super::normalize::{LevelSoFar, Normalize};
use super::panel::Panel;
use super::scale::Scaler;
use super::Matrix;
use crate::level::Level;

/// The shape of an input, which is `(n_rows(), width())`, and of a target, `(supervised_steps, horizon,
/// n_targets_at_once())`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLayout {
    /// Rows before the origin.
    pub window_size: usize,
    /// Rows to forecast, from the origin on.
    pub horizon: usize,
    /// Columns of the series: targets, then features known so far, then those known in advance.
    pub n_features: usize,
    /// The first of them are forecast.
    pub n_targets: usize,
    /// The last of them are known in advance.
    pub n_known: usize,
    /// Rows after the origin in an input: at least the horizon where something is known of them, else none.
    pub n_future: usize,
    /// Whether a column for each target tells where its value is not known.
    pub indicator: bool,
    /// Whether values that are missing between two known ones are shown on the straight line between these; no row may
    /// then be seen before those after it.
    pub interpolate_gaps: bool,
    /// Targets in gaps of at most so many rows are those of the straight line between the known ones.
    pub filled_gaps: usize,
    /// Whether targets are seen one at a time.
    pub independent: bool,
    /// Normalisation inside the window.
    pub normalize: Option<Normalize>,
    /// The first rows of a window, which give the level of the input: all of them, or those of the first step where no
    /// step may see a later one's.
    pub level_rows: usize,
    /// Steps of equal length, a divisor of the window, each with a target: the rows after those that it has read. 1: there
    /// is but the target of the whole window.
    pub supervised_steps: usize,
}

impl WindowLayout {
    /// The layout of windows with nothing after them, whatever their targets are: all `width` features are treated alike.
    pub const fn windows_alone(window_size: usize, width: usize) -> Self {
        Self {
            window_size,
            horizon: 0,
            n_features: width,
            n_targets: width,
            n_known: 0,
            n_future: 0,
            level_rows: window_size,
            supervised_steps: 1,
            indicator: false,
            interpolate_gaps: false,
            filled_gaps: 0,
            independent: false,
            normalize: None,
        }
    }

    /// Rows of an input.
    pub fn n_rows(&self) -> usize {
        self.window_size + self.n_future
    }

    /// Variables that are seen one after the other.
    pub fn n_channels(&self) -> usize {
        if self.independent {
            self.n_targets
        } else {
            1
        }
    }

    /// Targets that are seen, and forecast, at once.
    pub fn n_targets_at_once(&self) -> usize {
        self.n_targets / self.n_channels()
    }

    /// Columns of an input: targets, other features, indicators.
    pub fn width(&self) -> usize {
        self.n_values() + if self.indicator { self.n_targets_at_once() } else { 0 }
    }

    /// Columns of an input before the indicators; those known in advance are the last.
    pub fn n_values(&self) -> usize {
        if self.independent {
            1 + self.n_features - self.n_targets
        } else {
            self.n_features
        }
    }
}

/// One sample of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which series.
    pub series: usize,
    /// The first row to forecast.
    pub origin: usize,
    /// Which of its targets, where they are seen one at a time; else 0.
    pub channel: usize,
}

/// A panel with the scaler of its columns, looked at through a layout.
#[derive(Debug, Clone, Copy)]
pub struct Lens<'a> {
    /// The series.
    pub panel: &'a Panel<'a>,
    /// One entry for each column.
    pub scaler: &'a Scaler,
    /// How the units of a forecast are those of the user, one entry for each target.
    pub output_scaler: &'a Scaler,
    /// What is seen.
    pub layout: WindowLayout,
    /// What known features add to the targets, which are seen, and forecast, without it.
    pub effects: Option<&'a RowEffects>,
}

impl Lens<'_> {
    /// Appends the input `(n_rows, width)` of a place, and the levels of its targets `(supervised_steps,
    /// n_targets_at_once)`: what is known of each up to that step.
    ///
    /// A missing value is shown as the last known before it in the window, or the first after among the rows that give the
    /// level, whose centre is shown where there is none; so is what lies before the series. With `interpolate_gaps`, values
    /// between two known ones are interpolated instead. Missing features are shown as their centre.
    pub fn input(&self, place: Place, input: &mut Vec<f32>, levels: &mut Vec<Level>) {
        let WindowLayout { n_features, n_targets, independent, .. } = self.layout;
        let at = input.len();
        input.resize(at + self.layout.n_rows() * self.layout.width(), 0.0);
        let input = &mut input[at..];
        let series = self.panel.series(place.series);
        let targets = if independent { place.channel..place.channel + 1 } else { 0..n_targets };
        let (n_at_once, n_shown) = (targets.len(), targets.len().min(n_features));
        let first = levels.len();
        levels.resize(first + self.layout.supervised_steps * n_at_once, Level { center: 0.0, scale: 1.0 });
        for (column, target) in targets.enumerate() {
            let of_steps = levels[first + column..].iter_mut().step_by(n_at_once);
            let effects = self.effects_at(place, target, self.layout.window_size);
            let values = WindowValues::new(series, place.origin, (self.layout.window_size, target), &effects);
            let level = self.levels(values, place, target, of_steps);
            if column < n_shown {
                self.show_target(values, (target, column), level, input);
            }
        }
        for (i, feature) in (n_targets.min(n_features)..n_features).enumerate() {
            self.show_feature(series, place.origin, (feature, n_shown + i), input);
        }
    }

    /// Appends the targets `(supervised_steps, horizon, n_targets_at_once)` of a place, given their levels; NaN where they
    /// are missing, but for `filled_gaps`, lie before the series or have a weight of 0. No row from `end` on is read.
    #[allow(clippy::cast_possible_truncation)]
    pub fn target(&self, (place, end): (Place, usize), levels: &[Level], target: &mut Vec<f32>) {
        let (known, weights) = (self.panel.series(place.series).rows(0, end), self.panel.weights(place.series));
        let n_at_once = levels.len() / self.layout.supervised_steps;
        let effects = self.effects_ahead(place);
        let effect = |at: usize| effects.get(at).copied().unwrap_or(0.0);
        for (step, levels) in levels.chunks_exact(n_at_once).enumerate() {
            for (ahead, row) in self.target_rows(place, step).enumerate() {
                match row.filter(|&row| weights.is_none_or(|weights| weights[row] > 0.0)) {
                    None => target.resize(target.len() + n_at_once, f32::NAN),
                    Some(row) => {
                        let filled = |column| known_or_filled(known, row, column, self.layout.filled_gaps);
                        let values = (place.channel..).zip(levels).enumerate();
                        target.extend(values.map(|(at, (column, level))| {
                            level.to_network(filled(column) - effect(at * self.layout.horizon + ahead)) as f32
                        }));
                    }
                }
            }
        }
    }

    /// Appends how much each row of the targets of a place counts, `(supervised_steps, horizon)`; nothing where all count
    /// alike.
    pub fn row_weights(&self, place: Place, row_weights: &mut Vec<f32>) {
        let Some(weights) = self.panel.weights(place.series) else { return };
        for step in 0..self.layout.supervised_steps {
            row_weights.extend(self.target_rows(place, step).map(|row| row.map_or(0.0, |row| weights[row])));
        }
    }

    /// The rows that are forecast after a supervised step; `None` before the series.
    fn target_rows(&self, place: Place, step: usize) -> impl Iterator<Item = Option<usize>> + use<> {
        let WindowLayout { window_size, horizon, supervised_steps, .. } = self.layout;
        // counted from the window's first row, which may lie before the series
        let first = place.origin + (step + 1) * (window_size / supervised_steps);
        (first..first + horizon).map(move |row| row.checked_sub(window_size))
    }

    /// What known features add to each target at the rows that are forecast, `(n_targets_at_once, horizon)`, in the units of
    /// the series; nothing without an effect.
    pub fn effects_ahead(&self, place: Place) -> Vec<f64> {
        let WindowLayout { window_size, horizon, .. } = self.layout;
        let targets = place.channel..place.channel + self.layout.n_targets_at_once();
        let of_target = |target| self.effects_at(place, target, window_size + horizon).into_iter().skip(window_size);
        targets.flat_map(of_target).collect()
    }

    /// The same of one target for so many rows from the first of the window on.
    fn effects_at(&self, place: Place, target: usize, n_rows: usize) -> Vec<f64> {
        let Some(effects) = self.effects else { return Vec::new() };
        let scale = self.panel.scale(place.series, target).map_or(self.output_scaler.scale[target], |(_, scale)| scale);
        // targets that are seen one at a time have one effect
        let of_target = if self.layout.independent { 0 } else { target };
        let effects = effects.of_window((place.series, place.origin), of_target, (self.layout.window_size, n_rows));
        effects.into_iter().map(|effect| effect * scale).collect()
    }

    /// Writes the level of a target after each supervised step; that of the first rows, which the input has, is the answer.
    fn levels<'l>(
        &self,
        values: WindowValues,
        place: Place,
        target: usize,
        of_steps: impl Iterator<Item = &'l mut Level>,
    ) -> Level {
        let Scaler { center, scale } = self.output_scaler;
        let (center, scale) = self.panel.scale(place.series, target).unwrap_or((center[target], scale[target]));
        let WindowLayout { window_size, level_rows, supervised_steps, normalize, .. } = self.layout;
        let mut of_input = Level { center, scale };
        let Some(normalize) = normalize else {
            of_steps.for_each(|level| *level = of_input);
            return of_input;
        };
        let mut so_far = LevelSoFar::new(normalize, of_input);
        so_far.read((0..level_rows).map(|row| values.at(row)));
        of_input = so_far.level();
        let (mut n_read, step_rows) = (level_rows, window_size / supervised_steps);
        for (step, level) in of_steps.enumerate() {
            let end = (step + 1) * step_rows;
            so_far.read((n_read..end).map(|row| values.at(row)));
            (*level, n_read) = (so_far.level(), end);
        }
        of_input
    }

    #[allow(clippy::cast_possible_truncation)]
    fn show_target(&self, values: WindowValues, (target, column): (usize, usize), level: Level, input: &mut [f32]) {
        let WindowLayout { window_size, level_rows, normalize, interpolate_gaps, .. } = self.layout;
        let own = normalize.is_some() || self.panel.has_scales();
        let Scaler { center, scale } = self.scaler;
        let level = if own { level } else { Level { center: center[target], scale: scale[target] } };
        let mut shown = (0..level_rows).map(|row| values.at(row)).find(|value| !value.is_nan()).unwrap_or(level.center);
        let (indicator, future) =
            (self.layout.n_values() + column, std::iter::repeat_n(f64::NAN, self.layout.n_future));
        let values = (0..window_size).map(|row| values.at(row));
        let rows = input.chunks_exact_mut(self.layout.width());
        for (at, (row, value)) in rows.zip(values.clone().chain(future)).enumerate() {
            shown = if value.is_nan() { shown } else { value };
            // the network is told that the future isn't known
            row[column] = if at < window_size { level.to_network(shown) as f32 } else { 0.0 };
            if self.layout.indicator {
                row[indicator] = f32::from(u8::from(value.is_nan()));
            }
        }
        if interpolate_gaps {
            for (at, value) in interpolated(values) {
                input[at * self.layout.width() + column] = level.to_network(value) as f32;
            }
        }
    }

    fn show_feature(&self, series: Matrix<f64>, origin: usize, (feature, column): (usize, usize), input: &mut [f32]) {
        let WindowLayout { window_size, horizon, n_features, n_known, n_future, .. } = self.layout;
        let is_known = n_future > 0 && feature >= n_features - n_known;
        let end = if is_known { origin + horizon } else { origin };
        let rows = series.rows(origin.saturating_sub(window_size), end);
        let slots = input.chunks_exact_mut(self.layout.width()).skip(window_size.saturating_sub(origin));
        for (row, slot) in (0..rows.n_rows()).zip(slots) {
            let value = self.scaler.transform_one(feature, rows.row(row)[feature]);
            slot[column] = if value.is_nan() { 0.0 } else { value };
        }
    }
}

/// A value, or the one on the straight line between its known neighbours where it is missing in a gap of at most `longest`
/// rows.
fn known_or_filled(series: Matrix<f64>, row: usize, column: usize, longest: usize) -> f64 {
    let value = series.row(row)[column];
    if !value.is_nan() || longest == 0 {
        return value;
    }
    let is_known = |&other: &usize| !series.row(other)[column].is_nan();
    let before = (row.saturating_sub(longest)..row).rev().find(is_known);
    let after = (row + 1..series.n_rows().min(row + longest + 1)).find(is_known);
    match (before, after) {
        (Some(first), Some(last)) if last - first <= longest + 1 => {
            let (from, to) = (series.row(first)[column], series.row(last)[column]);
            from + (to - from) * ((row - first) as f64 / (last - first) as f64)
        }
        _ => value,
    }
}

/// The rows of missing values between two known ones, and the values there on the straight line between these.
fn interpolated(values: impl Iterator<Item = f64> + Clone) -> impl Iterator<Item = (usize, f64)> {
    let known = values.enumerate().filter(|(_, value)| !value.is_nan());
    let pairs = known.clone().zip(known.skip(1));
    pairs.flat_map(|((first, from), (last, to))| {
        // nothing for neighbours
        let part = move |row: usize| (row - first) as f64 / (last - first) as f64;
        (first + 1..last).map(move |row| (row, from + (to - from) * part(row)))
    })
}

/// The values of a target in the rows of a window, without what known features add.
#[derive(Clone, Copy)]
struct WindowValues<'v> {
    rows: Matrix<'v, f64>,
    /// Rows of the window before the series.
    before: usize,
    column: usize,
    effects: &'v [f64],
}

impl<'v> WindowValues<'v> {
    fn new(series: Matrix<'v, f64>, origin: usize, (window_size, column): (usize, usize), effects: &'v [f64]) -> Self {
        let rows = series.rows(origin.saturating_sub(window_size), origin);
        Self { rows, before: window_size.saturating_sub(origin), column, effects }
    }

    /// That of a row, counted from the window's first; NaN where it is missing or before the series.
    fn at(&self, row: usize) -> f64 {
        let effect = self.effects.get(row).copied().unwrap_or(0.0);
        row.checked_sub(self.before).map_or(f64::NAN, |row| self.rows.row(row)[self.column] - effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: WindowLayout = WindowLayout { horizon: 2, ..WindowLayout::windows_alone(3, 1) };

    fn look(values: &[f64], layout: WindowLayout, origin: usize, channel: usize) -> (Vec<f32>, Vec<f32>, Vec<Level>) {
        let panel = Panel::one(Matrix::new(values, layout.n_features).unwrap());
        let n = layout.n_features;
        let scaler = Scaler { center: vec![1.0; n], scale: [2.0, 10.0, 50.0][..n].to_vec() };
        let output_scaler = scaler.first(layout.n_targets);
        let lens = Lens { panel: &panel, scaler: &scaler, output_scaler: &output_scaler, layout, effects: None };
        let (mut input, mut target, mut levels) = (vec![], vec![], vec![]);
        let place = Place { series: 0, origin, channel };
        lens.input(place, &mut input, &mut levels);
        if origin + layout.horizon <= panel.series(0).n_rows() {
            lens.target((place, panel.series(0).n_rows()), &levels, &mut target);
        }
        (input, target, levels)
    }

    #[test]
    fn a_window_is_scaled_and_so_is_its_target() {
        let (input, target, levels) = look(&[1., 3., 5., 7., 9.], LAYOUT, 3, 0);
        assert_eq!((input, target), (vec![0., 1., 2.], vec![3., 4.]));
        assert_eq!(levels, [Level { center: 1.0, scale: 2.0 }]);
    }

    #[test]
    fn normalisation_moves_targets_only() {
        let values = [1., 11., 3., 21., 5., 31., 7., 41., 9., 51.];
        let layout = WindowLayout { n_features: 2, normalize: Some(Normalize::Last), ..LAYOUT };
        let (input, target, levels) = look(&values, layout, 3, 0);
        assert_eq!((input, target), (vec![-2., 1., -1., 2., 0., 3.], vec![1., 2.]));
        assert_eq!(levels, [Level { center: 5.0, scale: 2.0 }]);
    }

    #[test]
    fn channels_come_one_at_a_time_with_what_is_no_target() {
        let values = [1., 11., 101., 3., 21., 201., 5., 31., 301., 7., 41., 401., 9., 51., 501.];
        let layout = WindowLayout { n_features: 3, n_targets: 2, independent: true, ..LAYOUT };
        let (input, target, levels) = look(&values, layout, 3, 1);
        assert_eq!((input, target), (vec![1., 2., 2., 4., 3., 6.], vec![4., 5.]));
        assert_eq!(levels, [Level { center: 1.0, scale: 10.0 }]);
    }

    #[test]
    fn what_is_known_in_advance_follows_the_window() {
        let values = [1., 11., 3., 21., 5., 31., f64::NAN, 41., f64::NAN, 51.];
        let layout = WindowLayout { n_features: 2, n_known: 1, n_future: 3, indicator: true, ..LAYOUT };
        let (input, target, _) = look(&values, layout, 3, 0);
        let expected = [[0., 1., 0.], [1., 2., 0.], [2., 3., 0.], [0., 4., 1.], [0., 5., 1.], [0., 0., 1.]];
        assert_eq!(input, expected.concat());
        assert!(target.iter().all(|value| value.is_nan()));
    }

    #[test]
    fn missing_values_are_carried_and_told() {
        let nan = f64::NAN;
        let layout = WindowLayout { indicator: true, normalize: Some(Normalize::Last), ..LAYOUT };
        let (input, target, levels) = look(&[nan, 3., nan, 7., nan], layout, 3, 0);
        assert_eq!(input, [0., 1., 0., 0., 0., 1.]);
        assert_eq!((target[0], target[1].is_nan()), (2.0, true));
        assert_eq!(levels, [Level { center: 3.0, scale: 2.0 }]);
        // nothing is known at all: the scaler's centre
        assert_eq!(look(&[nan, nan, nan, 7., 9.], layout, 3, 0).1, [3.0, 4.0]);
    }

    #[test]
    fn gaps_between_known_values_are_interpolated_and_told() {
        let nan = f64::NAN;
        let layout = WindowLayout {
            window_size: 6,
            level_rows: 6,
            indicator: true,
            interpolate_gaps: true,
            normalize: Some(Normalize::Last),
            ..LAYOUT
        };
        let (input, ..) = look(&[nan, 3., nan, nan, 9., nan, 0., 0.], layout, 6, 0);
        // before the first known value and after the last one there is no line
        let expected = [[-3., 1.], [-3., 0.], [-2., 1.], [-1., 1.], [0., 0.], [0., 1.]];
        assert_eq!(input, expected.concat());
    }

    #[test]
    fn targets_in_short_gaps_are_on_the_line() {
        let nan = f64::NAN;
        let values = [1., 1., 1., nan, 5., nan, nan, 11., nan];
        for (filled_gaps, expected) in [(0, [nan, 5., nan, nan]), (1, [3., 5., nan, nan]), (2, [3., 5., 7., 9.])] {
            let layout = WindowLayout { horizon: 4, filled_gaps, ..LAYOUT };
            #[allow(clippy::cast_possible_truncation)] // small whole numbers
            let scaled = expected.map(|value: f64| (value as f32 - 1.0) / 2.0);
            let target = look(&values, layout, 3, 0).1;
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&target), bits(&scaled));
        }
        // after the last known value there is no line
        assert!(look(&values, WindowLayout { horizon: 2, filled_gaps: 9, ..LAYOUT }, 7, 0).1[1].is_nan());
    }

    #[test]
    fn a_window_may_begin_before_its_series() {
        let layout = WindowLayout { n_features: 2, indicator: true, ..LAYOUT };
        let (input, ..) = look(&[3., 21., 5., 31., 7., 41.], layout, 1, 0);
        assert_eq!(input, [1., 0., 1., 1., 0., 1., 1., 2., 0.]);
    }

    /// Two steps of two rows each, all trained to forecast.
    const EVERY: WindowLayout = WindowLayout { window_size: 4, level_rows: 2, supervised_steps: 2, ..LAYOUT };

    #[test]
    fn every_step_has_targets_in_units_of_the_level_up_to_it() {
        let values = [1., 3., 5., 7., 9., 13.];
        let scaler = Level { center: 1.0, scale: 2.0 };
        let (input, target, levels) = look(&values, EVERY, 4, 0);
        assert_eq!((input, target), (vec![0., 1., 2., 3.], vec![2., 3., 4., 6.]));
        assert_eq!(levels, [scaler; 2]);
        let last = WindowLayout { normalize: Some(Normalize::Last), ..EVERY };
        let (input, target, levels) = look(&values, last, 4, 0);
        assert_eq!((input, target), (vec![-1., 0., 1., 2.], vec![1., 2., 1., 3.]));
        assert_eq!(levels, [Level { center: 3.0, ..scaler }, Level { center: 7.0, ..scaler }]);
        let window = WindowLayout { normalize: Some(Normalize::Window), ..EVERY };
        let (input, target, levels) = look(&values, window, 4, 0);
        assert_eq!(input, [-1., 1., 3., 5.]);
        assert_eq!(levels, [Level { center: 2.0, scale: 1.0 }, Level { center: 4.0, scale: 5f64.sqrt() }]);
        assert_eq!(target, [3., 5., 5.0 / 5f32.sqrt(), 9.0 / 5f32.sqrt()]);
    }

    #[test]
    fn levels_of_targets_at_once_come_step_by_step() {
        let values = [1., 11., 3., 21., 5., 31., 7., 41., 9., 51.];
        let layout =
            WindowLayout { n_features: 2, n_targets: 2, normalize: Some(Normalize::Last), horizon: 1, ..EVERY };
        let (input, target, levels) = look(&values, layout, 4, 0);
        assert_eq!(levels.iter().map(|level| level.center).collect::<Vec<_>>(), [3., 21., 7., 41.]);
        assert_eq!((input, target), (vec![-1., -1., 0., 0., 1., 1., 2., 2.], vec![1.0; 4]));
        // a forecast needs the last one alone
        let forecast = WindowLayout { supervised_steps: 1, ..layout };
        let (input, target, levels) = look(&values, forecast, 4, 0);
        assert_eq!(levels.iter().map(|level| level.center).collect::<Vec<_>>(), [7., 41.]);
        assert_eq!((input, target), (vec![-1., -1., 0., 0., 1., 1., 2., 2.], vec![1.0; 2]));
    }

    #[test]
    fn what_is_not_known_yet_is_not_shown_either() {
        let nan = f64::NAN;
        let layout = WindowLayout { normalize: Some(Normalize::Last), ..EVERY };
        let (input, target, levels) = look(&[nan, nan, 5., nan, 9., nan], layout, 4, 0);
        // the scaler's centre until the first value
        assert_eq!(input, [0., 0., 2., 2.]);
        assert_eq!(levels.iter().map(|level| level.center).collect::<Vec<_>>(), [1., 5.]);
        assert_eq!((target[0], target[2]), (2.0, 2.0));
        assert!(target[1].is_nan() && target[3].is_nan());
        // the same step may see the value that follows
        assert_eq!(look(&[nan, 3., nan, 7., 9., 9.], layout, 4, 0).0, [0., 0., 0., 2.]);
    }

    #[test]
    fn steps_before_a_series_have_no_targets() {
        let layout = WindowLayout { normalize: Some(Normalize::Last), indicator: true, ..EVERY };
        let (input, target, levels) = look(&[5., 7., 9.], layout, 1, 0);
        assert_eq!(input, [0., 1., 0., 1., 0., 1., 2., 0.]);
        assert_eq!(levels.iter().map(|level| level.center).collect::<Vec<_>>(), [1., 5.]);
        assert!(target[0].is_nan());
        assert_eq!(target[1..], [2., 1., 2.]);
    }

    #[test]
    fn no_step_sees_what_comes_after_it() {
        let layout = WindowLayout { window_size: 6, level_rows: 2, supervised_steps: 3, indicator: true, ..LAYOUT };
        let values = [f64::NAN, 3., 4., f64::NAN, 2., 8., 9., 1.];
        for normalize in [None, Some(Normalize::Last), Some(Normalize::Window)] {
            let look = |values: &[f64]| look(values, WindowLayout { normalize, ..layout }, 6, 0);
            let (input, target, levels) = look(&values);
            for step in 0..3 {
                for changed in [f64::NAN, 1e6] {
                    let read = 2 * (step + 1);
                    let mut other = values;
                    other[read..].fill(changed);
                    let (other_input, other_target, other_levels) = look(&other);
                    assert_eq!(other_input[..2 * read], input[..2 * read], "{normalize:?}, step {step}");
                    assert_eq!(other_levels[..=step], levels[..=step], "{normalize:?}, step {step}");
                    // the targets of the step before are the rows of this one
                    let bits = |target: &[f32]| target[..2 * step].iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&other_target), bits(&target), "{normalize:?}, step {step}");
                }
            }
        }
    }
}
