//! Where the weight of what is known in advance starts: at a regression.

use tch::{Kind, Tensor};

use super::Model;
use crate::error::Result;
use crate::network::parameter::dimensions;
use crate::series::normalize::Normalize;
use crate::series::split::TimeSplit;
use crate::series::Panel;

/// The part of the mean square of the features that is added to each, so that those that say the same share their weight.
const RIDGE: f64 = 1e-4;

impl Model {
    /// Regresses the steps of the targets on those of what is known in advance, over the training rows of all series, and lets
    /// the linear way begin there; Adam would need hundreds of steps to come that far. Steps from row to row, and not levels,
    /// so that two trends that have nothing to do with each other aren't taken for cause and effect (Granger & Newbold 1974).
    ///
    /// Weights that aren't zero, as after a fit before, stay; so does a line on windows that have a scale each.
    pub(super) fn start_at_regression(&self, panel: &Panel, splits: &[TimeSplit]) -> Result<()> {
        let Some(weight) = self.weight("known.weight") else { return Ok(()) };
        let is_fitted = weight.f_abs()?.f_max()?.f_double_value(&[])? > 0.0;
        if is_fitted || self.config.normalize == Some(Normalize::Window) {
            return Ok(());
        }
        let (n, n_targets) = (self.config.n_known, self.config.layout().n_targets_at_once());
        let mut moments = Moments { square: vec![0.0; n * n], product: vec![0.0; n_targets * n], n_known: n };
        for (i, split) in splits.iter().enumerate() {
            self.add_steps(panel, i, split.train_end, &mut moments);
        }
        let square = Tensor::f_from_slice(&moments.square)?.f_reshape(dimensions(&[n, n]))?;
        let product = Tensor::f_from_slice(&moments.product)?.f_reshape(dimensions(&[n_targets, n]))?;
        let ridge = square.f_trace()?.f_mul_scalar(RIDGE / n as f64)?.f_clamp_min(f64::MIN_POSITIVE)?;
        let eye = Tensor::f_eye(square.size()[0], (Kind::Double, tch::Device::Cpu))?;
        let solution = Tensor::f_linalg_solve(&square.f_add(&eye.f_mul(&ridge)?)?, &product.f_transpose(0, 1)?, true)?;
        tch::no_grad(|| weight.shallow_clone().f_copy_(&solution.f_transpose(0, 1)?))?;
        Ok(())
    }

    /// Adds the steps of one series' first `n_rows` rows; those from or to a missing value are left out.
    fn add_steps(&self, panel: &Panel, series: usize, n_rows: usize, moments: &mut Moments) {
        let layout = self.config.layout();
        let (rows, first_known) = (panel.series(series), layout.n_features - layout.n_known);
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
            if layout.independent {
                for &target in &of_targets {
                    moments.add(&of_known, &[target]);
                }
            } else {
                moments.add(&of_known, &of_targets);
            }
        }
    }
}

/// Sums over rows.
struct Moments {
    square: Vec<f64>,
    product: Vec<f64>,
    n_known: usize,
}

impl Moments {
    fn add(&mut self, known: &[f64], targets: &[f64]) {
        if targets.iter().chain(known).any(|step| step.is_nan()) {
            return;
        }
        for (sums, &a) in self.square.chunks_exact_mut(self.n_known).zip(known) {
            sums.iter_mut().zip(known).for_each(|(sum, b)| *sum += a * b);
        }
        for (sums, &a) in self.product.chunks_exact_mut(self.n_known).zip(targets) {
            sums.iter_mut().zip(known).for_each(|(sum, b)| *sum += a * b);
        }
    }
}
