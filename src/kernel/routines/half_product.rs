//! Rows times weights in half precision (IEEE 754's binary16), for one row.

use super::vector::Vector;
use crate::kernel::aligned::Aligned;

/// The greatest finite half.
const GREATEST: f32 = 65_504.0;

/// The half that is nearest to a number, to even where two are; beyond the greatest, that.
#[allow(clippy::cast_possible_truncation)] // into halves, on purpose
pub(super) fn to_half(x: f32) -> u16 {
    let sign = (x.to_bits() >> 16) & 0x8000;
    let magnitude = x.abs().min(GREATEST);
    let half = if magnitude < 6.103_515_6e-5 {
        // numbers from a half to one are as far apart as the halves nearest to zero: adding rounds
        (magnitude + 0.5).to_bits() - 0.5f32.to_bits()
    } else {
        let bits = magnitude.to_bits();
        ((bits + 0xfff + ((bits >> 13) & 1)) >> 13) - (112 << 10)
    };
    (sign | half) as u16
}

pub(crate) fn to_halves(numbers: &[f32]) -> Aligned<u16> {
    let mut halves = Aligned::zeros(numbers.len());
    halves.iter_mut().zip(numbers).for_each(|(half, &number)| *half = to_half(number));
    halves
}

/// `sums[block][column] += sum over k of a[k] * weights[block][first + k][column]`, blocks four vectors wide.
pub(crate) struct HalfProduct<'a> {
    pub(crate) a: &'a [f32],
    /// `[block][weight_rows][4 * V::LANES]`.
    pub(crate) weights: &'a [u16],
    pub(crate) weight_rows: usize,
    pub(crate) first: usize,
    pub(crate) sums: &'a mut [f32],
    /// Whether the last block is the first to be computed, which changes no bit.
    pub(crate) backwards: bool,
}

impl HalfProduct<'_> {
    /// Computes the product.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Vector>(&mut self) {
        let columns = 4 * V::LANES;
        let n_blocks = self.sums.len() / columns;
        assert!(self.first + self.a.len() <= self.weight_rows);
        assert!(self.weights.len() >= n_blocks * self.weight_rows * columns);
        for at in 0..n_blocks {
            let block = if self.backwards { n_blocks - 1 - at } else { at };
            let start = (block * self.weight_rows + self.first) * columns;
            // one multiplication needn't wait for the one before
            let mut sums = [[V::splat(0.0); 4]; 2];
            for v in 0..4 {
                sums[0][v] = V::load(self.sums, block * columns + v * V::LANES);
            }
            let mut pairs = self.a.chunks_exact(2);
            let mut at = start;
            for pair in &mut pairs {
                for (sums, &a) in sums.iter_mut().zip(pair) {
                    Self::multiply(sums, a, self.weights, at);
                    at += columns;
                }
            }
            if let [a] = pairs.remainder() {
                Self::multiply(&mut sums[0], *a, self.weights, at);
            }
            for v in 0..4 {
                sums[0][v].add(sums[1][v]).store(self.sums, block * columns + v * V::LANES);
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply<V: Vector>(sums: &mut [V; 4], a: f32, weights: &[u16], at: usize) {
        let a = V::splat(a);
        for v in 0..4 {
            sums[v] = a.mul_add(V::load_half(weights, at + v * V::LANES), sums[v]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::isa::InstructionSet;

    /// By the definition: sign, five bits of exponent, ten of fraction.
    fn value(half: u16) -> f64 {
        let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 1023));
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        if half >> 15 == 1 {
            -magnitude
        } else {
            magnitude
        }
    }

    fn finite() -> impl Iterator<Item = u16> {
        (0..=u16::MAX).filter(|half| half >> 10 & 31 < 31)
    }

    #[test]
    #[allow(clippy::cast_possible_truncation)] // halves are exact as singles
    fn every_half_comes_back() {
        assert!(finite().all(|half| to_half(value(half) as f32) == half));
        assert_eq!((to_half(1e9), to_half(-1e9)), (0x7bff, 0xfbff));
    }

    #[test]
    #[allow(clippy::cast_possible_truncation)]
    fn numbers_between_two_halves_go_to_the_nearer_or_the_even_one() {
        for half in (0..0x7bff).step_by(7).chain(0x3f0..0x410) {
            let (low, high) = (value(half), value(half + 1));
            let at = |part: f64| to_half((low + part * (high - low)) as f32);
            assert_eq!((at(0.499), at(0.501), at(0.5)), (half, half + 1, half + (half & 1)), "{half:x}");
        }
    }

    #[test]
    #[allow(clippy::cast_possible_truncation)]
    fn every_instruction_set_reads_halves() {
        let halves: Vec<u16> = finite().collect();
        let sum = |set: InstructionSet| {
            let n = 4 * set.lanes();
            let mut sums = vec![0.0; halves.len() / n * n];
            let a = [1.0];
            set.half_product(HalfProduct {
                a: &a,
                weights: &halves,
                weight_rows: 1,
                first: 0,
                sums: &mut sums,
                backwards: false,
            });
            sums
        };
        for set in InstructionSet::available() {
            for (&half, sum) in halves.iter().zip(sum(set)) {
                assert_eq!(sum, value(half) as f32, "{set:?}");
            }
        }
    }
}
