//! Samples that come as a table: one row is one window with its target and weight.

use super::{Gathered, Matrix, Samples};

/// Scaled windows, targets and weights side by side.
#[derive(Debug)]
pub struct Table<'a> {
    inputs: Matrix<'a, f32>,
    targets: Matrix<'a, f32>,
    weights: Vec<f32>,
}

impl<'a> Table<'a> {
    /// All rows in the given order; weights are brought to mean 1.
    pub fn new(inputs: Matrix<'a, f32>, targets: Matrix<'a, f32>, weights: &[f64]) -> Self {
        Self { inputs, targets, weights: mean_one(weights) }
    }
}

#[allow(clippy::cast_possible_truncation)]
fn mean_one(weights: &[f64]) -> Vec<f32> {
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter().map(|w| (w / mean) as f32).collect()
}

impl Samples for Table<'_> {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn input_len(&self) -> usize {
        self.inputs.n_columns()
    }

    fn target_len(&self) -> usize {
        self.targets.n_columns()
    }

    fn gather(&self, index: usize, batch: &mut Gathered) {
        batch.inputs.extend_from_slice(self.inputs.row(index));
        batch.targets.extend_from_slice(self.targets.row(index));
        batch.weights.push(self.weights[index]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_mean_one() {
        let (x, y) = ([1.0, 2.0], [5.0, 6.0]);
        let table = Table::new(Matrix::new(&x, 1).unwrap(), Matrix::new(&y, 1).unwrap(), &[1.0, 3.0]);
        let mut batch = Gathered::default();
        table.gather(1, &mut batch);
        table.gather(0, &mut batch);
        let Gathered { inputs, targets, weights, .. } = batch;
        assert_eq!((inputs, targets, weights), (vec![2.0, 1.0], vec![6.0, 5.0], vec![1.5, 0.5]));
    }
}
