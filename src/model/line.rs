//! The linear skip connection past the LSTM, solved and not trained: ridge regression of the horizon on the window.

use super::line_choice::{self, RIDGES};
use super::regression::KnownRegression;
use super::smoothing::smoothed;
use super::Model;
use crate::error::{Error, Result};
use crate::kernel::isa::InstructionSet;
use crate::kernel::pool;
use crate::kernel::ridge::{Panels, RidgeSums};
use crate::series::lens::WindowLayout;
use crate::series::normalize::Normalize;
use crate::series::{Gathered, Samples};
use crate::train::TrainConfig;

/// Windows that the regression is made of: neighbours are much alike.
const MOST_WINDOWS: usize = 1 << 14;
/// Windows that are gathered at once, and the numbers in them.
const BATCH: usize = 512;
const BATCH_LEN: usize = 1 << 20;
/// Rows of a window that the regression looks at, the last: its time grows with their third power, its memory with the second.
const MOST_ROWS: usize = 1 << 11;
/// Windows of different times up to which ridge and prior are chosen by cross-validation. With so many, those held out
/// alone choose as well.
const FEW_TIMES: usize = 1 << 10;
/// Multiplications that threads are worth waking for.
const WORTH_THREADS: usize = 1 << 27;
/// Times that missing targets are filled with what the line forecasts, and the line is solved anew, which comes to the
/// regression on the known ones (Dempster, Laird & Rubin 1977: EM).
const ROUNDS: usize = 4;
/// As many where the weights of rows differ within a horizon: each round counts a window by the greatest of them, and fills
/// what the others lack to it in the same way.
const ROUNDS_OF_WEIGHTS: usize = 16;
/// Times that the weight of what is known in advance is solved given the line, and the line given that weight.
const KNOWN_ROUNDS: usize = 2;

impl Model {
    /// Lets the linear skip connection forecast what a ridge regression of the training samples forecasts
    /// (`skip.weight`), with the ridge that errs least on those held out, and gives what is known in advance the weight of
    /// another (`known.weight`), unless it has one; what the LSTM learns is added to both. The
    /// closed form of `NLinear` (Toner & Darlow 2024, "An Analysis of Linear Time Series Forecasting Models") needs no
    /// training, and no learning rate.
    ///
    /// A weight that isn't zero, as after a fit before, stays. If it is to be adapted, the regression is of what it leaves, and
    /// the ridge shrinks towards it and not towards zero: with little data, the line hardly moves.
    pub(super) fn solve_line(
        &mut self,
        train: &dyn Samples,
        held_out: Option<&dyn Samples>,
        training: &TrainConfig,
    ) -> Result<()> {
        let Some(weight) = self.parameters.get("skip.weight") else { return Ok(()) };
        if weight.values().iter().any(|&number| number != 0.0) && !training.transfer.adapt_line {
            return Ok(());
        }
        let known = self.parameters.get("known.weight").map_or_else(Vec::new, |weight| weight.values().to_vec());
        let mut line = Line::new(self.config.layout(), known, training)?;
        // windows that have a scale each have none for a weight of what is known
        let has_new =
            line.known.iter().all(|&number| number == 0.0) && self.config.normalize != Some(Normalize::Window);
        let rounds = if has_new && !line.known.is_empty() { KNOWN_ROUNDS } else { 0 };
        let solution = line.solve_with_known(train, held_out, weight.values(), rounds)?;
        if let Some(weight) = self.parameters.get_mut("skip.weight") {
            line.write(&solution, weight.values_mut());
        }
        if let Some(weight) = self.parameters.get_mut("known.weight") {
            weight.values_mut().copy_from_slice(&line.known);
        }
        Ok(())
    }
}

/// What the regression is made of.
pub(super) struct Line {
    layout: WindowLayout,
    /// The weight of what is known in advance, `(n_targets, n_known)`; empty where the windows are without its effect.
    known: Vec<f32>,
    set: InstructionSet,
    n_threads: usize,
    /// Steps of a season, see [`TrainConfig::season`].
    season: Option<usize>,
    /// Rows of a window that it looks at.
    n_rows: usize,
}

