//! Vectors of floats, one type for each instruction set, and the functions of an LSTM on them.
//!
//! Everything here is inlined into a routine that was compiled for the instructions in question ([`super`]). A vector is made
//! by functions that are `unsafe`, as they need those instructions; whoever has one may calculate with it.

use std::hint::black_box;

/// Whether every index is checked: in test builds, and in those with debug assertions.
const CHECKED: bool = cfg!(any(test, debug_assertions));

/// A register full of floats.
pub(super) trait Vector: Copy {
    /// How many.
    const LANES: usize;
    /// Whether the processor has 32 of them, else 16.
    const MANY_REGISTERS: bool;
    /// Rows of a tile four vectors wide: as many sums as registers allow, with room for the operands.
    const TILE_ROWS: usize;

    /// The same number in each lane.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn splat(value: f32) -> Self;
    /// The numbers from `at` on.
    ///
    /// # Safety
    /// The processor has the instructions of this type, and `values` has `LANES` numbers from `at` on.
    unsafe fn load(values: &[f32], at: usize) -> Self;
    /// The finite numbers of half precision from `at` on.
    ///
    /// # Safety
    /// As for [`Vector::load`].
    unsafe fn load_half(values: &[u16], at: usize) -> Self;
    /// Writes the numbers from `at` on.
    ///
    /// # Safety
    /// `values` has `LANES` numbers from `at` on.
    unsafe fn store(self, values: &mut [f32], at: usize);
    /// `self * b + c`.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `c - self * b`.
    fn neg_mul_add(self, b: Self, c: Self) -> Self;
    /// `self * b`.
    fn mul(self, b: Self) -> Self;
    /// `self + b`.
    fn add(self, b: Self) -> Self;
    /// `self / b`.
    fn div(self, b: Self) -> Self;
    /// Brought into `-limit..=limit`; NaN stays NaN.
    fn clamp(self, limit: f32) -> Self;
    /// Zero in place of whatever is nearer to it than `least`; NaN stays NaN.
    fn flush(self, least: f32) -> Self;
}

/// Pointer to `len` numbers from `at` on.
#[inline(always)]
fn read<T>(values: &[T], at: usize, len: usize) -> *const T {
    if CHECKED {
        assert!(at + len <= values.len(), "expected an end of at most {}, got {}", values.len(), at + len);
    }
    values.as_ptr().wrapping_add(at)
}

#[inline(always)]
fn write(values: &mut [f32], at: usize, len: usize) -> *mut f32 {
    if CHECKED {
        assert!(at + len <= values.len(), "expected an end of at most {}, got {}", values.len(), at + len);
    }
    values.as_mut_ptr().wrapping_add(at)
}

