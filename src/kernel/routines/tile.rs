//! Register tiles: a few rows times a few vectors of sums that stay in registers while a reduction runs.
//!
//! All matrix work of an LSTM is one loop: `sums[r][v] += a[r][k] * panel[k][v]`. What differs is what the sums
//! start from, where `a` and the panel lie, and what happens to the sums afterwards; each kind below implements
//! [`RowTile`] for that. A panel is a few vectors wide and stored row after row, so that the loop reads it front to back.
//!
//! # Safety
//! Functions that are `unsafe` here, and in the routines, ask two things of their caller: the processor has the instructions of
//! `V`, and all that is read or written lies within its slice. The second is what each routine's `check` sees to before it starts.

use super::vector::{scalar, Vector};

/// Where the factors of a tile's rows lie: row `r`, index `k` at `start + r * row_stride + k * k_stride`.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) values: &'a [f32],
    pub(super) start: usize,
    pub(super) row_stride: usize,
    pub(super) k_stride: usize,
}

/// `sums[r][v] += a[r][k] * panel[k][v]` for all `k < len`; the panel starts at `panel_start`, `panel_stride` from one
/// `k` to the next.
///
/// # Safety
/// That of the module.
#[inline(always)]
pub(super) unsafe fn accumulate<V: Vector, const MR: usize, const NV: usize>(
    sums: &mut [[V; NV]; MR],
    a: Factors,
    (panel, panel_start, panel_stride): (&[f32], usize, usize),
    len: usize,
) {
    for k in 0..len {
        multiply(sums, a, k, panel, panel_start + k * panel_stride);
    }
}

#[inline(always)]
unsafe fn multiply<V: Vector, const MR: usize, const NV: usize>(
    sums: &mut [[V; NV]; MR],
    a: Factors,
    k: usize,
    panel: &[f32],
    at: usize,
) {
    let factor = |r: usize| V::splat(scalar(a.values, a.start + r * a.row_stride + k * a.k_stride));
    if V::MANY_REGISTERS {
        let mut vectors = [V::splat(0.0); NV];
        for v in 0..NV {
            vectors[v] = V::load(panel, at + v * V::LANES);
        }
        for r in 0..MR {
            let factor = factor(r);
            for v in 0..NV {
                sums[r][v] = factor.mul_add(vectors[v], sums[r][v]);
            }
        }
    } else {
        // 12 sums, 3 factors and one vector at a time fill 16 registers exactly
        let mut factors = [V::splat(0.0); MR];
        for r in 0..MR {
            factors[r] = factor(r);
        }
        for v in 0..NV {
            let vector = V::load(panel, at + v * V::LANES);
            for r in 0..MR {
                sums[r][v] = factors[r].mul_add(vector, sums[r][v]);
            }
        }
    }
}

/// Work on a block of consecutive rows, compiled for each number of rows.
pub(super) trait RowTile<V: Vector> {
    /// Rows `row..row + MR`.
    ///
    /// # Safety
    /// That of the module.
    unsafe fn run<const MR: usize>(&mut self, row: usize);
}

/// Cuts `rows` into blocks as even as possible and as few as fit the registers.
///
/// # Safety
/// That of the module.
#[inline(always)]
pub(super) unsafe fn for_rows<V: Vector>(rows: usize, tile: &mut impl RowTile<V>) {
    let n_blocks = rows.div_ceil(V::TILE_ROWS);
    let mut row = 0;
    for block in 0..n_blocks {
        let height = rows / n_blocks + usize::from(block < rows % n_blocks);
        match height {
            1 => tile.run::<1>(row),
            2 => tile.run::<2>(row),
            3 if V::TILE_ROWS >= 3 => tile.run::<3>(row),
            4 if V::TILE_ROWS >= 4 => tile.run::<4>(row),
            5 if V::TILE_ROWS >= 5 => tile.run::<5>(row),
            6 if V::TILE_ROWS >= 6 => tile.run::<6>(row),
            _ => unreachable!("blocks have between one and TILE_ROWS rows"),
        }
        row += height;
    }
}

/// `MR` rows of `NV` vectors, `stride` apart.
///
/// # Safety
/// That of the module.
#[inline(always)]
pub(super) unsafe fn load<V: Vector, const MR: usize, const NV: usize>(
    values: &[f32],
    start: usize,
    stride: usize,
) -> [[V; NV]; MR] {
    let mut sums = [[V::splat(0.0); NV]; MR];
    for r in 0..MR {
        for v in 0..NV {
            sums[r][v] = V::load(values, start + r * stride + v * V::LANES);
        }
    }
    sums
}

/// Writes what [`load`] reads.
///
/// # Safety
/// That of the module.
#[inline(always)]
pub(super) unsafe fn store<V: Vector, const MR: usize, const NV: usize>(
    sums: [[V; NV]; MR],
    values: &mut [f32],
    start: usize,
    stride: usize,
) {
    for r in 0..MR {
        for v in 0..NV {
            sums[r][v].store(values, start + r * stride + v * V::LANES);
        }
    }
}
