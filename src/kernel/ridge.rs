//! Ridge regression in double precision: sums of products of inputs and outputs, and the weights of any ridge by one Cholesky
//! factor of them.
//!
//! A matrix lies in panels of eight columns, `[panel][row][column]`, so that products of two and the factor are sums of outer
//! products of vectors of eight. Rows and columns are padded with zeros to whole panels.

use super::isa::InstructionSet;
use super::pool;
use super::routines::block::BLOCK;

/// Rows that are multiplied between two visits of memory by the sums.
const ROWS: usize = 128;

/// A matrix of so many rows and columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Panels {
    n_rows: usize,
    n_columns: usize,
    height: usize,
    values: Vec<f64>,
}

impl Panels {
    /// Zeros.
    pub fn zeros(n_rows: usize, n_columns: usize) -> Self {
        let height = n_rows.next_multiple_of(BLOCK);
        Self { n_rows, n_columns, height, values: vec![0.0; height * n_columns.next_multiple_of(BLOCK)] }
    }

    /// The number at `row` and `column`.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        self.values[self.place(row, column)]
    }

    /// Replaces it.
    pub fn set(&mut self, row: usize, column: usize, value: f64) {
        let place = self.place(row, column);
        self.values[place] = value;
    }

    /// Whether all numbers are zero.
    pub fn is_zero(&self) -> bool {
        self.values.iter().all(|&value| value == 0.0)
    }

    fn place(&self, row: usize, column: usize) -> usize {
        (column / BLOCK * self.height + row) * BLOCK + column % BLOCK
    }

    fn n_panels(&self) -> usize {
        self.n_columns.div_ceil(BLOCK)
    }

    fn panel(&self, panel: usize) -> &[f64] {
        &self.values[panel * self.height * BLOCK..][..self.height * BLOCK]
    }

    /// A block of eight rows of a panel.
    fn block(&self, panel: usize, row_block: usize) -> &[f64] {
        &self.panel(panel)[row_block * BLOCK * BLOCK..][..BLOCK * BLOCK]
    }

    fn block_mut(&mut self, panel: usize, row_block: usize) -> &mut [f64] {
        let start = (panel * self.height + row_block * BLOCK) * BLOCK;
        &mut self.values[start..start + BLOCK * BLOCK]
    }

    /// The symmetric matrix times another.
    fn times(&self, other: &Self, set: InstructionSet) -> Self {
        let mut product = Self::zeros(self.n_rows, other.n_columns);
        for panel in 0..other.n_panels() {
            for block in 0..self.n_panels() {
                set.outer_block(self.panel(block), other.panel(panel), product.block_mut(panel, block));
            }
        }
        product
    }
}

/// Sums over rows of inputs and outputs, from which the weights and the error of any ridge follow.
#[derive(Debug, Clone)]
pub struct RidgeSums {
    set: InstructionSet,
    /// Of products of two inputs.
    xx: Panels,
    /// Of products of an input and an output.
    xy: Panels,
    /// Of the squares of outputs.
    yy: f64,
    /// Some rows of inputs, and of outputs, in panels.
    rows: [Panels; 2],
}

impl RidgeSums {
    /// Zeros.
    pub fn new(n_inputs: usize, n_outputs: usize, set: InstructionSet) -> Self {
        let rows = [Panels::zeros(ROWS, n_inputs), Panels::zeros(ROWS, n_outputs)];
        Self { set, xx: Panels::zeros(n_inputs, n_inputs), xy: Panels::zeros(n_inputs, n_outputs), yy: 0.0, rows }
    }

    /// Adds rows of inputs `(rows, n_inputs)` and outputs `(rows, n_outputs)`, on up to `n_threads` threads, which changes no
    /// bit; to be followed by [`RidgeSums::finish`].
    pub fn add(&mut self, x: &[f32], y: &[f32], n_threads: usize) {
        let [n_inputs, n_outputs] = [self.xy.n_rows, self.xy.n_columns];
        for (x, y) in x.chunks(ROWS * n_inputs).zip(y.chunks(ROWS * n_outputs)) {
            for (rows, values) in self.rows.iter_mut().zip([x, y]) {
                rows.values.fill(0.0);
                for (row, values) in values.chunks_exact(rows.n_columns).enumerate() {
                    values.iter().enumerate().for_each(|(column, &value)| rows.set(row, column, f64::from(value)));
                }
            }
            self.yy += y.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
            self.add_rows(n_threads);
        }
    }

