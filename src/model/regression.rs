//! The weight of what is known in advance: a regression of what the line can't forecast on what it can't foresee.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernel::isa::InstructionSet;
use crate::kernel::ridge::{Panels, RidgeSums};
use crate::series::effect::KnownEffect;
use crate::series::lens::WindowLayout;
use crate::series::{Gathered, Samples};

/// Ridges that are tried, as parts of the mean square of what is known; beside them, no regression at all.
const RIDGES: [f64; 9] = [1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
/// Windows that the regression is made of, and multiplications by the line in them: neighbours are much alike.
const MOST_WINDOWS: usize = 1 << 14;
const MOST_MULTIPLIED: usize = 1 << 32;
/// Where no windows are held out, the last of so many parts of those to train on judges.
const PARTS: usize = 5;
/// Features that are tried to be left out, at most, and by how much the error may grow without one.
const MOST_TRIED: usize = 40;
const HARMLESS: f64 = 1.002;
/// Rows that are added to the sums at once.
const BATCH: usize = 4096;

/// A regression beside the weights `(n_rows, horizon)` of a line, which maps the last rows of a window to the horizon.
pub(super) struct KnownRegression<'e> {
    layout: WindowLayout,
    set: InstructionSet,
    n_rows: usize,
    /// Row-major.
    line: Vec<f32>,
    /// Whose terms stand for what is known; `None`: that itself.
    effect: Option<&'e KnownEffect>,
}

impl<'e> KnownRegression<'e> {
    pub(super) fn new(layout: WindowLayout, line: &Panels, n_rows: usize, set: InstructionSet) -> Self {
        let horizon = layout.horizon;
        let line = (0..n_rows * horizon).map(|i| narrow(line.get(i / horizon, i % horizon))).collect();
        Self { layout, set, n_rows, line, effect: None }
    }

    /// A regression on the terms of an effect.
    #[must_use]
    pub(super) fn on_terms(self, effect: &'e KnownEffect) -> Self {
        Self { effect: Some(effect), ..self }
    }

    fn n_inputs(&self) -> usize {
        self.effect.map_or(self.layout.n_known, KnownEffect::n_terms)
    }

    /// The sums to solve and to judge by: of held-out windows, or the last part of those to train on.
    ///
    /// # Errors
    /// [`Error::Shape`] for other targets.
    pub(super) fn both_sums(&self, train: &dyn Samples, held_out: Option<&dyn Samples>) -> Result<[RidgeSums; 2]> {
        let n_judged = if held_out.is_some() { 0 } else { train.len() / PARTS };
        let n_train = train.len() - n_judged;
        let judge = match held_out {
            Some(samples) => self.sums(samples, 0..samples.len())?,
            None => self.sums(train, n_train..train.len())?,
        };
        Ok([self.sums(train, 0..n_train)?, judge])
    }

    /// The weights `(n_targets, n_inputs)`, those of the choice of inputs and the ridge whose forecasts of held-out windows
    /// have the least squared error over all steps ahead; zeros where none errs less than the line alone.
    ///
    /// Both sides are what the line leaves: of the targets, its errors; of what is known, the errors that it would make in
    /// forecasting that. So a season, a trend or a level that both have is not taken for cause and effect (Cochrane & Orcutt
    /// 1949: a regression whose errors are forecast is one of filtered values).
    ///
    /// # Errors
    /// [`Error::Value`] where what is known isn't finite.
    pub(super) fn solve(&self, [sums, judge]: &[RidgeSums; 2], choices: &[Vec<usize>]) -> Result<Vec<f32>> {
        let (n, n_targets) = (self.n_inputs(), self.layout.n_targets_at_once());
        let mut weights = vec![0.0; n_targets * n];
        let mut least = judge.error(&Panels::zeros(n, n_targets));
        for inputs in choices {
            let both = [sums.of(inputs), judge.of(inputs)];
            for ridge in RIDGES {
                let (error, solution) = solved(&both, ridge)?;
                if error < least {
                    least = error;
                    weights.fill(0.0);
                    for (at, target) in (0..inputs.len()).flat_map(|at| (0..n_targets).map(move |to| (at, to))) {
                        weights[target * n + inputs[at]] = narrow(solution.get(at, target));
                    }
                }
            }
        }
        Ok(weights)
    }

