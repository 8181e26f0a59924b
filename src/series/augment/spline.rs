//! Smooth curves through a few random heights.

/// Room for the second derivatives of a spline, and for the elimination that finds them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SplineRoom {
    bends: Vec<f64>,
    factors: Vec<f64>,
}

/// Replaces `curve` by `n` equidistant points of the cubic spline through at least two equidistant `heights`, from the first
/// height to the last.
///
/// The first two and the last two pieces are one polynomial each ("not-a-knot"), as SciPy's `CubicSpline` has it: through
/// three heights goes a parabola, through two a line.
pub(super) fn spline(heights: &[f64], n: usize, room: &mut SplineRoom, curve: &mut Vec<f64>) {
    room.bend(heights);
    let (n_pieces, n_steps) = (heights.len() - 1, n.saturating_sub(1).max(1));
    curve.clear();
    curve.extend((0..n).map(|i| {
        // whole numbers as long as can be, so that a point on a knot is on it exactly
        let piece = (i * n_pieces / n_steps).min(n_pieces - 1);
        let t = (i * n_pieces - piece * n_steps) as f64 / n_steps as f64;
        let bend = (2.0 - t) * room.bends[piece] + (1.0 + t) * room.bends[piece + 1];
        let [left, right] = [heights[piece], heights[piece + 1]];
        left + t * (right - left) - t * (1.0 - t) / 6.0 * bend
    }));
}

impl SplineRoom {
    /// Second derivatives at the knots, whose distance is 1: `b[i-1] + 4 b[i] + b[i+1] = 6 (y[i-1] - 2 y[i] + y[i+1])`.
    ///
    /// Not-a-knot, `b[0] = 2 b[1] - b[2]`, leaves `6 b[1]` on the left of the first equation, and so at the other end.
    fn bend(&mut self, heights: &[f64]) {
        let last = heights.len() - 1;
        self.bends.clear();
        self.bends.resize(heights.len(), 0.0);
        if last < 2 {
            return;
        }
        let difference = |i: usize| heights[i - 1] - 2.0 * heights[i] + heights[i + 1];
        self.bends[1] = difference(1);
        self.bends[last - 1] = difference(last - 1);
        self.eliminate(last, difference);
        let outer = |near: f64, next: f64| if last == 2 { near } else { 2.0 * near - next };
        self.bends[0] = outer(self.bends[1], self.bends[2]);
        self.bends[last] = outer(self.bends[last - 1], self.bends[last - 2]);
    }

    /// The second derivatives between those that are known, of the knots `1` and `last - 1` (Thomas' algorithm).
    fn eliminate(&mut self, last: usize, difference: impl Fn(usize) -> f64) {
        self.factors.clear();
        self.factors.resize(last, 0.0);
        for i in 2..last.saturating_sub(1) {
            let pivot = 4.0 - self.factors[i - 1];
            self.factors[i] = 1.0 / pivot;
            self.bends[i] = (6.0 * difference(i) - self.bends[i - 1]) / pivot;
        }
        for i in (2..last.saturating_sub(1)).rev() {
            self.bends[i] -= self.factors[i] * self.bends[i + 1];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curve(heights: &[f64], n: usize) -> Vec<f64> {
        let mut curve = vec![];
        spline(heights, n, &mut SplineRoom::default(), &mut curve);
        curve
    }

    #[test]
    fn few_heights_make_lines_and_parabolas() {
        assert_eq!(curve(&[1.0, 3.0], 5), [1.0, 1.5, 2.0, 2.5, 3.0]);
        // x^2 at 0, 1, 2
        assert_eq!(curve(&[0.0, 1.0, 4.0], 5), [0.0, 0.25, 1.0, 2.25, 4.0]);
        assert_eq!(curve(&[7.0, 9.0], 1), [7.0]);
    }

    proptest! {
        #[test]
        fn a_cubic_is_its_own_spline(c in prop::array::uniform4(-2.0..2.0), n_knots in 4usize..9, n in 2usize..50) {
            let cubic = |x: f64| c[0] + x * (c[1] + x * (c[2] + x * c[3]));
            let heights: Vec<f64> = (0..n_knots).map(|i| cubic(i as f64)).collect();
            for (i, found) in curve(&heights, n).into_iter().enumerate() {
                let expected = cubic(i as f64 * (n_knots - 1) as f64 / (n - 1) as f64);
                // numbers up to 1,200, some dozens of roundings
                prop_assert!((found - expected).abs() < 1e-10, "{} for {}", found, expected);
            }
        }

        #[test]
        fn curves_go_through_their_heights(heights in prop::collection::vec(-2.0..2.0, 2..12), between in 1usize..9) {
            let curve = curve(&heights, (heights.len() - 1) * between + 1);
            for (found, height) in curve.iter().step_by(between).zip(&heights) {
                // the last is the one before it and the difference
                prop_assert!((found - height).abs() < 1e-15);
            }
        }
    }
}