    fn add_rows(&mut self, n_threads: usize) {
        let ([x, y], set, height) = (&self.rows, self.set, self.xx.height * BLOCK);
        let of_x = self.xx.values.chunks_exact_mut(height).enumerate().map(|(panel, sums)| (x, panel, panel, sums));
        let of_y = self.xy.values.chunks_exact_mut(height).enumerate().map(|(panel, sums)| (y, panel, 0, sums));
        let mut shares: Vec<Vec<_>> = (0..n_threads.max(1)).map(|_| Vec::new()).collect();
        for (at, panel) in of_x.chain(of_y).enumerate() {
            shares[at % n_threads.max(1)].push(panel);
        }
        pool::for_each(&mut shares, |_, panels| {
            for (right, panel, first, sums) in panels {
                // of the symmetric matrix, what is on and below the diagonal
                for (block, sums) in sums.chunks_exact_mut(BLOCK * BLOCK).enumerate().skip(*first) {
                    set.outer_block(x.panel(block), right.panel(*panel), sums);
                }
            }
        });
    }

    /// Completes the sums after the last row: what is above the diagonal.
    pub fn finish(&mut self) {
        for row in 0..self.xx.n_rows {
            for column in row + 1..self.xx.n_columns {
                let below = self.xx.get(column, row);
                self.xx.set(row, column, below);
            }
        }
    }

    /// The same of some of the inputs alone.
    #[must_use]
    pub fn of(&self, inputs: &[usize]) -> Self {
        let n_outputs = self.xy.n_columns;
        let mut some = Self::new(inputs.len(), n_outputs, self.set);
        some.yy = self.yy;
        for (row, &from_row) in inputs.iter().enumerate() {
            inputs.iter().enumerate().for_each(|(column, &from)| some.xx.set(row, column, self.xx.get(from_row, from)));
            (0..n_outputs).for_each(|output| some.xy.set(row, output, self.xy.get(from_row, output)));
        }
        some
    }

    /// Weights of zero.
    pub fn zeros(&self) -> Panels {
        Panels::zeros(self.xy.n_rows, self.xy.n_columns)
    }

    /// The mean of the squares of all inputs, times the number of rows.
    pub fn mean_square(&self) -> f64 {
        (0..self.xx.n_rows).map(|i| self.xx.get(i, i)).sum::<f64>() / self.xx.n_rows as f64
    }

    /// The sum of squared errors of weights `(n_inputs, n_outputs)`.
    pub fn error(&self, weights: &Panels) -> f64 {
        let dot = |a: &Panels| a.values.iter().zip(&weights.values).map(|(a, b)| a * b).sum::<f64>();
        dot(&self.xx.times(weights, self.set)) - 2.0 * dot(&self.xy) + self.yy
    }

    /// The weights `(n_inputs, n_outputs)` with the least sum of squared errors and of `ridge` times the squares of what they
    /// differ by from `prior`; `None` where rounding leaves none.
    pub fn solve(&self, ridge: f64, prior: &Panels) -> Option<Panels> {
        self.factor(ridge).map(|factor| self.solve_factored(&factor, prior))
    }

    /// [`RidgeSums::solve`] for each of several `priors`, by one factor.
    pub fn solve_each(&self, ridge: f64, priors: &[Panels]) -> Option<Vec<Panels>> {
        let factor = self.factor(ridge)?;
        Some(priors.iter().map(|prior| self.solve_factored(&factor, prior)).collect())
    }

    fn solve_factored(&self, factor: &Panels, prior: &Panels) -> Panels {
        let mut left = self.xy.clone();
        if !prior.is_zero() {
            let explained = self.xx.times(prior, self.set);
            left.values.iter_mut().zip(&explained.values).for_each(|(left, explained)| *left -= explained);
        }
        let mut weights = self.substitute(factor, left);
        weights.values.iter_mut().zip(&prior.values).for_each(|(weight, prior)| *weight += prior);
        weights
    }

