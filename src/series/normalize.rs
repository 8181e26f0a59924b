//! Normalisation inside the window: what makes a network trained on one level of a series forecast another.

use serde::{Deserialize, Serialize};

use crate::distribution::Level;

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

/// A window whose deviation is below this part of its size is constant.
const CONSTANT: f64 = 1e-9;

impl Normalize {
    /// The level of a window, given what is known of a target in it, in time order, and that of the scaler, whose centre
    /// stands for a window of which nothing is known, and whose scale for one without a deviation.
    pub fn level(self, mut known: impl DoubleEndedIterator<Item = f64> + Clone, scaler: Level) -> Level {
        match self {
            Self::Last => Level { center: known.next_back().unwrap_or(scaler.center), ..scaler },
            Self::Window => {
                let count = known.clone().count() as f64;
                if count == 0.0 {
                    return scaler;
                }
                let center = known.clone().sum::<f64>() / count;
                let deviation = (known.map(|value| (value - center).powi(2)).sum::<f64>() / count).sqrt();
                let scale = if deviation > CONSTANT * center.abs() { deviation } else { scaler.scale };
                Level { center, scale }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_a_case_worked_by_hand() {
        let scaler = Level { center: 7.0, scale: 2.0 };
        let level = |normalize: Normalize, values: &[f64]| normalize.level(values.iter().copied(), scaler);
        assert_eq!(level(Normalize::Last, &[1.0, 3.0, 5.0]), Level { center: 5.0, scale: 2.0 });
        assert_eq!(level(Normalize::Window, &[1.0, 5.0]), Level { center: 3.0, scale: 2.0 });
        assert_eq!(level(Normalize::Window, &[2.0, 8.0]), Level { center: 5.0, scale: 3.0 });
        assert_eq!(level(Normalize::Window, &[0.1; 3]), Level { scale: 2.0, ..level(Normalize::Window, &[0.1; 3]) });
        for normalize in [Normalize::Last, Normalize::Window] {
            assert_eq!(level(normalize, &[]), scaler);
        }
    }
}
