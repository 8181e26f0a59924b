//! One time step of one LSTM cell, forwards and backwards, for all rows of a thread's part of the batch.
//!
//! With `V::LANES` lanes, the hidden units are cut into blocks of `V::LANES`, and a block's four gates (order i, f, g, o, as PyTorch's)
//! lie side by side: `weights[block][k][gate][lane]`, `gates[block][row][gate][lane]`. So a tile of sums holds all four
//! gates of its units, and neither the input's part of the sum nor the gates take a way through memory of their own.

use super::tile::{accumulate, for_rows, load, store, Factors, RowTile};
use super::vector::{Tanh, Vector};

/// Length of a reduction between two visits of memory by the sums: what keeps the panel, four vectors wide, in the first
/// level of cache next to the rows.
const PASS: usize = 128;

/// Gradients of less are zero. Going back through many steps they shrink until they are subnormal, and a processor takes tens of
/// times as long to multiply such numbers; this is as far above them as weights and states may be below 1.
const LEAST: f32 = 1e-30;

/// Rows `(rows, row_stride)`, of which `len` columns meet the weights' rows from `first` on.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) row_stride: usize,
    pub(crate) len: usize,
    pub(crate) first: usize,
}

/// What one step forwards reads and writes.
pub(crate) struct Forward<'a> {
    pub(crate) rows: usize,
    /// Units to compute, a multiple of the lanes: all, or one thread's share.
    pub(crate) width: usize,
    /// The input of the step and the state before it.
    pub(crate) sources: [Option<Source<'a>>; 2],
    /// `[block][k][4][V::LANES]`, with `weight_rows` values of `k`.
    pub(crate) weights: &'a [f32],
    pub(crate) weight_rows: usize,
    /// `[block][4][V::LANES]`; `None`: the gates hold the sums so far.
    pub(crate) bias: Option<&'a [f32]>,
    /// `[row][4][V::LANES]` for each block, `gates_stride` apart (0: a scratch that the blocks share).
    pub(crate) gates: &'a mut [f32],
    pub(crate) gates_stride: usize,
    /// Cell state before and after, output: `(rows, width)`.
    pub(crate) c_before: &'a [f32],
    pub(crate) c: &'a mut [f32],
    pub(crate) h: &'a mut [f32],
    /// Hyperbolic tangent of `c`, kept for the backward pass; `None`: nothing is kept.
    pub(crate) tanh_c: Option<&'a mut [f32]>,
}

