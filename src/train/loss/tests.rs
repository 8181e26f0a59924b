//! Losses of slices, by hand and cut into parts.

use super::*;
use crate::rng::{Purpose, Rng};

pub(crate) fn losses() -> Vec<Loss> {
    vec![
        Loss::Mse,
        Loss::Mae,
        Loss::Huber,
        Loss::Pinball(0.1),
        Loss::Pinball(0.5),
        Loss::Pinball(0.9),
        Loss::Distribution(Distribution::Normal),
        Loss::Distribution(Distribution::Quantiles(vec![0.1, 0.5, 0.9])),
        Loss::CrossEntropy,
    ]
}

pub(crate) fn point_losses() -> impl Iterator<Item = Loss> {
    losses().into_iter().filter(|loss| !matches!(loss, Loss::CrossEntropy | Loss::Distribution(_)))
}

/// Outputs `(rows, output_size)`, and the samples that they are of.
pub(crate) struct Rows {
    pub(crate) outputs: Vec<f32>,
    pub(crate) samples: Gathered,
}

impl Rows {
    pub(crate) fn of(outputs: Vec<f32>, targets: Vec<f32>, weights: Vec<f32>) -> Self {
        Self { outputs, samples: Gathered { targets, weights, ..Gathered::default() } }
    }

    /// Outputs and targets within `bound`; every third output hits its target, every fifth is off by exactly 1, and
    /// every seventh target is missing.
    pub(crate) fn new(loss: &Loss, n_rows: usize, target_len: usize, bound: f64) -> Self {
        let n_outputs = loss.distribution().map_or(1, Distribution::n_outputs);
        let mut rng = Rng::new(0, Purpose::Shuffle);
        let mut outputs = rng.uniform(n_rows * target_len * n_outputs, bound);
        let weights = rng.uniform(n_rows, 0.9).iter().map(|weight| weight + 1.0).collect();
        if *loss == Loss::CrossEntropy {
            // equal logits are its ties
            outputs[..target_len].fill(2.0);
            let targets = (0..n_rows).map(|i| (i * 7 % target_len) as f32).collect();
            return Self::of(outputs, targets, weights);
        }
        let mut targets = rng.uniform(n_rows * target_len, bound);
        for (i, (output, target)) in outputs.chunks_exact_mut(n_outputs).zip(&mut targets).enumerate() {
            match i % 15 {
                0 | 3 | 6 | 9 | 12 => output[0] = *target,
                5 => output[0] = *target + 1.0,
                10 => output[0] = *target - 1.0,
                _ => {}
            }
            if i % 7 == 6 {
                *target = f32::NAN;
            }
        }
        let mut rows = Self::of(outputs, targets, weights);
        rows.samples.levels = (0..n_rows).map(|i| Level { center: i as f64, scale: 1.0 + i as f64 }).collect();
        rows
    }

    /// With weights of rows, so many for each row of outputs, every fourth of which is 0.
    pub(crate) fn weighted(mut self, horizon: Option<usize>) -> Self {
        let n = self.samples.weights.len() * horizon.unwrap_or(0);
        self.samples.row_weights = (0..n).map(|i| if i % 4 == 3 { 0.0 } else { 0.25 + (i % 5) as f32 }).collect();
        self
    }

    fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let n_rows = self.samples.weights.len();
        let numbers = |values: &[f32]| {
            let row_len = values.len() / n_rows;
            values[rows.start * row_len..rows.end * row_len].to_vec()
        };
        let Gathered { targets, weights, row_weights, levels, .. } = &self.samples;
        let mut part = Self::of(numbers(&self.outputs), numbers(targets), numbers(weights));
        part.samples.row_weights = numbers(row_weights);
        part.samples.levels = levels.get(rows).unwrap_or_default().to_vec();
        part
    }

    pub(crate) fn share(&self, loss: &Loss, rows: std::ops::Range<usize>) -> (f64, Vec<f32>) {
        let (part, n_rows) = (self.part(rows), self.samples.weights.len());
        let mut gradient = vec![f32::NAN; part.outputs.len()];
        let share = loss.share(&part.outputs, &part.samples, n_rows, Some(&mut gradient));
        let alone = loss.share(&part.outputs, &part.samples, n_rows, None);
        assert_eq!(share.to_bits(), alone.to_bits());
        (share, gradient)
    }
}

#[test]
fn an_output_that_is_right_has_no_slope() {
    for loss in &point_losses().collect::<Vec<_>>() {
        let rows = Rows::of(vec![0.5, -0.0], vec![0.5, 0.0], vec![3.0]);
        assert_eq!(rows.share(loss, 0..1), (0.0, vec![0.0, 0.0]), "{loss:?}");
    }
}

#[test]
fn shares_of_two_parts_add_up() {
    for loss in &losses() {
        let rows = Rows::new(loss, 9, 4, 2.0).weighted(Some(2));
        let ((value, gradient), (first, head), (second, tail)) =
            (rows.share(loss, 0..9), rows.share(loss, 0..4), rows.share(loss, 4..9));
        // sums of doubles in another order
        assert!((first + second - value).abs() <= 1e-15 * value, "{loss:?}");
        assert_eq!([head, tail].concat(), gradient, "{loss:?}");
        assert_eq!(rows.share(loss, 3..3), (0.0, vec![]));
    }
}