    /// Those of some features without which the error on held-out windows grows: each in turn is left out with all terms that
    /// it is part of, and stays out if that does no harm.
    ///
    /// # Errors
    /// As [`KnownRegression::solve`].
    pub(super) fn relevant(
        [sums, judge]: &[RidgeSums; 2],
        effect: &KnownEffect,
        features: &[usize],
    ) -> Result<Vec<usize>> {
        let mut kept = features.to_vec();
        if kept.len() > MOST_TRIED {
            return Ok(kept);
        }
        let both_of = |kept: &[usize]| {
            let inputs = effect.terms_of(kept, (true, true));
            [sums.of(&inputs), judge.of(&inputs)]
        };
        let all = both_of(&kept);
        let mut best = (f64::INFINITY, 0.0);
        for ridge in RIDGES {
            let (error, _) = solved(&all, ridge)?;
            if error < best.0 {
                best = (error, ridge);
            }
        }
        let (mut error, ridge) = best;
        for &feature in features.iter().rev() {
            let others: Vec<usize> = kept.iter().copied().filter(|&other| other != feature).collect();
            if others.is_empty() {
                break;
            }
            let (without, _) = solved(&both_of(&others), ridge)?;
            if without <= error * HARMLESS {
                (kept, error) = (others, error.min(without));
            }
        }
        Ok(kept)
    }

    /// Sums over steps ahead of windows, each with the weight of its row; those without a value of each target are left out.
    fn sums(&self, samples: &dyn Samples, range: Range<usize>) -> Result<RidgeSums> {
        let (horizon, n_inputs) = (self.layout.horizon, self.n_inputs());
        let n_targets = self.layout.n_targets_at_once();
        if samples.target_len() != horizon * n_targets {
            let expected = format!("targets of {} numbers", horizon * n_targets);
            return Err(Error::shape(expected, samples.target_len().to_string()));
        }
        let most = MOST_MULTIPLIED / (self.line.len() * (n_inputs + n_targets));
        let stride = range.len().div_ceil(most.clamp(1, MOST_WINDOWS)).max(1);
        let mut sums = RidgeSums::new(n_inputs, n_targets, self.set);
        let (mut gathered, mut x, mut y) = (Gathered::default(), Vec::new(), Vec::new());
        for index in range.step_by(stride) {
            gathered.clear();
            samples.gather(index, &mut gathered);
            let (of_targets, of_known) = (self.leave_targets(&gathered), self.leave_known(&gathered));
            for step in 0..horizon {
                let of_targets = &of_targets[step * n_targets..][..n_targets];
                if of_targets.iter().all(|left| !left.is_nan()) {
                    let root = gathered.row_weights.get(step).map_or(1.0, |weight| weight.sqrt());
                    y.extend(of_targets.iter().map(|left| root * left));
                    x.extend(of_known[step * n_inputs..][..n_inputs].iter().map(|left| root * left));
                }
            }
            if y.len() >= BATCH * n_targets {
                sums.add(&x, &y, 1);
                x.clear();
                y.clear();
            }
        }
        sums.add(&x, &y, 1);
        sums.finish();
        Ok(sums)
    }

    /// What the line leaves of the targets of a window: `(horizon, n_targets)`.
    fn leave_targets(&self, window: &Gathered) -> Vec<f32> {
        let (width, n_targets) = (self.layout.width(), self.layout.n_targets_at_once());
        let rows: Vec<f32> = window
            .inputs
            .chunks_exact(width)
            .take(self.layout.window_size)
            .flat_map(|row| &row[..n_targets])
            .copied()
            .collect();
        self.leave(&rows, window.targets.clone())
    }

    /// What the line leaves of the inputs of the regression, which count from the last row, as in the network:
    /// `(horizon, n_inputs)`.
    fn leave_known(&self, window: &Gathered) -> Vec<f32> {
        let WindowLayout { window_size, horizon, n_known, .. } = self.layout;
        let first = self.layout.n_values() - n_known;
        let rows = window.inputs.chunks_exact(self.layout.width()).take(window_size + horizon);
        let known: Vec<f32> = rows.flat_map(|row| &row[first..][..n_known]).copied().collect();
        let mut inputs = self.effect.map_or_else(|| known.clone(), |effect| effect.terms(&known));
        let last = inputs[(window_size - 1) * self.n_inputs()..][..self.n_inputs()].to_vec();
        for row in inputs.chunks_exact_mut(last.len()) {
            row.iter_mut().zip(&last).for_each(|(value, last)| *value -= last);
        }
        let ahead = inputs.split_off(window_size * last.len());
        self.leave(&inputs, ahead)
    }

