//! Losses of slices beside those of tensors under automatic differentiation.

use tch::{Device, Tensor};

use super::*;
use crate::distribution::Distribution;
use crate::level::Level;
use crate::series::Gathered;
use crate::torch::tensor::tensor;
use crate::train::loss::tests::{losses, point_losses, Rows};

/// Loss and gradient of outputs.
fn under_autograd(rows: &Rows, loss: &Loss) -> (f64, Vec<f32>) {
    let Gathered { targets, weights, row_weights, levels, .. } = &rows.samples;
    let n_rows = weights.len();
    let n_at_once = targets.len() / row_weights.len().max(1);
    let of_targets: Vec<f32> = row_weights.iter().flat_map(|weight| std::iter::repeat_n(*weight, n_at_once)).collect();
    let matrix = |values: &[f32]| tensor(values, &[n_rows, values.len() / n_rows], Device::Cpu).unwrap();
    let levels: Vec<f32> =
        levels.iter().map(|level| level.center).chain(levels.iter().map(|level| level.scale)).map(narrow).collect();
    let batch = Batch {
        inputs: Tensor::new(),
        targets: matrix(targets),
        weights: Tensor::from_slice(weights),
        row_weights: (!of_targets.is_empty()).then(|| matrix(&of_targets)),
        levels: tensor(&levels, &[2, n_rows, levels.len() / 2 / n_rows], Device::Cpu).unwrap(),
    };
    let outputs = matrix(&rows.outputs).set_requires_grad(true);
    let mean = loss.mean(&outputs, &batch).unwrap();
    mean.backward();
    (mean.double_value(&[]), outputs.grad().reshape([-1]).try_into().unwrap())
}

#[allow(clippy::cast_possible_truncation)] // tensors are single precision
fn narrow(x: f64) -> f32 {
    x as f32
}

#[test]
fn slices_agree_with_tensors_under_autograd() {
    for loss in &losses() {
        for (n_rows, output_size, bound) in [(1, 1, 2.0), (5, 3, 2.0), (33, 24, 3.0), (4, 7, 50.0)] {
            // of two variables at once, where the targets are even in number
            let horizon = if output_size % 2 == 0 { output_size / 2 } else { output_size };
            for rows in
                [None, Some(horizon)].map(|horizon| Rows::new(loss, n_rows, output_size, bound).weighted(horizon))
            {
                let ((value, gradient), (expected, slopes)) =
                    (rows.share(loss, 0..n_rows), under_autograd(&rows, loss));
                // the tensors round each of a few operations to 6e-8 of terms that are at most of the size of the greatest
                // element; so does `share`, once, at the end
                let case = format!("{loss:?}, ({n_rows}, {output_size}) within {bound}");
                assert!((value - expected).abs() <= 1e-6 * expected.abs(), "{case}: {value} {expected}");
                let scale = slopes.iter().fold(0.0, |most: f32, slope| most.max(slope.abs()));
                for (got, slope) in gradient.iter().zip(&slopes) {
                    assert!((got - slope).abs() <= 1e-6 * scale, "{case}: {gradient:?} {slopes:?}");
                }
            }
        }
    }
}

#[test]
fn an_output_that_is_right_has_no_slope_here_either() {
    for loss in &point_losses().collect::<Vec<_>>() {
        let rows = Rows::of(vec![0.5, -0.0], vec![0.5, 0.0], vec![3.0]);
        assert_eq!(under_autograd(&rows, loss), (0.0, vec![0.0, 0.0]), "{loss:?}");
    }
}

#[test]
fn a_row_of_which_nothing_is_known_says_nothing_here_either() {
    for loss in losses().into_iter().filter(|loss| *loss != Loss::CrossEntropy) {
        let n_outputs = loss.distribution().map_or(1, Distribution::n_outputs);
        let mut rows = Rows::of(vec![1.0; 2 * n_outputs], vec![f32::NAN; 2], vec![1.0]);
        rows.samples.levels = vec![Level { center: 0.0, scale: 1.0 }];
        assert_eq!(under_autograd(&rows, &loss), (0.0, vec![0.0; 2 * n_outputs]), "{loss:?}");
    }
}