impl Forward<'_> {
    fn check<V: Vector>(&self) {
        let (blocks, block) = (self.width / V::LANES, self.rows * 4 * V::LANES);
        assert!(self.rows > 0 && blocks * V::LANES == self.width);
        assert!(self.weights.len() >= blocks * self.weight_rows * 4 * V::LANES);
        assert!(self.bias.is_none_or(|bias| bias.len() >= blocks * 4 * V::LANES));
        assert!(self.gates.len() >= (blocks - 1) * self.gates_stride + block);
        for source in self.sources.iter().flatten() {
            assert!(source.first + source.len <= self.weight_rows && source.len <= source.row_stride);
            assert!(source.values.len() >= (self.rows - 1) * source.row_stride + source.len);
        }
        let state = self.rows * self.width;
        assert!(self.c_before.len() >= state && self.c.len() >= state && self.h.len() >= state);
        assert!(self.tanh_c.as_ref().is_none_or(|tanh_c| tanh_c.len() >= state));
    }

    /// Computes the step.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Vector>(&mut self) {
        self.check::<V>();
        for block in 0..self.width / V::LANES {
            self.sum::<V>(block);
            if self.tanh_c.is_some() {
                self.activate::<V, true>(block);
            } else {
                self.activate::<V, false>(block);
            }
        }
    }

    #[inline(always)]
    unsafe fn sum<V: Vector>(&mut self, block: usize) {
        let sources = self.sources;
        if sources.iter().flatten().map(|source| source.len).sum::<usize>() <= PASS {
            for_rows::<V>(self.rows, &mut GateSums { step: self, block, sources, begin: true });
            return;
        }
        let mut begin = true;
        for source in sources.into_iter().flatten() {
            let n_passes = source.len.div_ceil(PASS);
            let len = source.len.div_ceil(n_passes);
            for from in (0..source.len).step_by(len) {
                let part = Source {
                    values: &source.values[from..],
                    len: len.min(source.len - from),
                    first: source.first + from,
                    ..source
                };
                for_rows::<V>(self.rows, &mut GateSums { step: self, block, sources: [Some(part), None], begin });
                begin = false;
            }
        }
    }

    /// From the sums to gates, cell state and output.
    #[inline(always)]
    unsafe fn activate<V: Vector, const TRAIN: bool>(&mut self, block: usize) {
        let tanh = Tanh::new();
        for row in 0..self.rows {
            let (gate, unit) = (self.gate::<V>(block, row), row * self.width + block * V::LANES);
            let [i, f, g, o] = tanh.of_gates(load::<V, 1, 4>(self.gates, gate, 0)[0]);
            store([[i, f, g, o]], self.gates, gate, 0);
            f.mul_add(V::load(self.c_before, unit), i.mul(g)).store(self.c, unit);
        }
        // its own loop, as the tangents of four rows take little longer than one's
        let mut row = 0;
        while row + 4 <= self.rows {
            self.output::<V, 4, TRAIN>(&tanh, block, row);
            row += 4;
        }
        for row in row..self.rows {
            self.output::<V, 1, TRAIN>(&tanh, block, row);
        }
    }

    #[inline(always)]
    fn gate<V: Vector>(&self, block: usize, row: usize) -> usize {
        block * self.gates_stride + row * 4 * V::LANES
    }

    #[inline(always)]
    unsafe fn output<V: Vector, const MR: usize, const TRAIN: bool>(&mut self, tanh: &Tanh, block: usize, row: usize) {
        let mut c = [V::splat(0.0); MR];
        for r in 0..MR {
            c[r] = V::load(self.c, (row + r) * self.width + block * V::LANES);
        }
        let tanh_c = tanh.of(c);
        for r in 0..MR {
            let unit = (row + r) * self.width + block * V::LANES;
            let o = V::load(self.gates, self.gate::<V>(block, row + r) + 3 * V::LANES);
            o.mul(tanh_c[r]).store(self.h, unit);
            if TRAIN {
                if let Some(kept) = &mut self.tanh_c {
                    tanh_c[r].store(kept, unit);
                }
            }
        }
    }
}

/// Adds what the sources contribute to the sums before activation of one block of units.
struct GateSums<'s, 'a> {
    step: &'s mut Forward<'a>,
    block: usize,
    sources: [Option<Source<'a>>; 2],
    /// Whether these are the first sources, so that the sums start from the bias where there is one.
    begin: bool,
}

impl<V: Vector> RowTile<V> for GateSums<'_, '_> {
    #[inline(always)]
    unsafe fn run<const MR: usize>(&mut self, row: usize) {
        let step = &mut *self.step;
        let gates = self.block * step.gates_stride + row * 4 * V::LANES;
        let mut sums = match step.bias {
            Some(bias) if self.begin => load::<V, MR, 4>(bias, self.block * 4 * V::LANES, 0),
            _ => load(step.gates, gates, 4 * V::LANES),
        };
        for source in self.sources.iter().flatten() {
            let a = Factors {
                values: source.values,
                start: row * source.row_stride,
                row_stride: source.row_stride,
                k_stride: 1,
            };
            let panel = (self.block * step.weight_rows + source.first) * 4 * V::LANES;
            accumulate(&mut sums, a, (step.weights, panel, 4 * V::LANES), source.len);
        }
        store(sums, step.gates, gates, 4 * V::LANES);
    }
}

/// Gate gradients `[block][row][4][V::LANES]` of a cell that read the output whose gradient is wanted, and the transposed weights
/// with which it did: panels of up to four vectors of `columns`, each `[4 * units][vectors * V::LANES]`.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) gates: &'a [f32],
    pub(crate) panels: &'a [f32],
    /// Units of the reading cell.
    pub(crate) width: usize,
}