#[test]
fn errors_of_a_case_worked_by_hand() {
    let rows = Rows::of(vec![1.0, 2.0], vec![3.0, 1.0], vec![2.0]);
    // errors -2 and 1, weight 2, two outputs: the sums of their losses, and their derivatives
    assert_eq!(rows.share(&Loss::Mse, 0..1), (5.0, vec![-4.0, 2.0]));
    assert_eq!(rows.share(&Loss::Mae, 0..1), (3.0, vec![-1.0, 1.0]));
    assert_eq!(rows.share(&Loss::Huber, 0..1), (2.0, vec![-1.0, 1.0]));
    assert_eq!(rows.share(&Loss::Pinball(0.75), 0..1), (0.75 * 2.0 + 0.25, vec![-0.75, 0.25]));
}

#[test]
fn each_row_of_a_target_counts_by_its_weight() {
    let weighted = |row_weights: Vec<f32>| {
        let mut rows = Rows::of(vec![1.0, 2.0], vec![3.0, 1.0], vec![2.0]);
        rows.samples.row_weights = row_weights;
        rows
    };
    // errors -2 and 1, of rows that count 1 and 3
    assert_eq!(weighted(vec![1.0, 3.0]).share(&Loss::Mse, 0..1), (4.0 + 3.0, vec![-4.0, 6.0]));
    assert_eq!(weighted(vec![1.0, 3.0]).share(&Loss::Mae, 0..1), (2.0 + 3.0, vec![-1.0, 3.0]));
    // two variables of one row
    assert_eq!(weighted(vec![0.5]).share(&Loss::Mse, 0..1), (2.5, vec![-2.0, 1.0]));
}

#[test]
fn a_weight_of_two_is_a_row_that_counts_twice() {
    for loss in losses().into_iter().filter(|loss| *loss != Loss::CrossEntropy) {
        let rows = |row_weights: &[f32]| {
            let mut rows = Rows::new(&loss, 3, 2, 2.0);
            rows.samples.row_weights = row_weights.to_vec();
            rows.share(&loss, 0..3)
        };
        let (once, alone) = (rows(&[1.0; 6]), rows(&[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]));
        let (twice, none) = (rows(&[1.0, 2.0, 1.0, 1.0, 1.0, 1.0]), rows(&[]));
        assert_eq!(once, none, "{loss:?}");
        // sums in double precision in another order; gradients are single precision
        assert!((twice.0 - once.0 - alone.0).abs() < 1e-14, "{loss:?}");
        for ((twice, once), alone) in twice.1.iter().zip(&once.1).zip(&alone.1) {
            assert!((twice - once - alone).abs() < 1e-6, "{loss:?}");
        }
    }
}

#[test]
fn great_logits_don_t_overflow() {
    let rows = Rows::of(vec![1e4, 0.0, -1e4, 1e30], vec![0.0, 1.0], vec![1.0, 1.0]);
    // the first row is certain and right; the second is certain and wrong
    assert_eq!(rows.share(&Loss::CrossEntropy, 0..1), (0.0, vec![0.0, 0.0]));
    let (value, gradient) = Rows::of(rows.outputs, vec![0.0, 0.0], vec![1.0, 1.0]).share(&Loss::CrossEntropy, 1..2);
    assert!((value / (0.5 * f64::from(1e30f32)) - 1.0).abs() < 1e-12, "{value}");
    assert_eq!(gradient, [-0.5, 0.5]);
}

#[test]
fn what_is_no_number_shows() {
    for loss in losses() {
        let n_outputs = loss.distribution().map_or(1, Distribution::n_outputs);
        let targets = if loss == Loss::CrossEntropy { vec![1.0] } else { vec![1.0, 0.0] };
        let mut rows = Rows::of(vec![1.0; 2 * n_outputs], targets, vec![1.0]);
        rows.outputs[0] = f32::NAN;
        rows.samples.levels = vec![Level { center: 0.0, scale: 1.0 }];
        let value = rows.share(&loss, 0..1).0;
        assert!(value.is_nan(), "{loss:?}: {value}");
    }
}

#[test]
fn a_row_of_which_nothing_is_known_says_nothing() {
    for loss in losses().into_iter().filter(|loss| *loss != Loss::CrossEntropy) {
        let n_outputs = loss.distribution().map_or(1, Distribution::n_outputs);
        let mut rows = Rows::of(vec![1.0; 2 * n_outputs], vec![f32::NAN; 2], vec![1.0]);
        rows.samples.levels = vec![Level { center: 0.0, scale: 1.0 }];
        assert_eq!(rows.share(&loss, 0..1), (0.0, vec![0.0; 2 * n_outputs]), "{loss:?}");
    }
}

#[test]
#[should_panic(expected = "expected a class index below 3, got 3")]
fn a_class_out_of_range_is_refused() {
    Rows::of(vec![0.0; 3], vec![3.0], vec![1.0]).share(&Loss::CrossEntropy, 0..1);
}

#[test]
fn the_configuration_names_the_level() {
    let parse = |text| serde_json::from_str::<Loss>(text);
    assert_eq!(parse("{\"pinball\": 0.9}").unwrap(), Loss::Pinball(0.9));
    assert_eq!(parse("\"cross_entropy\"").unwrap(), Loss::CrossEntropy);
    let quantiles = Distribution::Quantiles(vec![0.1, 0.9]);
    assert_eq!(parse("{\"distribution\": {\"quantiles\": [0.1, 0.9]}}").unwrap(), Loss::Distribution(quantiles));
    assert!(parse("\"pinball\"").is_err());
    for level in [0.0, 1.0, -0.1, f64::NAN] {
        let text = Loss::Pinball(level).check().unwrap_err().to_string();
        assert_eq!(text, format!("expected a pinball loss of a level between 0 and 1, got {level}"));
    }
    assert!(Loss::Pinball(0.5).check().is_ok());
}