/// One number.
///
/// # Safety
/// `values` has a number at `at`. Each routine compares the lengths of its slices with the extents that it runs over before it
/// starts; test builds check every index.
#[inline(always)]
pub(super) unsafe fn scalar(values: &[f32], at: usize) -> f32 {
    *read(values, at, 1)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #[allow(clippy::wildcard_imports)] // some two dozen intrinsics, which the macro's calls list
    use std::arch::x86_64::*;

    use super::{read, write, Vector};

    /// A vector type over the intrinsics of one instruction set.
    macro_rules! vector {
        ($name:ident, $register:ty, $lanes:literal, $many_registers:literal, $tile_rows:literal, $splat:ident, $load:ident, $load_half:expr, $store:ident,
         $mul_add:ident, $neg_mul_add:ident, $mul:ident, $add:ident, $div:ident, $min:ident, $max:ident, $flush:ident) => {
            #[doc = concat!("A `", stringify!($register), "`.")]
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name($register);

            // SAFETY of all: whoever has made a vector of this type has promised that the processor has these instructions.
            impl Vector for $name {
                const LANES: usize = $lanes;
                const MANY_REGISTERS: bool = $many_registers;
                const TILE_ROWS: usize = $tile_rows;

                #[inline(always)]
                unsafe fn splat(value: f32) -> Self {
                    Self($splat(value))
                }

                #[inline(always)]
                unsafe fn load(values: &[f32], at: usize) -> Self {
                    Self($load(read(values, at, $lanes)))
                }

                #[inline(always)]
                unsafe fn load_half(values: &[u16], at: usize) -> Self {
                    Self($load_half(read(values, at, $lanes)))
                }

                #[inline(always)]
                unsafe fn store(self, values: &mut [f32], at: usize) {
                    $store(write(values, at, $lanes), self.0);
                }

                #[inline(always)]
                fn mul_add(self, b: Self, c: Self) -> Self {
                    Self(unsafe { $mul_add(self.0, b.0, c.0) })
                }

                #[inline(always)]
                fn neg_mul_add(self, b: Self, c: Self) -> Self {
                    Self(unsafe { $neg_mul_add(self.0, b.0, c.0) })
                }

                #[inline(always)]
                fn mul(self, b: Self) -> Self {
                    Self(unsafe { $mul(self.0, b.0) })
                }

                #[inline(always)]
                fn add(self, b: Self) -> Self {
                    Self(unsafe { $add(self.0, b.0) })
                }

                #[inline(always)]
                fn div(self, b: Self) -> Self {
                    Self(unsafe { $div(self.0, b.0) })
                }

                #[inline(always)]
                fn clamp(self, limit: f32) -> Self {
                    // where one operand is NaN, the instructions give the second
                    Self(unsafe { $max($splat(-limit), $min($splat(limit), self.0)) })
                }

                #[inline(always)]
                fn flush(self, least: f32) -> Self {
                    Self(unsafe { $flush(self.0, least) })
                }
            }
        };
    }

    vector!(
        Avx2,
        __m256,
        8,
        false,
        3,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        |halves: *const u16| _mm256_cvtph_ps(_mm_loadu_si128(halves.cast())),
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_fnmadd_ps,
        _mm256_mul_ps,
        _mm256_add_ps,
        _mm256_div_ps,
        _mm256_min_ps,
        _mm256_max_ps,
        flush256
    );
    vector!(
        Avx512,
        __m512,
        16,
        true,
        6,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        |halves: *const u16| _mm512_cvtph_ps(_mm256_loadu_si256(halves.cast())),
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_fnmadd_ps,
        _mm512_mul_ps,
        _mm512_add_ps,
        _mm512_div_ps,
        _mm512_min_ps,
        _mm512_max_ps,
        flush512
    );

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn flush256(x: __m256, least: f32) -> __m256 {
        let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), x);
        _mm256_and_ps(x, _mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, _mm256_set1_ps(least)))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn flush512(x: __m512, least: f32) -> __m512 {
        _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(x), _mm512_set1_ps(least)), x)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

/// Four floats in an array: a register of SSE2 or NEON, in the hands of the compiler.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 4]);

impl Portable {
    #[inline(always)]
    fn with(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for lane in 0..4 {
            self.0[lane] = f(self.0[lane], other.0[lane]);
        }
        self
    }
}

impl Vector for Portable {
    const LANES: usize = 4;
    const MANY_REGISTERS: bool = cfg!(target_arch = "aarch64");
    // without a fused instruction, the product takes registers as well
    const TILE_ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    unsafe fn load(values: &[f32], at: usize) -> Self {
        Self(read(values, at, 4).cast::<[f32; 4]>().read_unaligned())
    }

