//! Where the weight of what is known in advance starts: at a regression.

use super::Model;
use crate::error::{Error, Result};
use crate::kernel::isa::InstructionSet;
use crate::kernel::ridge::{Panels, RidgeSums};
use crate::series::normalize::Normalize;
use crate::series::split::TimeSplit;
use crate::series::Panel;

/// The part of the mean square of the features that is added to each, so that those that are alike share their weight.
const RIDGE: f64 = 1e-4;

impl Model {
    /// Regresses the steps of the targets on those of what is known in advance, over the training rows of all series, and lets
    /// the linear skip connection begin there; Adam would need hundreds of steps to come that far. Steps from row to
    /// row, and not levels, so that two trends that have nothing to do with each other aren't taken for cause and
    /// effect (Granger & Newbold 1974).
    ///
    /// Weights that aren't zero, as after a fit before, stay; so does a line on windows that have a scale each.
    pub(super) fn start_at_regression(&mut self, panel: &Panel, splits: &[TimeSplit]) -> Result<()> {
        let Some(weight) = self.parameters.get("known.weight") else { return Ok(()) };
        let is_fitted = weight.values().iter().any(|number| number.abs() > 0.0);
        if is_fitted || self.config.normalize == Some(Normalize::Window) {
            return Ok(());
        }
        let (n, n_targets) = (self.config.n_known, self.config.layout().n_targets_at_once());
        let mut sums = StepSums { square: vec![0.0; n * n], product: vec![0.0; n_targets * n], n_known: n };
        for (i, split) in splits.iter().enumerate() {
            self.add_steps(panel, i, split.train_end, &mut sums);
        }
        let solution = sums.solve()?;
        if let Some(weight) = self.parameters.get_mut("known.weight") {
            for (target, weights) in weight.values_mut().chunks_exact_mut(n).enumerate() {
                for (known, weight) in weights.iter_mut().enumerate() {
                    *weight = narrow(solution.get(known, target));
                }
            }
        }
        Ok(())
    }

    /// Adds the steps of one series' first `n_rows` rows; those from or to a missing value are left out.
    fn add_steps(&self, panel: &Panel, series: usize, n_rows: usize, sums: &mut StepSums) {
        let layout = self.config.layout();
        let (rows, first_known) = (panel.series(series), layout.n_features - layout.n_known);
        let weights = panel.weights(series);
        let (mut of_known, mut of_targets) = (vec![0.0; layout.n_known], vec![0.0; layout.n_targets]);
        for at in 1..n_rows {
            let (before, row) = (rows.row(at - 1), rows.row(at));
            for (j, step) in of_known.iter_mut().enumerate() {
                *step = (row[first_known + j] - before[first_known + j]) / self.input_scaler.scale[first_known + j];
            }
            for (target, step) in of_targets.iter_mut().enumerate() {
                let scale = panel.scale(series, target).map_or(self.output_scaler.scale[target], |(_, scale)| scale);
                *step = (row[target] - before[target]) / scale;
            }
            // a step counts as its rows do, and not at all where one of them doesn't
            let weight = weights.map_or(1.0, |weights| (f64::from(weights[at - 1]) * f64::from(weights[at])).sqrt());
            if layout.independent {
                for &target in &of_targets {
                    sums.add(&of_known, &[target], weight);
                }
            } else {
                sums.add(&of_known, &of_targets, weight);
            }
        }
    }
}

/// Sums over rows.
struct StepSums {
    square: Vec<f64>,
    product: Vec<f64>,
    n_known: usize,
}

impl StepSums {
    /// The weights `(n_known, n_targets)`.
    fn solve(&self) -> Result<Panels> {
        let sizes = (self.n_known, self.product.len() / self.n_known);
        let sums = RidgeSums::of(&self.square, &self.product, sizes, InstructionSet::choose()?);
        let ridge = (RIDGE * sums.mean_square()).max(f64::MIN_POSITIVE);
        sums.solve(ridge, &Panels::zeros(sizes.0, sizes.1)).ok_or_else(|| {
            let expected = "expected finite steps of what is known in advance";
            Error::Value(format!("{expected}, got such as no regression can be made of"))
        })
    }

