//! Which instructions do the work: chosen once, when the program runs.

use super::adam::{self, AdamStep};
use super::half::HalfProduct;
use super::product::{Outer, Product};
use super::step::{Backward, Forward};
use super::vector::Portable;
#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Avx512};
use crate::error::{Error, Result};

/// The environment variable that overrules the choice.
pub const VARIABLE: &str = "LSTMFORECAST_SIMD";

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// AVX-512 (F, VL, DQ and BW): 16 floats at a time, 32 registers.
    Avx512,
    /// AVX2 with FMA and F16C: 8 floats, 16 registers.
    Avx2,
    /// What the target has at the least (SSE2 on x86-64, NEON on arm64): 4 floats.
    Portable,
}

impl InstructionSet {
    /// Those that this processor has, the widest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Avx512, Self::Avx2, Self::Portable].into_iter().filter(|set| set.is_available())
    }

    /// The one that `LSTMFORECAST_SIMD` names, else the widest.
    ///
    /// # Errors
    /// [`Error::Value`] for another name, or for one that this processor doesn't have.
    pub fn choose() -> Result<Self> {
        let widest = || Self::available().next().unwrap_or(Self::Portable);
        match std::env::var(VARIABLE) {
            Ok(name) if !name.is_empty() => Self::parse(&name),
            _ => Ok(widest()),
        }
    }

    fn parse(name: &str) -> Result<Self> {
        let set = match name {
            "avx512" => Self::Avx512,
            "avx2" => Self::Avx2,
            "portable" => Self::Portable,
            _ => {
                let expected = format!("expected {VARIABLE} to be avx512, avx2 or portable");
                return Err(Error::Value(format!("{expected}, got {name:?}")));
            }
        };
        if set.is_available() {
            return Ok(set);
        }
        Err(Error::Value(format!("expected {VARIABLE} to name instructions of this processor, got {name:?}")))
    }

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

    /// Floats in one vector.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 => 8,
            Self::Portable => 4,
        }
    }
}

/// Compiles every routine for one set of instructions.
macro_rules! routines {
    ($module:ident, $vector:ty $(, $features:meta)?) => {
        mod $module {
            use super::*;

            $(#[$features])?
            pub(super) fn forward(step: &mut Forward) {
                step.run::<$vector>();
            }

            $(#[$features])?
            pub(super) fn backward(step: &mut Backward) {
                step.run::<$vector>();
            }

            $(#[$features])?
            pub(super) fn product(product: &mut Product) {
                product.run::<$vector>();
            }

            $(#[$features])?
            pub(super) fn outer(outer: &mut Outer) {
                outer.run::<$vector>();
            }

            $(#[$features])?
            pub(super) fn half_product(product: &mut HalfProduct) {
                product.run::<$vector>();
            }

            $(#[$features])?
            pub(super) fn adam(step: AdamStep, parameters: &mut [f32], gradient: &[f32], moments: [&mut [f32]; 2]) {
                let [first, second] = moments;
                step.run(parameters, gradient, first, second);
            }

            $(#[$features])?
            pub(super) fn add(sum: &mut [f32], part: &[f32]) {
                adam::add(sum, part);
            }

            $(#[$features])?
            pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
                adam::sum_of_squares(values)
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
routines!(avx512, Avx512, target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,f16c"));
#[cfg(target_arch = "x86_64")]
routines!(avx2, Avx2, target_feature(enable = "avx2,fma,f16c"));
routines!(portable, Portable);

/// Calls one routine as compiled for `self`.
macro_rules! dispatch {
    ($set:ident, $routine:ident($($argument:expr),*)) => {{
        debug_assert!($set.is_available());
        match $set {
            // SAFETY: `InstructionSet` values other than `Portable` come from `available` and `parse` alone, which ask
            // the processor.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512::$routine($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2::$routine($($argument),*) },
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

    /// Moves parameters and their two moments by one step; all slices are of one length.
    pub fn adam(self, step: AdamStep, parameters: &mut [f32], gradient: &[f32], moments: [&mut [f32]; 2]) {
        dispatch!(self, adam(step, parameters, gradient, moments));
    }

    /// Adds `part` to `sum`, element by element.
    pub fn add(self, sum: &mut [f32], part: &[f32]) {
        dispatch!(self, add(sum, part));
    }

    /// The sum of squares.
    pub fn sum_of_squares(self, values: &[f32]) -> f64 {
        dispatch!(self, sum_of_squares(values))
    }
}
