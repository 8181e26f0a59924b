//! What is compiled once for each instruction set, and called through [`super::isa::InstructionSet`] alone.
//!
//! [`vector`] has one vector type for each set, [`tile`] the one loop that all matrix products share; [`step`] is a time step of
//! a cell, [`product`], [`half_product`] and [`integer_product`] the products around it, [`adam`] the optimiser's arithmetic,
//! [`block`] what a regression is made of.

pub(super) mod adam;
pub(super) mod block;
pub(super) mod half_product;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // only x86-64 sums integers here
pub(super) mod integer_product;
pub(super) mod product;
pub(super) mod step;
mod tile;
mod vector;

use adam::AdamStep;
use half_product::HalfProduct;
use product::{Outer, Product};
use step::{Backward, Forward};
use vector::Portable;
#[cfg(target_arch = "x86_64")]
use vector::{Avx2, Avx512};

/// Compiles every routine for one set of instructions.
macro_rules! routines {
    (mod $module:ident, $vector:ty, $rows:literal $(, $features:meta)?) => {
        pub(super) mod $module {
            use super::*;

            // SAFETY of all: this module's functions are compiled for the instructions of the vector type, so that a processor
            // that may call them has those.

            $(#[$features])?
            pub(crate) fn forward(step: &mut Forward) {
                unsafe { step.run::<$vector>() }
            }

            $(#[$features])?
            pub(crate) fn backward(step: &mut Backward) {
                unsafe { step.run::<$vector>() }
            }

            $(#[$features])?
            pub(crate) fn product(product: &mut Product) {
                unsafe { product.run::<$vector>() }
            }

            $(#[$features])?
            pub(crate) fn outer(outer: &mut Outer) {
                unsafe { outer.run::<$vector>() }
            }

            $(#[$features])?
            pub(crate) fn half_product(product: &mut HalfProduct) {
                unsafe { product.run::<$vector>() }
            }

            $(#[$features])?
            pub(crate) fn adam(step: AdamStep, parameters: &mut [f32], gradient: &[f32], moments: [&mut [f32]; 2]) {
                let [first, second] = moments;
                step.run(parameters, gradient, first, second);
            }

            $(#[$features])?
            pub(crate) fn add(sum: &mut [f32], part: &[f32]) {
                adam::add(sum, part);
            }

            $(#[$features])?
            pub(crate) fn outer_block(left: &[f64], right: &[f64], out: &mut [f64]) {
                block::outer::<$rows>(left, right, out);
            }

            $(#[$features])?
            pub(crate) fn sum_of_squares(values: &[f32]) -> f64 {
                adam::sum_of_squares(values)
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
routines!(mod avx512, Avx512, 8, target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,f16c"));
#[cfg(target_arch = "x86_64")]
routines!(mod avx2, Avx2, 4, target_feature(enable = "avx2,fma,f16c"));
routines!(mod portable, Portable, 2);
