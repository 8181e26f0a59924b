//! Samples that come as a table: one row is one window with its target and weight.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::{Matrix, Samples};

/// Scaled windows, targets and weights side by side.
#[derive(Debug)]
pub struct Table<'a> {
    inputs: Matrix<'a, f32>,
    targets: Matrix<'a, f32>,
    rows: Vec<usize>,
    weights: Vec<f32>,
}

impl<'a> Table<'a> {
    /// All rows in the given order; weights are brought to mean 1.
    #[must_use]
    pub fn new(inputs: Matrix<'a, f32>, targets: Matrix<'a, f32>, weights: &[f64]) -> Self {
        let rows = (0..inputs.n_rows()).collect();
        Self {
            inputs,
            targets,
            rows,
            weights: mean_one(weights),
        }
    }

    /// The distinct rows, each with the sum of its weights, in an order that depends on their contents alone; rows of
    /// weight zero are left out.
    ///
    /// So a row that stands twice and a row of weight two train the same network, bit for bit.
    #[must_use]
    pub fn distinct(inputs: Matrix<'a, f32>, targets: Matrix<'a, f32>, weights: &[f64]) -> Self {
        let mut sums: HashMap<u64, (usize, f64)> = HashMap::new();
        for (row, &weight) in weights
            .iter()
            .enumerate()
            .filter(|(_, &weight)| weight > 0.0)
        {
            let (input, target) = (inputs.row(row), targets.row(row));
            let mut key = hash(input, target);
            // two different rows of equal hash: take the next free number
            loop {
                match sums.entry(key) {
                    Entry::Vacant(entry) => {
                        entry.insert((row, weight));
                        break;
                    }
                    Entry::Occupied(mut entry) => {
                        let first = entry.get().0;
                        if inputs.row(first) == input && targets.row(first) == target {
                            entry.get_mut().1 += weight;
                            break;
                        }
                    }
                }
                key = key.wrapping_add(1);
            }
        }
        let mut distinct: Vec<_> = sums.into_iter().collect();
        distinct.sort_unstable_by_key(|(key, _)| *key);
        let (rows, weights): (Vec<_>, Vec<_>) =
            distinct.into_iter().map(|(_, entry)| entry).unzip();
        Self {
            inputs,
            targets,
            rows,
            weights: mean_one(&weights),
        }
    }
}

fn hash(input: &[f32], target: &[f32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in input.iter().chain(target) {
        value.to_bits().hash(&mut hasher);
    }
    hasher.finish()
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn mean_one(weights: &[f64]) -> Vec<f32> {
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter().map(|w| (w / mean) as f32).collect()
}

impl Samples for Table<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn input_len(&self) -> usize {
        self.inputs.n_columns()
    }

    fn target_len(&self) -> usize {
        self.targets.n_columns()
    }

    fn gather(
        &self,
        indices: &[usize],
        inputs: &mut Vec<f32>,
        targets: &mut Vec<f32>,
        weights: &mut Vec<f32>,
    ) {
        for &i in indices {
            inputs.extend_from_slice(self.inputs.row(self.rows[i]));
            targets.extend_from_slice(self.targets.row(self.rows[i]));
            weights.push(self.weights[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(table: &Table) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let indices: Vec<usize> = (0..table.len()).collect();
        let (mut inputs, mut targets, mut weights) = (vec![], vec![], vec![]);
        table.gather(&indices, &mut inputs, &mut targets, &mut weights);
        (inputs, targets, weights)
    }

    #[test]
    fn a_row_twice_is_a_row_of_weight_two() {
        let (x, y) = ([1.0, 2.0, 3.0], [5.0, 6.0, 7.0]);
        let once = Table::distinct(
            Matrix::new(&x, 1).unwrap(),
            Matrix::new(&y, 1).unwrap(),
            &[2.0, 0.0, 1.0],
        );
        let (x, y) = ([3.0, 1.0, 1.0], [7.0, 5.0, 5.0]);
        let twice = Table::distinct(
            Matrix::new(&x, 1).unwrap(),
            Matrix::new(&y, 1).unwrap(),
            &[1.0; 3],
        );
        assert_eq!(once.len(), 2);
        assert_eq!(gather(&once), gather(&twice));
    }

    #[test]
    fn weights_have_mean_one() {
        let (x, y) = ([1.0, 2.0], [5.0, 6.0]);
        let table = Table::new(
            Matrix::new(&x, 1).unwrap(),
            Matrix::new(&y, 1).unwrap(),
            &[1.0, 3.0],
        );
        assert_eq!(
            gather(&table),
            (vec![1.0, 2.0], vec![5.0, 6.0], vec![0.5, 1.5])
        );
    }
}