    /// The sums of the rows of all parts.
    pub fn of_parts<'a>(parts: impl Iterator<Item = &'a Self>) -> Option<Self> {
        parts.fold(None, |sums: Option<Self>, part| {
            let Some(mut sums) = sums else { return Some(part.clone()) };
            sums.yy += part.yy;
            for (sums, part) in [(&mut sums.xx, &part.xx), (&mut sums.xy, &part.xy)] {
                sums.values.iter_mut().zip(&part.values).for_each(|(sum, value)| *sum += value);
            }
            Some(sums)
        })
    }

    /// The factor `L` of `xx + ridge I = L L^T`, transposed: panel `p` has rows `8 p` to `8 p + 8` of `L` as columns.
    fn factor(&self, ridge: f64) -> Option<Panels> {
        let mut factor = self.xx.clone();
        for i in 0..factor.height {
            let diagonal = if i < factor.n_rows { factor.get(i, i) + ridge } else { 1.0 };
            factor.set(i, i, diagonal);
        }
        for column in 0..factor.n_panels() {
            let done = column * BLOCK * BLOCK;
            for row in column..factor.n_panels() {
                let mut sum = [0.0; BLOCK * BLOCK];
                self.set.outer_block(&factor.panel(column)[..done], &factor.panel(row)[..done], &mut sum);
                let block = factor.block_mut(row, column);
                block.iter_mut().zip(&sum).for_each(|(value, sum)| *value -= sum);
                if row == column {
                    factor_block(block)?;
                } else {
                    let diagonal: [f64; BLOCK * BLOCK] = factor.block(column, column).try_into().ok()?;
                    forward(&diagonal, factor.block_mut(row, column));
                }
            }
        }
        Some(factor)
    }

    /// Solves `L L^T weights = left`.
    fn substitute(&self, factor: &Panels, mut left: Panels) -> Panels {
        let n_blocks = factor.n_panels();
        // columns of L one after the other, for the way back
        let mut columns = Panels::zeros(factor.n_rows, factor.n_columns);
        for (row, column) in (0..n_blocks).flat_map(|row| (0..=row).map(move |column| (row, column))) {
            let (from, to) = (factor.block(row, column), columns.block_mut(column, row));
            (0..BLOCK * BLOCK).for_each(|i| to[i] = from[i % BLOCK * BLOCK + i / BLOCK]);
        }
        for panel in 0..left.n_panels() {
            for block in 0..n_blocks {
                let (mut sum, done) = ([0.0; BLOCK * BLOCK], block * BLOCK * BLOCK);
                self.set.outer_block(&factor.panel(block)[..done], &left.panel(panel)[..done], &mut sum);
                let values = left.block_mut(panel, block);
                values.iter_mut().zip(&sum).for_each(|(value, sum)| *value -= sum);
                forward(factor.block(block, block), values);
            }
            for block in (0..n_blocks).rev() {
                let (mut sum, rest) = ([0.0; BLOCK * BLOCK], (block + 1) * BLOCK * BLOCK);
                self.set.outer_block(&columns.panel(block)[rest..], &left.panel(panel)[rest..], &mut sum);
                let values = left.block_mut(panel, block);
                values.iter_mut().zip(&sum).for_each(|(value, sum)| *value -= sum);
                backward(factor.block(block, block), values);
            }
        }
        left
    }
}

/// The transposed Cholesky factor in place of a block, of which what is above the diagonal counts; `None` where it has none.
fn factor_block(block: &mut [f64]) -> Option<()> {
    for k in 0..BLOCK {
        for i in k..BLOCK {
            let sum: f64 = (0..k).map(|j| block[j * BLOCK + k] * block[j * BLOCK + i]).sum();
            let value = block[k * BLOCK + i] - sum;
            if i == k {
                // NaN is not above 0 either
                if !(value > 0.0 && value.is_finite()) {
                    return None;
                }
                block[k * BLOCK + k] = value.sqrt();
            } else {
                block[k * BLOCK + i] = value / block[k * BLOCK + k];
            }
        }
    }
    Some(())
}

/// Solves `L x = values` for each column of `values`, where `factor` is the transposed `L`.
fn forward(factor: &[f64], values: &mut [f64]) {
    for k in 0..BLOCK {
        for column in 0..BLOCK {
            let sum: f64 = (0..k).map(|j| factor[j * BLOCK + k] * values[j * BLOCK + column]).sum();
            values[k * BLOCK + column] = (values[k * BLOCK + column] - sum) / factor[k * BLOCK + k];
        }
    }
}