/// What one step backwards reads and writes.
pub(crate) struct Backward<'a> {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    /// The cells of the layer above, at the same moment.
    pub(crate) above: [Option<Reader<'a>>; 2],
    /// Dropout's mask between this layer and the one above, `(rows, mask_stride)`.
    pub(crate) mask: Option<(&'a [f32], usize)>,
    /// The cell itself, at its next step.
    pub(crate) next: Option<Reader<'a>>,
    /// Gradient of the output from outside, `(rows, stride)`.
    pub(crate) outside: Option<(&'a [f32], usize)>,
    /// The activated gates; their gradients afterwards.
    pub(crate) gates: &'a mut [f32],
    pub(crate) c_before: &'a [f32],
    pub(crate) tanh_c: &'a [f32],
    /// Gradient of the cell state, `(rows, width)`: after the step on entry, before it on return.
    pub(crate) dc: &'a mut [f32],
    /// `[block][4][V::LANES]`, added to.
    pub(crate) dbias: &'a mut [f32],
    /// Room for `rows * 4 * V::LANES` numbers.
    pub(crate) scratch: &'a mut [f32],
}

/// Vectors in the panel that starts at vector `at` of `n`: as wide as a tile allows.
pub(crate) const fn panel_vectors(at: usize, n: usize) -> usize {
    match n - at {
        1 => 1,
        2 | 3 => 2,
        _ => 4,
    }
}

impl Backward<'_> {
    fn check<V: Vector>(&self) {
        let state = self.rows * self.width;
        assert!(self.rows > 0 && self.width.is_multiple_of(V::LANES));
        for reader in self.above.iter().chain([&self.next]).flatten() {
            assert!(reader.width.is_multiple_of(V::LANES) && reader.gates.len() >= self.rows * 4 * reader.width);
            assert!(reader.panels.len() >= 4 * reader.width * self.width);
        }
        for (values, stride) in [self.mask, self.outside].into_iter().flatten() {
            assert!(stride >= self.width && values.len() >= (self.rows - 1) * stride + self.width);
        }
        assert!(self.gates.len() >= 4 * state && self.dbias.len() >= 4 * self.width);
        assert!(self.c_before.len() >= state && self.tanh_c.len() >= state && self.dc.len() >= state);
        assert!(self.scratch.len() >= self.rows * 4 * V::LANES);
    }

    /// Computes the step.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Vector>(&mut self) {
        self.check::<V>();
        let n_vectors = self.width / V::LANES;
        let mut vector = 0;
        while vector < n_vectors {
            let width = panel_vectors(vector, n_vectors);
            match width {
                1 => self.panel::<V, 1>(vector),
                2 => self.panel::<V, 2>(vector),
                _ => self.panel::<V, 4>(vector),
            }
            vector += width;
        }
    }

    /// The gradient of `NV * V::LANES` outputs, and through them of their gates.
    #[inline(always)]
    unsafe fn panel<V: Vector, const NV: usize>(&mut self, vector: usize) {
        self.scratch[..self.rows * NV * V::LANES].fill(0.0);
        for reader in self.above.into_iter().flatten() {
            self.read::<V, NV>(reader, vector);
        }
        if let Some((mask, stride)) = self.mask {
            self.combine::<V, NV>(vector, mask, stride, V::mul);
        }
        if let Some(next) = self.next {
            self.read::<V, NV>(next, vector);
        }
        if let Some((outside, stride)) = self.outside {
            self.combine::<V, NV>(vector, outside, stride, V::add);
        }
        for v in 0..NV {
            self.differentiate::<V>(vector + v, v * V::LANES, NV * V::LANES);
        }
    }

    #[inline(always)]
    unsafe fn read<V: Vector, const NV: usize>(&mut self, reader: Reader, vector: usize) {
        let n_blocks = reader.width / V::LANES;
        let at_once = (PASS / (4 * V::LANES)).max(1);
        for first in (0..n_blocks).step_by(at_once) {
            let blocks = (first, n_blocks.min(first + at_once));
            for_rows::<V>(
                self.rows,
                &mut OutputSums::<NV> { scratch: self.scratch, rows: self.rows, reader, blocks, vector },
            );
        }
    }

    #[inline(always)]
    unsafe fn combine<V: Vector, const NV: usize>(
        &mut self,
        vector: usize,
        values: &[f32],
        stride: usize,
        f: impl Fn(V, V) -> V,
    ) {
        for row in 0..self.rows {
            for v in 0..NV {
                let at = (row * NV + v) * V::LANES;
                let value = V::load(values, row * stride + (vector + v) * V::LANES);
                f(V::load(self.scratch, at), value).store(self.scratch, at);
            }
        }
    }

    /// From the gradient of the output of one block of units to those of its gates before activation.
    #[inline(always)]
    unsafe fn differentiate<V: Vector>(&mut self, block: usize, start: usize, stride: usize) {
        let one = V::splat(1.0);
        let mut sums = [V::splat(0.0); 4];
        for row in 0..self.rows {
            let unit = row * self.width + block * V::LANES;
            let gate = (block * self.rows + row) * 4 * V::LANES;
            let [i, f, g, o] = load::<V, 1, 4>(self.gates, gate, 0)[0];
            let tanh_c = V::load(self.tanh_c, unit);
            let dh = V::load(self.scratch, start + row * stride);
            let dh_o = dh.mul(o);
            // tanh' = 1 - tanh^2, sigmoid' = s (1 - s)
            let dc = V::load(self.dc, unit).add(dh_o.mul(tanh_c).neg_mul_add(tanh_c, dh_o));
            let (dc_i, dc_f) = (dc.mul(i), dc.mul(f));
            dc_f.flush(LEAST).store(self.dc, unit);
            let gradients = [
                dc_i.mul(g).mul(i.neg_mul_add(one, one)),
                dc_f.mul(V::load(self.c_before, unit)).mul(f.neg_mul_add(one, one)),
                dc_i.mul(g).neg_mul_add(g, dc_i),
                dh_o.mul(tanh_c).mul(o.neg_mul_add(one, one)),
            ];
            for (at, gradient) in gradients.into_iter().enumerate() {
                let gradient = gradient.flush(LEAST);
                gradient.store(self.gates, gate + at * V::LANES);
                sums[at] = sums[at].add(gradient);
            }
        }
        for (at, sum) in sums.into_iter().enumerate() {
            let at = (block * 4 + at) * V::LANES;
            sum.add(V::load(self.dbias, at)).store(self.dbias, at);
        }
    }
}

/// Adds what some blocks of a reading cell's gates contribute to the gradient of `NV * V::LANES` outputs.
struct OutputSums<'s, 'a, const NV: usize> {
    scratch: &'s mut [f32],
    rows: usize,
    reader: Reader<'a>,
    blocks: (usize, usize),
    vector: usize,
}

impl<V: Vector, const NV: usize> RowTile<V> for OutputSums<'_, '_, NV> {
    #[inline(always)]
    unsafe fn run<const MR: usize>(&mut self, row: usize) {
        let mut sums = load::<V, MR, NV>(self.scratch, row * NV * V::LANES, NV * V::LANES);
        let panel = self.vector * V::LANES * 4 * self.reader.width;
        for block in self.blocks.0..self.blocks.1 {
            let start = (block * self.rows + row) * 4 * V::LANES;
            let a = Factors { values: self.reader.gates, start, row_stride: 4 * V::LANES, k_stride: 1 };
            accumulate(
                &mut sums,
                a,
                (self.reader.panels, panel + block * 4 * V::LANES * NV * V::LANES, NV * V::LANES),
                4 * V::LANES,
            );
        }
        store(sums, self.scratch, row * NV * V::LANES, NV * V::LANES);
    }
}
