//! Normalisation inside the window: what makes a network trained on one level of a series forecast another.

use serde::{Deserialize, Serialize};

use crate::level::Level;

/// How a window is brought to a common level before the network sees it, and its forecast back afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// The last value is subtracted, so that an untrained network forecasts "same as now" (NLinear: Zeng et al. 2023, "Are
    /// Transformers Effective for Time Series Forecasting?").
    Last,
    /// The window's mean is subtracted and its standard deviation divided by (as in RevIN, without its affine part: Kim et
    /// al. 2022, "Reversible Instance Normalization").
    Window,
}

/// A window whose deviation is below this part of its size is constant: what is left is rounding.
const CONSTANT: f64 = 1e-12;

/// What is known of a target in the rows of a window read so far, and the level that follows from it.
#[derive(Debug, Clone, Copy)]
pub struct LevelSoFar {
    normalize: Normalize,
    scaler: Level,
    n_known: f64,
    center: f64,
    /// Sum of squared distances from the centre.
    squares: f64,
}

impl LevelSoFar {
    /// Nothing is read yet. The scaler's centre stands for rows of which nothing is known, its scale for those without a
    /// deviation.
    pub fn new(normalize: Normalize, scaler: Level) -> Self {
        Self { normalize, scaler, n_known: 0.0, center: scaler.center, squares: 0.0 }
    }

    /// Reads the next rows; NaN is a value that is missing.
    pub fn read(&mut self, values: impl DoubleEndedIterator<Item = f64>) {
        let mut known = values.filter(|value| !value.is_nan());
        match self.normalize {
            Normalize::Last => self.center = known.next_back().unwrap_or(self.center),
            Normalize::Window => known.for_each(|value| self.count(value)),
        }
    }

    /// Welford 1962: each row costs the same, however many came before.
    fn count(&mut self, value: f64) {
        self.n_known += 1.0;
        let before = if self.n_known == 1.0 { value } else { self.center };
        self.center = before + (value - before) / self.n_known;
        self.squares += (value - before) * (value - self.center);
    }

    /// The level of the rows read so far.
    pub fn level(&self) -> Level {
        let deviation = (self.squares / self.n_known.max(1.0)).sqrt();
        let scale = if deviation > CONSTANT * self.center.abs() { deviation } else { self.scaler.scale };
        Level { center: self.center, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_a_case_worked_by_hand() {
        let scaler = Level { center: 7.0, scale: 2.0 };
        let level = |normalize: Normalize, values: &[f64]| {
            let mut so_far = LevelSoFar::new(normalize, scaler);
            so_far.read(values.iter().copied());
            so_far.level()
        };
        assert_eq!(level(Normalize::Last, &[1.0, 3.0, 5.0]), Level { center: 5.0, scale: 2.0 });
        assert_eq!(level(Normalize::Window, &[1.0, 5.0]), Level { center: 3.0, scale: 2.0 });
        assert_eq!(level(Normalize::Window, &[2.0, 8.0]), Level { center: 5.0, scale: 3.0 });
        assert_eq!(level(Normalize::Window, &[0.1; 3]), Level { scale: 2.0, ..level(Normalize::Window, &[0.1; 3]) });
        for normalize in [Normalize::Last, Normalize::Window] {
            assert_eq!(level(normalize, &[]), scaler);
        }
    }
}
