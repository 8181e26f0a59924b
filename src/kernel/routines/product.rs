//! The two matrix products around the cell: rows times a panel, and the sum of outer products that is a weight gradient.

use super::tile::{accumulate, for_rows, load, store, Factors, RowTile};
use super::vector::Vector;

/// What the sums of a product start from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Zero.
    Zero,
    /// What the output holds.
    Output,
    /// The same vector in each row.
    Bias(&'a [f32]),
}

/// `out[row][column] = start + sum over k of a[row][k] * panel[k][column]`, for the one to four vectors of one panel.
pub(crate) struct Product<'a> {
    pub(crate) rows: usize,
    /// Rows of `a`: block `b` of `block_len` columns starts at `b * block_stride`, its rows `row_stride` apart.
    pub(crate) a: &'a [f32],
    pub(crate) n_blocks: usize,
    pub(crate) block_len: usize,
    pub(crate) block_stride: usize,
    pub(crate) row_stride: usize,
    /// `[k][n_vectors * V::LANES]`.
    pub(crate) panel: &'a [f32],
    pub(crate) n_vectors: usize,
    pub(crate) start: Start<'a>,
    /// `(rows, n_vectors * V::LANES)`, rows `out_stride` apart.
    pub(crate) out: &'a mut [f32],
    pub(crate) out_stride: usize,
}

impl Product<'_> {
    fn check<V: Vector>(&self) {
        let columns = self.n_vectors * V::LANES;
        assert!(self.rows > 0 && self.n_blocks > 0 && matches!(self.n_vectors, 1 | 2 | 4));
        let last = (self.n_blocks - 1) * self.block_stride + (self.rows - 1) * self.row_stride;
        assert!(self.a.len() >= last + self.block_len);
        assert!(self.panel.len() >= self.n_blocks * self.block_len * columns);
        assert!(self.out.len() >= (self.rows - 1) * self.out_stride + columns);
        assert!(!matches!(self.start, Start::Bias(bias) if bias.len() < columns));
    }

    /// Computes the product.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Vector>(&mut self) {
        self.check::<V>();
        match self.n_vectors {
            1 => for_rows::<V>(self.rows, &mut ProductTile::<1>(self)),
            2 => for_rows::<V>(self.rows, &mut ProductTile::<2>(self)),
            _ => for_rows::<V>(self.rows, &mut ProductTile::<4>(self)),
        }
    }
}

struct ProductTile<'s, 'a, const NV: usize>(&'s mut Product<'a>);

impl<V: Vector, const NV: usize> RowTile<V> for ProductTile<'_, '_, NV> {
    #[inline(always)]
    unsafe fn run<const MR: usize>(&mut self, row: usize) {
        let product = &mut *self.0;
        let mut sums = match product.start {
            Start::Zero => [[V::splat(0.0); NV]; MR],
            Start::Output => load::<V, MR, NV>(product.out, row * product.out_stride, product.out_stride),
            Start::Bias(bias) => load(bias, 0, 0),
        };
        for block in 0..product.n_blocks {
            let a = Factors {
                values: product.a,
                start: block * product.block_stride + row * product.row_stride,
                row_stride: product.row_stride,
                k_stride: 1,
            };
            let panel = block * product.block_len * NV * V::LANES;
            accumulate(&mut sums, a, (product.panel, panel, NV * V::LANES), product.block_len);
        }
        store(sums, product.out, row * product.out_stride, product.out_stride);
    }
}

/// `gradient[k][column] += sum over steps and rows of input[step][row][k] * output[step][row][column]`, for the one to four
/// vectors of one panel.
pub(crate) struct Outer<'a> {
    pub(crate) rows: usize,
    pub(crate) n_steps: usize,
    /// Step `s` starts at `input_start + s * input_step`, its rows are `input_stride` apart.
    pub(crate) input: &'a [f32],
    pub(crate) input_start: usize,
    pub(crate) input_step: isize,
    pub(crate) input_stride: usize,
    /// Columns of the input, which are rows of the gradient.
    pub(crate) n_inputs: usize,
    /// Step `s` starts at `s * output_step`, its rows are `output_stride` apart.
    pub(crate) output: &'a [f32],
    pub(crate) output_step: usize,
    pub(crate) output_stride: usize,
    pub(crate) n_vectors: usize,
    /// `[n_inputs][n_vectors * V::LANES]`.
    pub(crate) gradient: &'a mut [f32],
}

/// Rows between two visits of memory by the sums: what keeps the outputs, four vectors wide, in the first level of cache
/// next to the inputs.
const OUTER_PASS: usize = 128;

impl Outer<'_> {
    fn check<V: Vector>(&self) {
        let columns = self.n_vectors * V::LANES;
        assert!(self.rows > 0 && self.n_steps > 0 && matches!(self.n_vectors, 1 | 2 | 4));
        let within = (self.rows - 1) * self.input_stride + self.n_inputs;
        for step in [0, self.n_steps - 1] {
            assert!(self.input_at(step) + within <= self.input.len());
        }
        let last = (self.n_steps - 1) * self.output_step + (self.rows - 1) * self.output_stride;
        assert!(self.output.len() >= last + columns && self.gradient.len() >= self.n_inputs * columns);
    }

    #[inline(always)]
    fn input_at(&self, step: usize) -> usize {
        // the offset of any step lies within the input, which `check` has seen
        self.input_start.wrapping_add_signed(self.input_step.wrapping_mul(step.cast_signed()))
    }

    /// Computes the sum.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Vector>(&mut self) {
        self.check::<V>();
        let at_once = (OUTER_PASS / self.rows).max(1);
        for first in (0..self.n_steps).step_by(at_once) {
            let steps = (first, self.n_steps.min(first + at_once));
            match self.n_vectors {
                1 => for_rows::<V>(self.n_inputs, &mut OuterTile::<1> { outer: self, steps }),
                2 => for_rows::<V>(self.n_inputs, &mut OuterTile::<2> { outer: self, steps }),
                _ => for_rows::<V>(self.n_inputs, &mut OuterTile::<4> { outer: self, steps }),
            }
        }
    }
}

struct OuterTile<'s, 'a, const NV: usize> {
    outer: &'s mut Outer<'a>,
    steps: (usize, usize),
}

impl<V: Vector, const NV: usize> RowTile<V> for OuterTile<'_, '_, NV> {
    #[inline(always)]
    unsafe fn run<const MR: usize>(&mut self, column: usize) {
        let outer = &mut *self.outer;
        let mut sums = load::<V, MR, NV>(outer.gradient, column * NV * V::LANES, NV * V::LANES);
        for step in self.steps.0..self.steps.1 {
            let start = outer.input_at(step) + column;
            let a = Factors { values: outer.input, start, row_stride: 1, k_stride: outer.input_stride };
            accumulate(&mut sums, a, (outer.output, step * outer.output_step, outer.output_stride), outer.rows);
        }
        store(sums, outer.gradient, column * NV * V::LANES, NV * V::LANES);
    }
}