    #[inline(always)]
    unsafe fn load_half(values: &[u16], at: usize) -> Self {
        let halves = read(values, at, 4).cast::<[u16; 4]>().read_unaligned();
        // with the exponent where a single has it, a half lacks the difference of the two biases
        Self(halves.map(|half| {
            let half = u32::from(half);
            let magnitude = f32::from_bits((half & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
            f32::from_bits(magnitude.to_bits() | (half & 0x8000) << 16)
        }))
    }

    #[inline(always)]
    unsafe fn store(self, values: &mut [f32], at: usize) {
        write(values, at, 4).cast::<[f32; 4]>().write_unaligned(self.0);
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // where it isn't one instruction, `mul_add` calls a function of the C library for each number
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            let mut out = c;
            for lane in 0..4 {
                out.0[lane] = self.0[lane].mul_add(b.0[lane], c.0[lane]);
            }
            out
        } else {
            self.mul(b).add(c)
        }
    }

    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        self.mul(Self([-1.0; 4])).mul_add(b, c)
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.with(b, |a, b| a * b)
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.with(b, |a, b| a + b)
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.with(b, |a, b| a / b)
    }

    #[inline(always)]
    fn clamp(self, limit: f32) -> Self {
        self.with(self, |a, _| if a > limit { limit } else { a }).with(self, |a, _| if a < -limit { -limit } else { a })
    }

    #[inline(always)]
    fn flush(self, least: f32) -> Self {
        self.with(self, |a, _| if a.abs() < least { 0.0 } else { a })
    }
}

/// The hyperbolic tangent as a rational minimax approximation x P(x^2) / Q(x^2) with P and Q of degree 4: by linear
/// programming over its range, relative error 5e-8, good to 5 units in the last place after rounding.
pub(super) struct Tanh<'a> {
    /// Coefficients of P and Q, the highest power first.
    coefficients: &'a [[f32; 2]],
}

impl Tanh<'_> {
    /// Hides the coefficients from the compiler, so that a loop over them stays a loop.
    ///
    /// Unrolled, the vectors would go through the polynomial one after the other, to save registers; and as a processor
    /// looks only some three dozen vector instructions ahead for one that needn't wait for another's result, it would mostly
    /// wait. Rolled, all vectors go through it in step, which takes half the time.
    #[inline(always)]
    pub(super) fn new() -> Self {
        const COEFFICIENTS: &[[f32; 2]] = &[
            [1.586_837e-8, 8.785_494e-7],
            [2.236_268_8e-5, 3.458_214_6e-4],
            [3.600_488_6e-3, 2.627_481e-2],
            [1.346_896_3e-1, 4.680_23e-1],
            [1.0, 1.0],
        ];
        Self { coefficients: black_box(COEFFICIENTS) }
    }

    /// `tanh` of each number; NaN stays NaN.
    #[inline(always)]
    pub(super) fn of<V: Vector, const K: usize>(&self, mut x: [V; K]) -> [V; K] {
        // beyond it, the tangent is 1 to the last bit but one
        const LIMIT: f32 = 7.905_311;
        const { assert!(K > 0) };
        // SAFETY: there is a vector already.
        let splat = |value| unsafe { V::splat(value) };
        let mut square = x;
        for k in 0..K {
            x[k] = x[k].clamp(LIMIT);
            square[k] = x[k].mul(x[k]);
        }
        let (highest, others) = self.coefficients.split_at(1);
        let mut numerator = [splat(highest[0][0]); K];
        let mut denominator = [splat(highest[0][1]); K];
        for &[p, q] in others {
            let (p, q) = (splat(p), splat(q));
            for k in 0..K {
                numerator[k] = numerator[k].mul_add(square[k], p);
                denominator[k] = denominator[k].mul_add(square[k], q);
            }
        }
        for k in 0..K {
            x[k] = x[k].mul(numerator[k]).div(denominator[k]);
        }
        x
    }

    /// The gates i, f, g, o: `tanh` of the third, the logistic function `(1 + tanh(x / 2)) / 2` of the others.
    #[inline(always)]
    pub(super) fn of_gates<V: Vector>(&self, [i, f, g, o]: [V; 4]) -> [V; 4] {
        // SAFETY: there is a vector already.
        let half = unsafe { V::splat(0.5) };
        let [i, f, g, o] = self.of([i.mul(half), f.mul(half), g, o.mul(half)]);
        [i.mul_add(half, half), f.mul_add(half, half), g, o.mul_add(half, half)]
    }
}
