//! Which instructions do the work: chosen once, when the program runs.

use super::routines::adam::AdamStep;
use super::routines::half_product::HalfProduct;
use super::routines::integer_product::IntegerProduct;
use super::routines::portable;
use super::routines::product::{Outer, Product};
use super::routines::step::{Backward, Forward};
#[cfg(target_arch = "x86_64")]
use super::routines::{avx2, avx512, integer_product::vnni};
use crate::error::{Error, Result};

/// The environment variable that overrules the choice.
pub const VARIABLE: &str = "LSTMFORECAST_SIMD";

/// A set of vector instructions that this processor has: [`InstructionSet::choose`] and [`InstructionSet::available`], which
/// ask the processor, make the only values there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// AVX-512 (F, VL, DQ and BW): 16 floats at a time, 32 registers.
    Avx512,
    /// AVX2 with FMA and F16C: 8 floats, 16 registers.
    Avx2,
    /// What the target has at the least (SSE2 on x86-64, NEON on arm64): 4 floats.
    Portable,
}

/// `Avx512`, `Avx2` or `Portable`: checkpoints name it so.
impl std::fmt::Debug for InstructionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Kind {
    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        match self {
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && Self::Avx2.is_available()
            }
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            Self::Portable => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        self == Self::Portable
    }
}

impl InstructionSet {
    /// What every processor has.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// Those that this processor has, the widest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Kind::Avx512, Kind::Avx2, Kind::Portable].into_iter().filter(|kind| kind.is_available()).map(Self)
    }

    /// The one that `LSTMFORECAST_SIMD` names, else the widest.
    ///
    /// # Errors
    /// [`Error::Value`] for another name, or for one that this processor doesn't have.
    pub fn choose() -> Result<Self> {
        match std::env::var(VARIABLE) {
            Ok(name) if !name.is_empty() => Self::parse(&name),
            _ => Ok(Self::available().next().unwrap_or(Self::PORTABLE)),
        }
    }

    fn parse(name: &str) -> Result<Self> {
        let kind = match name {
            "avx512" => Kind::Avx512,
            "avx2" => Kind::Avx2,
            "portable" => Kind::Portable,
            _ => {
                let expected = format!("expected {VARIABLE} to be avx512, avx2 or portable");
                return Err(Error::Value(format!("{expected}, got {name:?}")));
            }
        };
        if kind.is_available() {
            return Ok(Self(kind));
        }
        Err(Error::Value(format!("expected {VARIABLE} to name instructions of this processor, got {name:?}")))
    }

    /// Floats in one vector.
    pub const fn lanes(self) -> usize {
        match self.0 {
            Kind::Avx512 => 16,
            Kind::Avx2 => 8,
            Kind::Portable => 4,
        }
    }

    /// Whether the processor sums products of integers faster than those of singles.
    pub fn has_integer_products(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.0 == Kind::Avx512 && is_x86_feature_detected!("avx512vnni");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }
}

/// Calls one routine as compiled for `self`.
macro_rules! dispatch {
    ($set:ident, $routine:ident($($argument:expr),*)) => {{
        match $set.0 {
            // SAFETY: whoever made the `InstructionSet` has asked the processor for these instructions.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512::$routine($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2::$routine($($argument),*) },
            _ => portable::$routine($($argument),*),
        }
    }};
}

impl InstructionSet {
    pub(super) fn forward(self, mut step: Forward) {
        dispatch!(self, forward(&mut step));
    }

    pub(super) fn backward(self, mut step: Backward) {
        dispatch!(self, backward(&mut step));
    }

    pub(super) fn product(self, mut product: Product) {
        dispatch!(self, product(&mut product));
    }

    pub(super) fn outer(self, mut outer: Outer) {
        dispatch!(self, outer(&mut outer));
    }

    pub(super) fn half_product(self, mut product: HalfProduct) {
        dispatch!(self, half_product(&mut product));
    }

    /// Computes the product; only where there are such instructions.
    #[allow(unused_mut, unused_variables)]
    pub(super) fn integer_product(self, mut product: IntegerProduct) {
        assert!(self.has_integer_products());
        // SAFETY: asked just now.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            vnni::product(&mut product);
        }
    }

    /// The integers of states from -1 to 1: 127 times the state, to the nearest, plus 128; a multiple of 16 of them.
    #[allow(unused_variables)]
    pub(super) fn to_bytes(self, states: &[f32], bytes: &mut [u8]) {
        assert!(self.has_integer_products());
        // SAFETY: asked just now.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            vnni::to_bytes(states, bytes);
        }
    }

    /// Moves parameters and their two moments by one step; all slices are of one length.
    pub fn adam(self, step: AdamStep, parameters: &mut [f32], gradient: &[f32], moments: [&mut [f32]; 2]) {
        dispatch!(self, adam(step, parameters, gradient, moments));
    }

    /// Adds `part` to `sum`, element by element.
    pub fn add(self, sum: &mut [f32], part: &[f32]) {
        dispatch!(self, add(sum, part));
    }

    pub(super) fn outer_block(self, left: &[f64], right: &[f64], out: &mut [f64]) {
        dispatch!(self, outer_block(left, right, out));
    }

    /// The sum of squares.
    pub fn sum_of_squares(self, values: &[f32]) -> f64 {
        dispatch!(self, sum_of_squares(values))
    }
}
