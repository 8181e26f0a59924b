//! Products of states and weights as integers of 8 bits, which the processor sums four at a time in each lane (VNNI).
//!
//! A state lies between -1 and 1: as 127ths of that it keeps seven digits and a sign. A weight is a number of 127ths of the
//! largest of its row in PyTorch's matrix, the same as in a file of such weights, so that nothing is rounded twice. Sums are
//! exact.

use crate::kernel::aligned::Aligned;

/// The largest integer of a weight or state.
const LARGEST: f32 = 127.0;

/// What is added to the integers of states, as the instruction's first factor has no sign.
const ZERO: i32 = 128;

/// Products that are summed in one lane.
const GROUP: usize = 4;

/// `sums[row][column] += scale[column] * sum over k of a[row][k] * weights[k][column]`, in blocks of four gates.
pub(crate) struct IntegerProduct<'a> {
    pub(crate) rows: usize,
    /// `(rows, weights.len)` integers of states; see [`crate::kernel::isa::InstructionSet::to_bytes`].
    pub(crate) a: &'a [u8],
    pub(crate) weights: &'a IntegerWeights,
    /// The first of the weights' blocks.
    pub(crate) first_block: usize,
    pub(crate) n_blocks: usize,
    /// `[row][4][lanes]` for each block, `sums_stride` apart.
    pub(crate) sums: &'a mut [f32],
    pub(crate) sums_stride: usize,
}

/// One matrix.
#[derive(Debug, Clone)]
pub(crate) struct IntegerWeights {
    /// Rows, a multiple of `GROUP`.
    len: usize,
    /// `[block][k / GROUP][gate][lane][GROUP]`.
    values: Aligned<i8>,
    /// What 1 is worth of a state's and a weight's integer, `[block][gate][lane]`.
    scales: Aligned,
    /// What [`ZERO`] adds to each sum.
    offsets: Aligned<i32>,
}

impl IntegerWeights {
    /// Rows `first..first + len` of `weights[block][weight_rows][gate][lane]`.
    #[allow(clippy::cast_possible_truncation)] // to integers, on purpose
    pub(crate) fn new(weights: &[f32], (weight_rows, lanes): (usize, usize), (first, len): (usize, usize)) -> Self {
        let columns = 4 * lanes;
        let n_blocks = weights.len() / (weight_rows * columns);
        let mut integers = Self {
            len,
            values: Aligned::zeros(n_blocks * len * columns),
            scales: Aligned::zeros(n_blocks * columns),
            offsets: Aligned::zeros(n_blocks * columns),
        };
        for (block, column) in (0..n_blocks).flat_map(|block| (0..columns).map(move |column| (block, column))) {
            let weight = |k| weights[(block * weight_rows + first + k) * columns + column];
            let largest = (0..len).map(|k| weight(k).abs()).fold(0.0, f32::max);
            let scale = if largest > 0.0 { largest / LARGEST } else { 1.0 };
            let at = block * columns + column;
            integers.scales[at] = scale / LARGEST;
            for k in 0..len {
                let integer = (weight(k) / scale).round() as i8;
                integers.values[((block * len / GROUP + k / GROUP) * columns + column) * GROUP + k % GROUP] = integer;
                integers.offsets[at] += ZERO * i32::from(integer);
            }
        }
        integers
    }
}

impl IntegerProduct<'_> {
    fn check(&self, columns: usize) {
        let (len, end) = (self.weights.len, self.first_block + self.n_blocks);
        assert!(self.rows > 0 && self.n_blocks > 0 && len.is_multiple_of(GROUP));
        assert!(self.a.len() >= self.rows * len);
        assert!(self.weights.values.len() >= end * len * columns);
        assert!(self.weights.scales.len() >= end * columns && self.weights.offsets.len() >= end * columns);
        assert!(self.sums.len() >= (self.n_blocks - 1) * self.sums_stride + self.rows * columns);
    }
}

#[cfg(target_arch = "x86_64")]
pub(in crate::kernel) mod vnni {
    #[allow(clippy::wildcard_imports)] // a dozen intrinsics
    use std::arch::x86_64::*;

    use super::{IntegerProduct, GROUP, LARGEST, ZERO};

    /// Numbers in a register.
    const LANES: usize = 16;

    /// Rows of a tile: with four gates each, as many sums as registers allow.
    const TILE_ROWS: usize = 6;

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vnni")]
    pub(crate) fn product(product: &mut IntegerProduct) {
        product.check(4 * LANES);
        for block in 0..product.n_blocks {
            for row in (0..product.rows).step_by(TILE_ROWS) {
                match product.rows - row {
                    1 => tile::<1, 2>(product, block, row),
                    2 => tile::<2, 1>(product, block, row),
                    3 => tile::<3, 1>(product, block, row),
                    4 => tile::<4, 1>(product, block, row),
                    5 => tile::<5, 1>(product, block, row),
                    _ => tile::<TILE_ROWS, 1>(product, block, row),
                }
            }
        }
    }