impl Line {
    pub(super) fn new(layout: WindowLayout, known: Vec<f32>, training: &TrainConfig) -> Result<Self> {
        let (set, n_threads) = (InstructionSet::choose()?, pool::n_threads(training.n_threads));
        let n_rows = layout.window_size.min(MOST_ROWS);
        Ok(Self { layout, known, set, n_threads, season: training.season, n_rows })
    }

    /// The line's weights, and in `rounds` rounds that of what is known: each is solved given the other.
    fn solve_with_known(
        &mut self,
        train: &dyn Samples,
        held_out: Option<&dyn Samples>,
        weight: &[f32],
        rounds: usize,
    ) -> Result<Panels> {
        let mut solution = self.solve(train, held_out, weight)?;
        for _ in 0..rounds {
            let regression = self.regression(&solution);
            let all = (0..self.layout.n_known).collect();
            let known = regression.solve(&regression.both_sums(train, held_out)?, &[all])?;
            if known == self.known {
                break;
            }
            self.known = known;
            solution = self.solve(train, held_out, weight)?;
        }
        Ok(solution)
    }

    /// The best ridge's weights `(n_rows, horizon)`, shrunk towards those of `weight`, `(horizon, window_size)`.
    pub(super) fn solve(&self, train: &dyn Samples, held_out: Option<&dyn Samples>, weight: &[f32]) -> Result<Panels> {
        let prior = self.read(weight);
        let (mut solution, n_rounds) = self.solution(train, held_out, (&prior, None))?;
        for _ in 0..n_rounds {
            solution = self.solution(train, held_out, (&prior, Some(&solution)))?.0;
        }
        Ok(solution)
    }

    /// The weights `(n_rows, horizon)` of `weight`, `(horizon, window_size)`.
    pub(super) fn read(&self, weight: &[f32]) -> Panels {
        let mut weights = Panels::zeros(self.n_rows, self.layout.horizon);
        for (step, of_step) in weight.chunks_exact(self.layout.window_size).enumerate() {
            let of_step = &of_step[self.layout.window_size - self.n_rows..];
            of_step.iter().enumerate().for_each(|(row, &weight)| weights.set(row, step, f64::from(weight)));
        }
        weights
    }

