//! From numbers to training samples: split in time order, scale, cut windows, change them a little.

pub mod augment;
pub mod effect;
pub mod lens;
mod matrix;
pub mod normalize;
pub mod panel;
pub mod sample;
pub mod scale;
pub mod split;
pub mod table;
pub mod window;

pub use matrix::Matrix;
pub use panel::Panel;
pub use sample::{Gathered, Samples};
