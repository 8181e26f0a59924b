//! The random numbers of one augmentation of one sample: a function of who asks for them, not of when.

use crate::rng::mix;

/// A stream of numbers of its own for each optimiser step, sample and place in the list of augmentations.
#[derive(Debug, Clone)]
pub struct Draws {
    key: u64,
    n_drawn: u64,
    /// The second of two normal numbers that come together.
    spare: Option<f64>,
}

impl Draws {
    /// The stream of a training's `key` for an optimiser step, a sample and an augmentation, all counted from 0.
    pub fn new(key: u64, step: u64, sample: usize, augmentation: usize) -> Self {
        Self { key: mix(mix(mix(key, step), sample as u64), augmentation as u64), n_drawn: 0, spare: None }
    }

    /// The next number, uniform in `[0, 1)`, in steps of `2^-53`.
    pub fn uniform(&mut self) -> f64 {
        let bits = mix(self.key, self.n_drawn);
        self.n_drawn += 1;
        (bits >> 11) as f64 * 2f64.powi(-53)
    }

    /// The next number, normal with mean 0 and deviation 1: the cosine, then the sine of Box & Muller (1958), made of the next
    /// two uniform numbers.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // a logarithm of 0 has no square root
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 1 << 16;

    /// Mean, mean square and mean fourth power.
    fn moments(numbers: &[f64]) -> [f64; 3] {
        [1, 2, 4].map(|power| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / numbers.len() as f64)
    }

    #[test]
    fn numbers_are_uniform_and_normal() {
        let mut draws = Draws::new(1, 2, 3, 4);
        let uniform: Vec<f64> = (0..N).map(|_| draws.uniform()).collect();
        assert!(uniform.iter().all(|u| (0.0..1.0).contains(u)));
        let normal: Vec<f64> = (0..N).map(|_| draws.normal()).collect();
        // means of powers of 65,536 numbers, whose own variances are 1/12, 4/45, 16/225 and 1, 2, 96: five standard errors
        for (numbers, expected, variances) in [
            (uniform, [0.5, 1.0 / 3.0, 0.2], [1.0 / 12.0, 4.0 / 45.0, 16.0 / 225.0]),
            (normal, [0.0, 1.0, 3.0], [1.0, 2.0, 96.0]),
        ] {
            for ((found, expected), variance) in moments(&numbers).into_iter().zip(expected).zip(variances) {
                assert!((found - expected).abs() < 5.0 * (variance / N as f64).sqrt(), "{found} for {expected}");
            }
        }
    }

    #[test]
    fn streams_are_independent() {
        let keys = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 1, 1, 0), (0, 2, 1, 3)];
        let streams = keys.map(|(key, step, sample, augmentation)| {
            let mut draws = Draws::new(key, step, sample, augmentation);
            (0..N).map(|_| draws.normal()).collect::<Vec<_>>()
        });
        for (i, a) in streams.iter().enumerate() {
            for b in &streams[..i] {
                for lag in 0..3 {
                    let n = N - lag;
                    let sum: f64 = a[..n].iter().zip(&b[lag..]).map(|(a, b)| a * b).sum();
                    // a sum of n products of mean 0 and variance 1: five standard errors
                    assert!(sum.abs() < 5.0 * (n as f64).sqrt(), "{sum}");
                }
            }
        }
    }
}