    /// What the line leaves of columns: of `ahead` `(horizon, columns)`, without what the line makes of the rows before.
    fn leave(&self, rows: &[f32], mut ahead: Vec<f32>) -> Vec<f32> {
        let WindowLayout { window_size, horizon, .. } = self.layout;
        let n_columns = ahead.len() / horizon;
        let rows = rows[(window_size - self.n_rows) * n_columns..].chunks_exact(n_columns);
        for (row, weights) in rows.zip(self.line.chunks_exact(horizon)) {
            for (left, weight) in ahead.chunks_exact_mut(n_columns).zip(weights) {
                left.iter_mut().zip(row).for_each(|(left, value)| *left -= value * weight);
            }
        }
        ahead
    }
}

/// The squared error on what judges, and the weights, by a ridge in parts of the mean square of the inputs.
fn solved([sums, judge]: &[RidgeSums; 2], ridge: f64) -> Result<(f64, Panels)> {
    let solution = sums.solve(ridge * sums.mean_square().max(f64::MIN_POSITIVE), &sums.zeros()).ok_or_else(|| {
        let expected = "expected finite values of what is known in advance";
        Error::Value(format!("{expected}, got such as no regression can be made of"))
    })?;
    Ok((judge.error(&solution), solution))
}

#[allow(clippy::cast_possible_truncation)] // weights are single precision
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::super::Model;
    use super::*;
    use crate::model::{Channels, ModelConfig};
    use crate::rng::{Purpose, Rng};
    use crate::series::lens::Lens;
    use crate::series::normalize::Normalize;
    use crate::series::scale::Scaler;
    use crate::series::table::Table;
    use crate::series::window::{Span, Windows};
    use crate::series::{Matrix, Panel};
    use crate::train::TrainConfig;

    const N_ROWS: usize = 300;
    const N_TRAIN: usize = 240;

    fn model(channels: Channels, n_targets: usize, n_known: usize) -> Model {
        Model::new(ModelConfig {
            hidden_size: 2,
            window_size: 12,
            linear_skip: true,
            channels,
            horizon: 3,
            n_features: n_targets + n_known,
            n_targets,
            n_known,
            normalize: Some(Normalize::Last),
            ..ModelConfig::default()
        })
        .unwrap()
    }

    /// Solves a model's line, by the last rows unless `alone`; the weight of what is known.
    fn weight(model: &mut Model, rows: &[f64], alone: bool) -> Vec<f32> {
        let panel = Panel::one(Matrix::new(rows, model.config.n_features).unwrap());
        weight_of(model, &panel, alone)
    }

    fn weight_of(model: &mut Model, panel: &Panel, alone: bool) -> Vec<f32> {
        let (scaler, output_scaler) = (model.input_scaler.clone(), model.output_scaler.clone());
        let lens = Lens {
            panel,
            scaler: &scaler,
            output_scaler: &output_scaler,
            layout: model.config.layout(),
            effects: None,
        };
        let windows = |first, end| Windows::new(lens, std::iter::once(Span { first, end }), 1).unwrap();
        let (train, held_out) = (windows(12, N_TRAIN), windows(N_TRAIN, N_ROWS));
        let held_out = (!alone).then_some(&held_out as &dyn Samples);
        model.solve_line(&train, held_out, &TrainConfig::default()).unwrap();
        model.parameters.get("known.weight").unwrap().values().to_vec()
    }

    /// Noise within 1, and a walk whose steps it is.
    fn noise_and_walk(purpose: Purpose) -> (Vec<f64>, Vec<f64>) {
        let noise: Vec<f64> = Rng::new(3, purpose).uniform(N_ROWS, 1.0).into_iter().map(f64::from).collect();
        let walk = noise.iter().scan(0.0, |sum, step| {
            *sum += step;
            Some(*sum)
        });
        let walk = walk.collect();
        (noise, walk)
    }

    fn close(got: &[f32], expected: &[f32], within: f32) {
        assert_eq!(got.len(), expected.len());
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < within), "{got:?}, not {expected:?}");
    }

    /// Targets `2 a - 3 b` and `a + b`, then `a` and `b`.
    fn two_effects() -> Vec<f64> {
        let (a, b) = (noise_and_walk(Purpose::Shuffle).0, noise_and_walk(Purpose::Weights).1);
        a.iter().zip(&b).flat_map(|(a, b)| [2.0 * a - 3.0 * b, a + b, *a, *b]).collect()
    }

    #[test]
    fn a_known_weight_is_found() {
        for alone in [false, true] {
            // where there is no noise, the least ridge errs least: it takes away some 1e-4
            let found = weight(&mut model(Channels::Together, 2, 2), &two_effects(), alone);
            close(&found, &[2.0, -3.0, 1.0, 1.0], 1e-2);
        }
        // one weight for both targets: near the mean of theirs, as far as both lines leave the same
        let found = weight(&mut model(Channels::Independent, 2, 2), &two_effects(), false);
        close(&found, &[1.5, -1.0], 0.1);
    }

    #[test]
    fn weights_are_those_of_scaled_values() {
        let mut model = model(Channels::Together, 2, 2);
        let scaler = Scaler { center: vec![7.0; 4], scale: vec![2.0, 1.0, 10.0, 1.0] };
        model.load_scalers(scaler.clone(), scaler.first(2)).unwrap();
        // the ridge is 1e-4 of the mean of both squares, which is some 200 times that of the feature that was made small
        close(&weight(&mut model, &two_effects(), false), &[10.0, -1.5, 10.0, 1.0], 0.3);
    }

    #[test]
    fn a_season_or_trend_of_both_is_no_effect() {
        let (wiggles, others) = (noise_and_walk(Purpose::Shuffle).0, noise_and_walk(Purpose::Weights).0);
        let common: [fn(f64) -> f64; 2] = [|at| 0.2 * at, |at| 3.0 * (at * std::f64::consts::PI / 6.0).sin()];
        for common in common {
            let both = wiggles.iter().zip(&others).enumerate();
            let rows: Vec<f64> = both.flat_map(|(i, (a, b))| [common(i as f64) + a, common(i as f64) + b]).collect();
            // a regression of values would find 1; a standard error of 1 / sqrt(240) = 0.065
            close(&weight(&mut model(Channels::Together, 1, 1), &rows, false), &[0.0], 0.25);
        }
    }

    #[test]
    fn what_does_not_help_on_held_out_rows_has_no_weight() {
        let a = noise_and_walk(Purpose::Shuffle).0;
        // an effect that turns around where the training ends
        let effect = |i: usize| if i < N_TRAIN { 1.0 } else { -1.0 };
        let rows: Vec<f64> = a.iter().enumerate().flat_map(|(i, a)| [effect(i) * a, *a]).collect();
        close(&weight(&mut model(Channels::Together, 1, 1), &rows, false), &[0.0], f32::MIN_POSITIVE);
    }

    #[test]
    fn rows_with_gaps_are_passed_over() {
        let mut rows = two_effects();
        for row in [0, 7, 8, 50, N_TRAIN - 1] {
            rows[4 * row + row % 2] = f64::NAN;
        }
        // the line takes the last value for a missing one, and what is known then explains its error in part
        let found = weight(&mut model(Channels::Together, 2, 2), &rows, false);
        close(&found, &[2.0, -3.0, 1.0, 1.0], 0.1);
        let gaps = vec![f64::NAN; 4 * N_ROWS];
        let found = weight(&mut model(Channels::Together, 2, 2), &gaps, false);
        close(&found, &[0.0; 4], f32::MIN_POSITIVE);
    }

    #[test]
    fn constant_and_equal_features_are_no_obstacle() {
        let walk = noise_and_walk(Purpose::Shuffle).1;
        let rows: Vec<f64> = walk.iter().flat_map(|a| [4.0 * a, *a, *a, 1.0]).collect();
        close(&weight(&mut model(Channels::Together, 1, 3), &rows, false), &[2.0, 2.0, 0.0], 1e-2);
    }

    #[test]
    fn rows_count_by_their_weights() {
        let a = noise_and_walk(Purpose::Shuffle).0;
        let effect = |i: usize| if i.is_multiple_of(2) { 2.0 } else { -1.0 };
        let rows: Vec<f64> = a.iter().enumerate().flat_map(|(i, a)| [effect(i) * a, *a]).collect();
        let matrix = Matrix::new(&rows, 2).unwrap();
        let found = |odd: f64| {
            let weights: Vec<f64> = (0..N_ROWS).map(|i| if i.is_multiple_of(2) { 1.0 } else { odd }).collect();
            let panel = Panel::one(matrix).weighted(&weights).unwrap();
            weight_of(&mut model(Channels::Together, 1, 1), &panel, false)[0]
        };
        // the mean of both effects, that of the even rows, and nearly that of the odd ones; the ridge and the line's own
        // errors take some away
        assert!((found(1.0) - 0.5).abs() < 0.2, "{}", found(1.0));
        assert!((found(0.0) - 2.0).abs() < 0.3, "{}", found(0.0));
        assert!((found(20.0) + 1.0).abs() < 0.4, "{}", found(20.0));
    }

    #[test]
    fn a_weight_of_before_stays() {
        let mut model = model(Channels::Together, 2, 2);
        model.parameters.get_mut("known.weight").unwrap().values_mut().fill(0.5);
        assert_eq!(weight(&mut model, &two_effects(), false), [0.5; 4]);
    }

    #[test]
    fn windows_that_have_a_scale_each_have_no_weight() {
        let config = ModelConfig { normalize: Some(Normalize::Window), ..model(Channels::Together, 2, 2).config };
        assert_eq!(weight(&mut Model::new(config).unwrap(), &two_effects(), false), [0.0; 4]);
    }

    /// The regression, slowly: the errors of the line number by number, and elimination without pivots.
    #[test]
    fn sums_over_windows_are_those_of_single_numbers() {
        let layout = model(Channels::Together, 2, 2).config.layout();
        let (n_rows, horizon, width) = (5, layout.horizon, layout.width());
        let (n_inputs, n_outputs, n_windows) = (layout.n_rows() * width, horizon * 2, 40);
        let mut rng = Rng::new(7, Purpose::Shuffle);
        let (inputs, targets) = (rng.uniform(n_inputs * n_windows, 1.0), rng.uniform(n_outputs * n_windows, 1.0));
        let weights = rng.uniform(n_rows * horizon, 0.5);
        let mut line = Panels::zeros(n_rows, horizon);
        weights.iter().enumerate().for_each(|(i, &w)| line.set(i / horizon, i % horizon, f64::from(w)));
        let left = |window: usize, step: usize, column: usize, value: f64, last: f64| {
            let first = layout.window_size - n_rows;
            (0..n_rows).fold(value - last, |left, row| {
                let seen = f64::from(inputs[window * n_inputs + (first + row) * width + column]) - last;
                left - seen * f64::from(weights[row * horizon + step])
            })
        };
        let mut system = [[0.0; 3]; 2];
        for (window, step) in (0..n_windows).flat_map(|window| (0..horizon).map(move |step| (window, step))) {
            let input = |row: usize, column: usize| f64::from(inputs[window * n_inputs + row * width + column]);
            let of_known = [2, 3].map(|column| {
                let value = input(layout.window_size + step, column);
                left(window, step, column, value, input(layout.window_size - 1, column))
            });
            let of_target = left(window, step, 0, f64::from(targets[window * n_outputs + step * 2]), 0.0);
            for i in 0..2 {
                for (sum, other) in system[i].iter_mut().zip([of_known[0], of_known[1], of_target]) {
                    *sum += of_known[i] * other;
                }
            }
        }
        let (inputs, targets) = (Matrix::new(&inputs, n_inputs).unwrap(), Matrix::new(&targets, n_outputs).unwrap());
        let samples = Table::new(inputs, targets, &[1.0; 40]);
        let regression = KnownRegression::new(layout, &line, n_rows, InstructionSet::choose().unwrap());
        let sums = regression.sums(&samples, 0..n_windows).unwrap();
        let found = sums.solve(0.0, &Panels::zeros(2, 2)).unwrap();
        let [[xx, xz, xy], [_, zz, zy]] = system;
        let second = (zy - xz / xx * xy) / (zz - xz / xx * xz);
        // errors of the line in single precision
        assert!((found.get(1, 0) - second).abs() < 1e-5);
        assert!((found.get(0, 0) - (xy - xz * second) / xx).abs() < 1e-5);
    }
}
