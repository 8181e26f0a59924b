//! Which time each row of a warped sequence shows.

use super::draws::Draws;
use super::scratch::Scratch;

/// No curve makes time stand still or run back.
const LEAST_SPEED: f64 = 0.1;

/// A window's rows and, of a forecast, the horizon's; the window's last row always shows itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) window_size: usize,
    pub(super) horizon: usize,
}

impl Times {
    /// Time runs at the speed of a smooth random curve around 1. The first row, the window's last and the horizon's last show
    /// themselves, so that a window is made of its own rows only.
    pub(super) fn warp(self, knots: usize, sigma: f64, draws: &mut Draws, scratch: &mut Scratch) {
        let (last, end) = (self.window_size - 1, self.window_size + self.horizon - 1);
        scratch.draw_curve(knots, sigma, end + 1, draws);
        let times = &mut scratch.curve;
        let mut time = 0.0;
        times[0] = 0.0;
        for at in &mut times[1..] {
            time += at.max(LEAST_SPEED);
            *at = time;
        }
        let origin = times[last];
        let (before, after) = (last as f64 / origin, self.horizon as f64 / (time - origin));
        for at in &mut times[1..=last] {
            *at = (*at * before).min(last as f64);
        }
        for at in &mut times[last + 1..] {
            *at = (last as f64 + (*at - origin) * after).min(end as f64);
        }
        // the ends exactly, whatever was rounded on the way
        (times[last], times[end]) = (last as f64, end as f64);
    }

    /// A part of the sequence is stretched over the whole: of a window alone a random part of `size`; of a window with its
    /// horizon the part around the window's last row, of a random size from `size` to 1.
    pub(super) fn slice(self, size: f64, draws: &mut Draws, scratch: &mut Scratch) {
        let (last, chance) = ((self.window_size - 1) as f64, draws.uniform());
        let rows = (0..self.window_size + self.horizon).map(|row| row as f64);
        scratch.curve.clear();
        if self.horizon == 0 {
            let start = chance * (1.0 - size) * last;
            scratch.curve.extend(rows.map(|row| (start + size * row).min(last)));
        } else {
            let size = 1.0 - chance * (1.0 - size);
            scratch.curve.extend(rows.map(|row| last + (row - last) * size));
        }
    }
}