    /// The regression of what its weights `(n_rows, horizon)` leave.
    pub(super) fn regression(&self, solution: &Panels) -> KnownRegression<'static> {
        KnownRegression::new(self.layout, solution, self.n_rows, self.set)
    }

    /// Writes weights `(n_rows, horizon)` to `weight`, `(horizon, window_size)`.
    fn write(&self, solution: &Panels, weight: &mut [f32]) {
        for (step, weights) in weight.chunks_exact_mut(self.layout.window_size).enumerate() {
            let weights = &mut weights[self.layout.window_size - self.n_rows..];
            weights.iter_mut().enumerate().for_each(|(row, weight)| *weight = narrow(solution.get(row, step)));
        }
    }

    /// The solution, and the number of rounds after the first. The forecasts of the weights `guess` stand in for targets that
    /// are missing, and for a part of those that count less than others of their window; in the first round there is no
    /// guess: `prior` stands in for missing targets, and those of a window count alike.
    fn solution(
        &self,
        train: &dyn Samples,
        held_out: Option<&dyn Samples>,
        (prior, guess): (&Panels, Option<&Panels>),
    ) -> Result<(Panels, usize)> {
        let priors = self.smoothed(train).filter(|_| prior.is_zero());
        let n_blocks = if priors.is_some() { line_choice::N_BLOCKS } else { 1 };
        let (blocks, n_rounds) = self.sums(train, (prior, guess), n_blocks)?;
        let held_out = held_out.map(|samples| self.sums(samples, (prior, guess), 1)).transpose()?;
        let held_out = held_out.as_ref().map(|(sums, _)| &sums[0]);
        let n_threads = self.threads(self.n_rows.pow(3) / 6 * RIDGES.len());
        let best = match priors {
            Some(priors) => line_choice::by_blocks(&blocks, held_out, &priors, n_threads),
            None => line_choice::by_held_out(&blocks[0], held_out, prior, n_threads),
        };
        Ok((best.unwrap_or_else(|| prior.clone()), n_rounds))
    }

    /// The weights that a line of few windows may be shrunk towards: zero, and smoothed values.
    fn smoothed(&self, train: &dyn Samples) -> Option<Vec<Panels>> {
        let season = self.season.filter(|_| train.n_times() <= FEW_TIMES)?;
        let zero = Panels::zeros(self.n_rows, self.layout.horizon);
        Some(std::iter::once(zero).chain(smoothed(self.n_rows, self.layout.horizon, season)).collect())
    }

    fn threads(&self, n_multiplied: usize) -> usize {
        if n_multiplied < WORTH_THREADS {
            1
        } else {
            self.n_threads
        }
    }

    /// The sums of the windows of each of `n_blocks` blocks of time.
    fn sums(
        &self,
        samples: &dyn Samples,
        guess: (&Panels, Option<&Panels>),
        n_blocks: usize,
    ) -> Result<(Vec<RidgeSums>, usize)> {
        let target_len = self.layout.horizon * self.layout.n_targets_at_once();
        if samples.target_len() != target_len {
            return Err(Error::shape(format!("targets of {target_len} numbers"), samples.target_len().to_string()));
        }
        let step = samples.len().div_ceil(MOST_WINDOWS).max(1);
        let mut indices = vec![Vec::new(); n_blocks];
        for index in (0..samples.len()).step_by(step) {
            indices[index % samples.n_times() * n_blocks / samples.n_times()].push(index);
        }
        let n_threads = self.threads(self.n_rows.pow(2).saturating_mul(samples.len() / step));
        let (mut sums, mut n_rounds) = (Vec::new(), 0);
        for indices in indices {
            let (block, rounds) = self.sums_of(samples, &indices, guess, n_threads);
            sums.push(block);
            n_rounds = n_rounds.max(rounds);
        }
        Ok((sums, n_rounds))
    }

    fn sums_of(
        &self,
        samples: &dyn Samples,
        indices: &[usize],
        guess: (&Panels, Option<&Panels>),
        n_threads: usize,
    ) -> (RidgeSums, usize) {
        let mut sums = RidgeSums::new(self.n_rows, self.layout.horizon, self.set);
        let (mut gathered, mut x, mut y, mut n_rounds) = (Gathered::default(), Vec::new(), Vec::new(), 0);
        for indices in indices.chunks((BATCH_LEN / samples.input_len()).clamp(1, BATCH)) {
            gathered.clear();
            x.clear();
            y.clear();
            for &index in indices {
                samples.gather(index, &mut gathered);
            }
            let inputs = gathered.inputs.chunks_exact(samples.input_len());
            for (i, (input, targets)) in inputs.zip(gathered.targets.chunks_exact(samples.target_len())).enumerate() {
                let row_weights = gathered.row_weights.chunks_exact(self.layout.horizon).nth(i).unwrap_or_default();
                for target in 0..self.layout.n_targets_at_once() {
                    self.pair(input, targets, target, (&mut x, &mut y));
                    n_rounds = n_rounds.max(self.fill((&mut x, &mut y), row_weights, guess));
                }
            }
            sums.add(&x, &y, n_threads);
        }
        sums.finish();
        (sums, n_rounds)
    }

    /// Appends what the line maps for one target of a window: the last rows of it to the horizon, both less what is known in
    /// advance explains; NaN where a target is missing.
    fn pair(&self, input: &[f32], targets: &[f32], target: usize, (x, y): (&mut Vec<f32>, &mut Vec<f32>)) {
        let (window_size, width) = (self.layout.window_size, self.layout.width());
        let n_targets = self.layout.n_targets_at_once();
        let n_known = self.known.len() / n_targets;
        let known = |row: usize| &input[row * width + self.layout.n_values() - n_known..][..n_known];
        let weight = &self.known[target * n_known..][..n_known];
        let effect = |row: usize| -> f32 {
            let steps = known(row).iter().zip(known(window_size - 1)).map(|(value, last)| value - last);
            steps.zip(weight).map(|(step, weight)| step * weight).sum()
        };
        let effect = |row: usize| if n_known > 0 { effect(row) } else { 0.0 };
        x.extend((window_size - self.n_rows..window_size).map(|row| input[row * width + target] - effect(row)));
        let steps = targets.iter().skip(target).step_by(n_targets).enumerate();
        y.extend(steps.map(|(step, value)| value - effect(window_size + step)));
    }

    /// Fills what is missing of the last horizon with what the weights of `guess` forecast of the last window, and lets both
    /// count by the greatest of the weights of rows: where one is less, what it lacks is filled. How many rounds of this
    /// it takes.
    fn fill(
        &self,
        (x, y): (&mut [f32], &mut [f32]),
        row_weights: &[f32],
        (prior, guess): (&Panels, Option<&Panels>),
    ) -> usize {
        let (n, first) = (x.len() - self.n_rows, y.len() - self.layout.horizon);
        let (x, y) = (&mut x[n..], &mut y[first..]);
        let known = row_weights.iter().zip(y.iter()).filter(|(_, value)| !value.is_nan());
        let greatest = known.fold(0.0, |most: f32, (&weight, _)| most.max(weight));
        let greatest = if greatest > 0.0 { greatest } else { 1.0 };
        let mut n_rounds = 0;
        for (step, value) in y.iter_mut().enumerate() {
            let part = row_weights.get(step).map_or(1.0, |weight| weight / greatest);
            let part = if value.is_nan() { 0.0 } else { part };
            if part >= 1.0 {
                continue;
            }
            n_rounds = n_rounds.max(if part > 0.0 { ROUNDS_OF_WEIGHTS } else { ROUNDS });
            let forecast = |weights: &Panels| {
                narrow(x.iter().enumerate().map(|(row, &x)| f64::from(x) * weights.get(row, step)).sum())
            };
            if value.is_nan() {
                *value = forecast(guess.unwrap_or(prior));
            } else if let Some(guess) = guess {
                *value = part * *value + (1.0 - part) * forecast(guess);
            }
        }
        if !row_weights.is_empty() {
            let root = greatest.sqrt();
            x.iter_mut().chain(y).for_each(|value| *value *= root);
        }
        n_rounds
    }
}