    /// `CHAINS` sums of each number, so that one row's needn't wait for one another.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vnni")]
    fn tile<const MR: usize, const CHAINS: usize>(product: &mut IntegerProduct, block: usize, row: usize) {
        let (len, weights) = (product.weights.len, product.weights);
        let n_groups = len / GROUP;
        let first = product.first_block + block;
        let mut sums = [[[_mm512_setzero_si512(); 4]; MR]; CHAINS];
        // SAFETY of all: `check` has compared the slices with the extents of blocks, rows and groups.
        let values = unsafe { weights.values.as_ptr().add(first * len * 4 * LANES) };
        let a = unsafe { product.a.as_ptr().add(row * len) };
        for start in (0..n_groups).step_by(CHAINS) {
            for chain in 0..CHAINS.min(n_groups - start) {
                let group = start + chain;
                let gate = |g: usize| unsafe { _mm512_loadu_si512(values.add((group * 4 + g) * LANES * GROUP).cast()) };
                let gates = [gate(0), gate(1), gate(2), gate(3)];
                for r in 0..MR {
                    let states = unsafe { a.add(r * len + group * GROUP).cast::<i32>().read_unaligned() };
                    for g in 0..4 {
                        let sum = &mut sums[chain][r][g];
                        *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi32(states), gates[g]);
                    }
                }
            }
        }
        for (r, g) in (0..MR).flat_map(|r| (0..4).map(move |g| (r, g))) {
            let sum = (1..CHAINS).fold(sums[0][r][g], |sum, chain| _mm512_add_epi32(sum, sums[chain][r][g]));
            let column = (first * 4 + g) * LANES;
            unsafe {
                let offset = _mm512_loadu_si512(weights.offsets.as_ptr().add(column).cast());
                let scale = _mm512_loadu_ps(weights.scales.as_ptr().add(column));
                let to = product.sums.as_mut_ptr().add(block * product.sums_stride + ((row + r) * 4 + g) * LANES);
                let sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, offset));
                _mm512_storeu_ps(to, _mm512_fmadd_ps(sum, scale, _mm512_loadu_ps(to)));
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vnni")]
    pub(crate) fn to_bytes(states: &[f32], bytes: &mut [u8]) {
        assert!(states.len() == bytes.len() && states.len().is_multiple_of(LANES));
        for (states, bytes) in states.chunks_exact(LANES).zip(bytes.chunks_exact_mut(LANES)) {
            // SAFETY: chunks of `LANES`.
            unsafe {
                let scaled = _mm512_mul_ps(_mm512_loadu_ps(states.as_ptr()), _mm512_set1_ps(LARGEST));
                let integers = _mm512_add_epi32(_mm512_cvtps_epi32(scaled), _mm512_set1_epi32(ZERO));
                _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(integers));
            }
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
mod tests {
    use super::*;
    use crate::kernel::isa::InstructionSet;
    use crate::rng::{Purpose, Rng};

    /// Sets of this processor that have such products; none elsewhere.
    fn sets() -> impl Iterator<Item = InstructionSet> {
        InstructionSet::available().filter(|set| set.has_integer_products())
    }

    #[test]
    fn sums_are_exact() {
        for set in sets() {
            let lanes = set.lanes();
            for (rows, len, n_blocks) in [(1, 4, 1), (1, 12, 3), (5, 64, 2), (6, 16, 1), (13, 260, 2)] {
                let (mut rng, columns) = (Rng::new(7, Purpose::Weights), 4 * lanes);
                // a row more before and after, so that the part is one of several
                let weights = rng.uniform(n_blocks * (len + 2) * columns, 1.0);
                let weights = IntegerWeights::new(&weights, (len + 2, lanes), (1, len));
                let a: Vec<u8> = rng.uniform(rows * len, 127.0).iter().map(|x| (x + 128.0) as u8).collect();
                let before = rng.uniform(n_blocks * rows * columns, 1.0);
                let mut sums = before.clone();
                let sums_stride = rows * columns;
                let product = IntegerProduct {
                    rows,
                    a: &a,
                    weights: &weights,
                    first_block: 0,
                    n_blocks,
                    sums: &mut sums,
                    sums_stride,
                };
                set.integer_product(product);
                for (at, &sum) in sums.iter().enumerate() {
                    let (block, row, column) = (at / sums_stride, at % sums_stride / columns, at % columns);
                    let weight = |k: usize| {
                        let group = (block * len + k) / GROUP;
                        i64::from(weights.values[(group * columns + column) * GROUP + k % GROUP])
                    };
                    let exact: i64 = (0..len).map(|k| (i64::from(a[row * len + k]) - 128) * weight(k)).sum();
                    let scale = weights.scales[block * columns + column];
                    // one fused multiplication and addition
                    assert_eq!(sum, (exact as f32).mul_add(scale, before[at]), "{rows} {len} {at}");
                }
            }
        }
    }

    #[test]
    fn states_become_the_nearest_integers() {
        for set in sets() {
            let states: Vec<f32> = (0..=255).map(|i| (i as f32 - 127.5) / 127.5).collect();
            let mut bytes = vec![0; 256];
            set.to_bytes(&states, &mut bytes);
            let nearest = |x: f32| (127.0 * x).round_ties_even() + 128.0;
            assert!(states.iter().zip(&bytes).all(|(&x, &byte)| f32::from(byte) == nearest(x)));
            assert_eq!((bytes[0], bytes[255]), (1, 255));
        }
    }

    #[test]
    fn weights_of_127ths_come_back() {
        for set in sets() {
            let lanes = set.lanes();
            let scale = 0.037;
            let integer = |k: usize, column: usize| (k * 7 + column * 3) as i32 % 255 - 127;
            let weights: Vec<f32> =
                (0..128 * 4 * lanes).map(|at| integer(at / (4 * lanes), at % (4 * lanes)) as f32 * scale).collect();
            let found = IntegerWeights::new(&weights, (128, lanes), (0, 128));
            for (k, column) in (0..128).flat_map(|k| (0..4 * lanes).map(move |column| (k, column))) {
                let at = (k / GROUP * 4 * lanes + column) * GROUP + k % GROUP;
                // whose largest is 127 in all columns, as 7 and 255 have no common divisor and 128 rows are half of them
                if (0..128).any(|k| integer(k, column).abs() == 127) {
                    assert_eq!(i32::from(found.values[at]), integer(k, column), "{k} {column}");
                }
            }
        }
    }
}
