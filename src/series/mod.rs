//! From numbers to training samples: split in time order, scale, cut windows.

mod matrix;
pub mod normalize;
pub mod sample;
pub mod scale;
pub mod split;
pub mod table;
pub mod window;

pub use matrix::Matrix;
pub use sample::Samples;