#[allow(clippy::cast_possible_truncation)] // weights are single precision
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod weight_tests {
    use super::*;
    use crate::series::lens::Lens;
    use crate::series::scale::Scaler;
    use crate::series::window::{Span, Windows};
    use crate::series::{Matrix, Panel};

    #[test]
    fn every_step_is_the_weighted_regression_of_a_case_worked_by_hand() {
        let values = [1.0, 2.0, -1.0, 3.0, 1.0, 4.0, 2.0, 5.0];
        let layout = WindowLayout { horizon: 2, ..WindowLayout::windows_alone(1, 1) };
        let scaler = Scaler::identity(1);
        for weights in [[1.0, 2.0, 1.0, 4.0, 3.0, 1.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0]] {
            let panel = Panel::one(Matrix::new(&values, 1).unwrap()).weighted(&weights).unwrap();
            let lens = Lens { panel: &panel, scaler: &scaler, output_scaler: &scaler, layout, effects: None };
            let windows = Windows::new(lens, std::iter::once(Span { first: 1, end: 8 }), 1).unwrap();
            let line = Line::new(layout, Vec::new(), &TrainConfig::default()).unwrap();
            let solution = line.solve(&windows, None, &[0.0; 2]).unwrap();
            let sum = |of: &dyn Fn(usize) -> f64| (0..6).map(of).sum::<f64>();
            // the ridge is a part of the square by the greatest weight of each window
            let ridge = RIDGES[0] * sum(&|i| values[i].powi(2) * weights[i + 1].max(weights[i + 2]));
            for step in 0..2 {
                let weight = |i: usize| weights[i + 1 + step];
                let product = sum(&|i| weight(i) * values[i] * values[i + 1 + step]);
                let expected = product / (sum(&|i| weight(i) * values[i].powi(2)) + ridge);
                // windows are single precision; a round leaves at most half of the error of the one before
                assert!((solution.get(0, step) - expected).abs() < 2e-5, "{weights:?} {step}");
            }
        }
    }
}

#[cfg(all(test, feature = "torch"))]
mod tests {
    use super::*;
    use crate::model::{Channels, ModelConfig};
    use crate::rng::{Purpose, Rng};
    use crate::series::normalize::Normalize;
    use crate::series::table::Table;
    use crate::series::Matrix;
    use crate::torch::line as libtorch;

    const N_SAMPLES: usize = 700;

