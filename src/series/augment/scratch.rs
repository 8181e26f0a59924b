//! Room for what augmentations compute on the way.

use super::draws::Draws;
use super::spline::{spline, SplineRoom};

/// Room for one augmentation at a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scratch {
    heights: Vec<f64>,
    spline: SplineRoom,
    pub(super) curve: Vec<f64>,
    pub(super) column: Vec<f64>,
}

impl Scratch {
    /// `n` points of a smooth curve through heights of mean 1.
    pub(super) fn draw_curve(&mut self, knots: usize, sigma: f64, n: usize, draws: &mut Draws) {
        self.heights.clear();
        self.heights.extend((0..knots + 2).map(|_| 1.0 + sigma * draws.normal()));
        spline(&self.heights, n, &mut self.spline, &mut self.curve);
    }
}
