//! The one source of randomness: a counter-based generator, one independent stream for each purpose.
//!
//! torch's global generator is never touched, so a fit neither disturbs the user's random numbers nor depends on them.

use rand::seq::SliceRandom;
use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the numbers are for; streams of one seed don't overlap, so that adding a draw to one purpose changes no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// The order of the training windows.
    Shuffle = 2,
    /// Dropout masks.
    Dropout = 3,
}

/// A seeded `ChaCha8` stream.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed` for one purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// `n` numbers, uniform in `[-bound, bound)`.
    pub fn uniform(&mut self, n: usize, bound: f64) -> Vec<f32> {
        #[allow(clippy::cast_possible_truncation)]
        (0..n).map(|_| ((self.0.gen::<f64>() * 2.0 - 1.0) * bound) as f32).collect()
    }

    /// Puts the indices into a random order.
    pub fn shuffle(&mut self, indices: &mut [usize]) {
        indices.shuffle(&mut self.0);
    }

    /// A dropout mask of `n` entries: 0 with probability `p`, else `1 / (1 - p)`, so that the mean stays 1.
    pub fn dropout_mask(&mut self, n: usize, p: f64) -> Vec<f32> {
        #[allow(clippy::cast_possible_truncation)]
        let keep = (1.0 / (1.0 - p)) as f32;
        (0..n).map(|_| if self.0.gen::<f64>() < p { 0.0 } else { keep }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_numbers_and_streams_differ() {
        let draw = |seed, purpose| Rng::new(seed, purpose).uniform(8, 1.0);
        assert_eq!(draw(7, Purpose::Weights), draw(7, Purpose::Weights));
        assert_ne!(draw(7, Purpose::Weights), draw(8, Purpose::Weights));
        assert_ne!(draw(7, Purpose::Weights), draw(7, Purpose::Dropout));
    }

    #[test]
    fn dropout_keeps_the_mean() {
        let mask = Rng::new(0, Purpose::Dropout).dropout_mask(100_000, 0.3);
        let mean = mask.iter().sum::<f32>() / 100_000.0;
        // standard error of the mean: sqrt(0.3 / 0.7 / 1e5) = 0.0021; five of them
        assert!((mean - 1.0).abs() < 0.0105, "{mean}");
    }
}