    fn config(window_size: usize, horizon: usize, n_known: usize) -> ModelConfig {
        ModelConfig {
            window_size,
            horizon,
            n_features: 2 + n_known,
            n_targets: 2,
            n_known,
            linear_skip: true,
            channels: Channels::Together,
            normalize: Some(Normalize::Last),
            ..ModelConfig::default()
        }
    }

    /// Inputs that are sums of few waves, and targets that go on with them, some of them missing.
    fn numbers(layout: WindowLayout, missing: bool) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(4, Purpose::Shuffle);
        let noise = rng.uniform(N_SAMPLES + layout.n_rows() + layout.horizon, 0.1);
        let value = |row: usize, column: usize| {
            let row_ = row as f64;
            narrow((row_ / 5.0 + column as f64).sin() + (row_ / 11.0).cos()) + noise[row]
        };
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for sample in 0..N_SAMPLES {
            let rows = sample..sample + layout.n_rows();
            inputs.extend(
                rows.flat_map(|row| (0..layout.width()).map(move |column| (row, column))).map(|(r, c)| value(r, c)),
            );
            let first = sample + layout.window_size;
            targets.extend((first..first + layout.horizon).flat_map(|row| [value(row, 0), value(row, 1)]));
        }
        if missing {
            targets.iter_mut().step_by(37).for_each(|target| *target = f32::NAN);
        }
        (inputs, targets)
    }

    /// Samples whose rows of targets have weights of 0.5 to 2, and of 0 in every third sample.
    struct Weighted<'a>(Table<'a>, usize);

    impl Samples for Weighted<'_> {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn input_len(&self) -> usize {
            self.0.input_len()
        }

        fn target_len(&self) -> usize {
            self.0.target_len()
        }

        fn gather(&self, index: usize, batch: &mut Gathered) {
            self.0.gather(index, batch);
            let weight = |step: usize| if index % 3 + step == 0 { 0.0 } else { [0.5, 1.0, 2.0][(index + step) % 3] };
            batch.row_weights.extend((0..self.1).map(weight));
        }
    }

    #[test]
    fn libtorch_finds_the_same_line() {
        for (window_size, horizon, n_known, missing, held_out, adapted, weighted) in [
            (12, 3, 0, false, true, false, false),
            (12, 3, 0, false, false, false, true),
            (30, 9, 0, true, true, false, false),
            (30, 9, 0, true, true, false, true),
            (17, 4, 2, false, true, true, false),
        ] {
            let mut model = Model::new(config(window_size, horizon, n_known)).unwrap();
            let layout = model.config.layout();
            let (inputs, targets) = numbers(layout, missing);
            let inputs = Matrix::new(&inputs, layout.n_rows() * layout.width()).unwrap();
            let targets = Matrix::new(&targets, 2 * horizon).unwrap();
            let part =
                |from, to| Table::new(inputs.rows(from, to), targets.rows(from, to), &[1.0; N_SAMPLES][from..to]);
            let steps = if weighted { horizon } else { 0 };
            let (train, validation) = (Weighted(part(0, 500), steps), Weighted(part(500, N_SAMPLES), steps));
            let validation = held_out.then_some(&validation as &dyn Samples);
            let mut start = Rng::new(0, Purpose::Weights);
            if let Some(known) = model.parameters.get_mut("known.weight") {
                known.values_mut().copy_from_slice(&start.uniform(2 * n_known, 0.5));
            }
            if adapted {
                let skip = model.parameters.get_mut("skip.weight").unwrap();
                skip.values_mut().copy_from_slice(&start.uniform(window_size * horizon, 0.2));
            }
            let mut training = TrainConfig::default();
            training.transfer.adapt_line = adapted;
            let mut expected = model.parameters.clone();
            libtorch::solve(layout, &mut expected, (&train, validation)).unwrap();
            model.solve_line(&train, validation, &training).unwrap();
            let [got, expected] = [&model.parameters, &expected].map(|all| all.get("skip.weight").unwrap().values());
            // libtorch sums in single precision, and the least ridge leaves a condition of some 1e4
            let most = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 2e-3 && got.iter().any(|weight| weight.abs() > 0.05), "{window_size} {n_known}: {most}");
        }
    }
}