/// Solves `L^T x = values` for each column of `values`, where `factor` is the transposed `L`.
fn backward(factor: &[f64], values: &mut [f64]) {
    for k in (0..BLOCK).rev() {
        for column in 0..BLOCK {
            let sum: f64 = (k + 1..BLOCK).map(|j| factor[k * BLOCK + j] * values[j * BLOCK + column]).sum();
            values[k * BLOCK + column] = (values[k * BLOCK + column] - sum) / factor[k * BLOCK + k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    fn sums(n_rows: usize, n_inputs: usize, n_outputs: usize, set: InstructionSet, n_threads: usize) -> RidgeSums {
        let mut rng = Rng::new(1, Purpose::Shuffle);
        let (x, y) = (rng.uniform(n_rows * n_inputs, 1.0), rng.uniform(n_rows * n_outputs, 1.0));
        let mut sums = RidgeSums::new(n_inputs, n_outputs, set);
        sums.add(&x, &y, n_threads);
        sums.finish();
        sums
    }

    /// The gradient of what is minimised, which is zero at the solution.
    fn slope(sums: &RidgeSums, weights: &Panels, prior: &Panels, ridge: f64) -> f64 {
        let (n_inputs, n_outputs) = (sums.xy.n_rows, sums.xy.n_columns);
        let mut most = 0.0_f64;
        for (i, j) in (0..n_inputs).flat_map(|i| (0..n_outputs).map(move |j| (i, j))) {
            let product: f64 = (0..n_inputs).map(|k| sums.xx.get(i, k) * weights.get(k, j)).sum();
            most = most.max((product - sums.xy.get(i, j) + ridge * (weights.get(i, j) - prior.get(i, j))).abs());
        }
        most
    }

    #[test]
    fn the_solution_has_no_slope() {
        for (n_rows, n_inputs, n_outputs) in [(50, 1, 1), (300, 7, 3), (300, 8, 8), (1000, 43, 20)] {
            for set in InstructionSet::available() {
                let sums = sums(n_rows, n_inputs, n_outputs, set, 2);
                let mut prior = Panels::zeros(n_inputs, n_outputs);
                for ridge in [0.01, 5.0] {
                    let weights = sums.solve(ridge, &prior).unwrap();
                    // sums of up to 1000 products of numbers below 1 in double precision
                    assert!(slope(&sums, &weights, &prior, ridge) < 1e-11, "{n_inputs} {n_outputs} {ridge}");
                    prior = weights;
                }
            }
        }
    }

    #[test]
    fn instructions_and_threads_change_no_bit() {
        let expected = sums(300, 43, 20, InstructionSet::PORTABLE, 1);
        let weights = expected.solve(0.1, &Panels::zeros(43, 20)).unwrap();
        for (set, n_threads) in InstructionSet::available().flat_map(|set| [(set, 1), (set, 3)]) {
            let sums = sums(300, 43, 20, set, n_threads);
            assert!(sums.xx == expected.xx && sums.xy == expected.xy, "{set:?} {n_threads}");
            assert_eq!(sums.solve(0.1, &Panels::zeros(43, 20)).unwrap(), weights, "{set:?}");
            assert_eq!(sums.error(&weights).to_bits(), expected.error(&weights).to_bits(), "{set:?}");
        }
    }

    #[test]
    fn by_hand() {
        // y = 2 x: sums 14, 28 and 56; a ridge of 14 halves the weight, and leaves a quarter of the squares
        let mut sums = RidgeSums::new(1, 1, InstructionSet::PORTABLE);
        sums.add(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0], 1);
        sums.finish();
        assert_eq!(sums.mean_square(), 14.0);
        let weights = sums.solve(14.0, &Panels::zeros(1, 1)).unwrap();
        assert!((weights.get(0, 0) - 1.0).abs() < 1e-15);
        assert!((sums.error(&weights) - 14.0).abs() < 1e-13);
    }

    #[test]
    fn parts_sum_up_and_several_priors_are_solved_as_one() {
        let mut parts = [(); 2].map(|()| RidgeSums::new(2, 1, InstructionSet::PORTABLE));
        let mut all = RidgeSums::new(2, 1, InstructionSet::PORTABLE);
        let (x, y) = ([1.0, 2.0, -1.0, 3.0, 2.0, 2.0], [4.0, 6.0, 1.0]);
        parts[0].add(&x[..4], &y[..2], 1);
        parts[1].add(&x[4..], &y[2..], 1);
        all.add(&x, &y, 1);
        parts.iter_mut().chain([&mut all]).for_each(RidgeSums::finish);
        let sums = RidgeSums::of_parts(parts.iter()).unwrap();
        let mut prior = Panels::zeros(2, 1);
        prior.set(0, 0, 0.5);
        let priors = [Panels::zeros(2, 1), prior];
        // sums of small whole numbers are exact
        let expected: Vec<Panels> = priors.iter().map(|prior| all.solve(3.0, prior).unwrap()).collect();
        assert_eq!(sums.solve_each(3.0, &priors).unwrap(), expected);
        assert_eq!(sums.error(&expected[0]), all.error(&expected[0]));
    }

    #[test]
    fn what_has_no_factor_has_no_solution() {
        let none = Panels::zeros(2, 1);
        let of = |square: &[f64]| {
            let mut sums = RidgeSums::new(2, 1, InstructionSet::PORTABLE);
            square.iter().enumerate().for_each(|(i, &value)| sums.xx.set(i / 2, i % 2, value));
            (0..2).for_each(|i| sums.xy.set(i, 0, 1.0));
            sums
        };
        assert!(of(&[1.0, 2.0, 2.0, 1.0]).solve(0.0, &none).is_none());
        assert!(of(&[f64::NAN, 0.0, 0.0, 1.0]).solve(0.0, &none).is_none());
        assert!(of(&[1.0, 2.0, 2.0, 1.0]).solve(2.0, &none).is_some());
    }
}