    fn add(&mut self, known: &[f64], targets: &[f64], weight: f64) {
        if weight == 0.0 || targets.iter().chain(known).any(|step| step.is_nan()) {
            return;
        }
        for (sums, &a) in self.square.chunks_exact_mut(self.n_known).zip(known) {
            sums.iter_mut().zip(known).for_each(|(sum, b)| *sum += weight * a * b);
        }
        for (sums, &a) in self.product.chunks_exact_mut(self.n_known).zip(targets) {
            sums.iter_mut().zip(known).for_each(|(sum, b)| *sum += weight * a * b);
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // weights are single precision
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channels, ModelConfig};

    use crate::rng::{Purpose, Rng};
    use crate::series::scale::Scaler;
    use crate::series::Matrix;

    const N_ROWS: usize = 200;
    const SPLIT: TimeSplit = TimeSplit { train_end: N_ROWS, validation_start: N_ROWS };

    fn model(channels: Channels, n_targets: usize, n_known: usize) -> Model {
        Model::new(ModelConfig {
            hidden_size: 2,
            window_size: 4,
            linear_skip: true,
            channels,
            horizon: 2,
            n_features: n_targets + n_known,
            n_targets,
            n_known,
            normalize: Some(Normalize::Last),
            ..ModelConfig::default()
        })
        .unwrap()
    }

    fn weight(model: &mut Model, rows: &[f64]) -> Vec<f32> {
        let weights = vec![1.0; rows.len() / model.config.n_features];
        weight_by(model, rows, &weights)
    }

    fn weight_by(model: &mut Model, rows: &[f64], weights: &[f64]) -> Vec<f32> {
        let panel = Panel::one(Matrix::new(rows, model.config.n_features).unwrap()).weighted(weights).unwrap();
        let splits = [TimeSplit { train_end: panel.series(0).n_rows(), ..SPLIT }];
        model.start_at_regression(&panel, &splits).unwrap();
        model.parameters.get("known.weight").unwrap().values().to_vec()
    }

    /// Noise within 1, and a walk whose steps it is.
    fn noise_and_walk(n: usize, purpose: Purpose) -> (Vec<f64>, Vec<f64>) {
        let noise: Vec<f64> = Rng::new(3, purpose).uniform(n, 1.0).into_iter().map(f64::from).collect();
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
        let (noise, walk) = noise_and_walk(2 * N_ROWS, Purpose::Shuffle);
        let pairs = noise.iter().zip(&walk).take(N_ROWS);
        pairs.flat_map(|(a, b)| [2.0 * a - 3.0 * b, a + b, *a, *b]).collect()
    }

    #[test]
    fn a_known_weight_is_found() {
        // the ridge takes away some 1e-4 of it
        close(&weight(&mut model(Channels::Together, 2, 2), &two_effects()), &[2.0, -3.0, 1.0, 1.0], 1e-2);
        // one weight for both targets: the mean of theirs
        close(&weight(&mut model(Channels::Independent, 2, 2), &two_effects()), &[1.5, -1.0], 1e-2);
    }

    #[cfg(feature = "torch")]
    #[test]
    fn libtorch_finds_the_same_weights() {
        let mut rng = Rng::new(5, Purpose::Shuffle);
        let mut sums = StepSums { square: vec![0.0; 9], product: vec![0.0; 6], n_known: 3 };
        for step in rng.uniform(500, 1.0).chunks_exact(5) {
            let step: Vec<f64> = step.iter().copied().map(f64::from).collect();
            sums.add(&step[..3], &step[3..], 1.0);
        }
        let (solution, n) = (sums.solve().unwrap(), 3);
        let expected = crate::torch::line::solve_ridge(&sums.square, &sums.product, (n, 2), RIDGE).unwrap();
        for (i, expected) in expected.iter().enumerate() {
            // both in double precision
            assert!((narrow(solution.get(i % n, i / n)) - expected).abs() < 1e-7);
        }
    }

    #[test]
    fn weights_are_those_of_scaled_values() {
        let mut model = model(Channels::Together, 2, 2);
        let scaler = Scaler { center: vec![7.0; 4], scale: vec![2.0, 1.0, 10.0, 1.0] };
        model.load_scalers(scaler.clone(), scaler.first(2)).unwrap();
        // the ridge, some 1e-4 of the mean of both squares, is 50 times that of the feature that was made small
        close(&weight(&mut model, &two_effects()), &[10.0, -1.5, 10.0, 1.0], 0.1);
    }

    #[test]
    fn trends_that_have_nothing_to_do_with_each_other_get_a_small_weight() {
        let wiggles = noise_and_walk(N_ROWS, Purpose::Shuffle).0;
        let others = noise_and_walk(N_ROWS, Purpose::Weights).0;
        let both = wiggles.iter().zip(&others).enumerate();
        let rows: Vec<f64> = both.flat_map(|(i, (a, b))| [0.2 * i as f64 + a, 0.2 * i as f64 + b]).collect();
        // a regression of levels would find 1; a standard error of 1 / sqrt(200) = 0.07, and 0.04 of common trend
        close(&weight(&mut model(Channels::Together, 1, 1), &rows), &[0.0], 0.25);
    }

    #[test]
    fn rows_with_gaps_are_passed_over() {
        let mut rows = two_effects();
        for row in [0, 7, 8, 50, N_ROWS - 1] {
            rows[4 * row + row % 2] = f64::NAN;
        }
        close(&weight(&mut model(Channels::Together, 2, 2), &rows), &[2.0, -3.0, 1.0, 1.0], 1e-2);
        let gaps = vec![f64::NAN; 4 * N_ROWS];
        close(&weight(&mut model(Channels::Together, 2, 2), &gaps), &[0.0; 4], f32::MIN_POSITIVE);
    }

    #[test]
    fn steps_count_by_the_weights_of_their_rows() {
        // the effect is 1 over the first 100 rows, and 4 over the others
        let walk = noise_and_walk(N_ROWS, Purpose::Shuffle).1;
        let row = |i: usize| [if i < 100 { walk[i] } else { 4.0 * walk[i] }, walk[i]];
        let rows: Vec<f64> = (0..N_ROWS).flat_map(row).collect();
        let of_first = |first: f64| {
            let weights: Vec<f64> = (0..N_ROWS).map(|i| if i < 100 { first } else { 1.0 }).collect();
            weight_by(&mut model(Channels::Together, 1, 1), &rows, &weights)
        };
        close(&of_first(0.0), &[4.0], 1e-2);
        // the mean squares of the steps of each half, by their weights
        let squares = |rows: std::ops::Range<usize>| rows.map(|i| (walk[i] - walk[i - 1]).powi(2)).sum::<f64>();
        let (a, b) = (2.0 * squares(1..100), squares(101..N_ROWS));
        // a step of some 30 leads from one half to the other
        let step = walk[100] - walk[99];
        let between = 2f64.sqrt() * step * (4.0 * walk[100] - walk[99]);
        let expected = (a + 4.0 * b + between) / (a + b + 2f64.sqrt() * step.powi(2));
        close(&of_first(2.0), &[narrow(expected)], 1e-3 * narrow(expected).abs());
    }

    #[test]
    fn constant_and_equal_features_are_no_obstacle() {
        let walk = noise_and_walk(N_ROWS, Purpose::Shuffle).1;
        let rows: Vec<f64> = walk.iter().flat_map(|a| [4.0 * a, *a, *a, 1.0]).collect();
        close(&weight(&mut model(Channels::Together, 1, 3), &rows), &[2.0, 2.0, 0.0], 1e-2);
    }

    #[test]
    fn a_weight_of_before_stays() {
        let mut model = model(Channels::Together, 2, 2);
        let found = weight(&mut model, &two_effects());
        let others: Vec<f64> =
            two_effects().iter().enumerate().map(|(i, x)| if i % 4 == 0 { -x } else { *x }).collect();
        assert_eq!(weight(&mut model, &others), found);
    }

    #[test]
    fn series_add_up_and_no_step_leads_from_one_to_the_next() {
        let mut rows = two_effects();
        for row in rows.chunks_exact_mut(4).skip(N_ROWS / 2) {
            row[0] += 1e6;
        }
        let mut model = model(Channels::Together, 2, 2);
        let matrix = Matrix::new(&rows, 4).unwrap();
        let panel = Panel::new(matrix, vec![0, N_ROWS / 2, N_ROWS], None, 2).unwrap();
        let half = TimeSplit { train_end: N_ROWS / 2, validation_start: N_ROWS / 2 };
        model.start_at_regression(&panel, &[half, half]).unwrap();
        close(model.parameters.get("known.weight").unwrap().values(), &[2.0, -3.0, 1.0, 1.0], 1e-2);
    }
}
