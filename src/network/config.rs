//! The description of every network that can be built.

use serde::{Deserialize, Serialize};

use crate::error::{check_positive, Error, Result};

/// Which layers stand between the windows and the forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Stacked LSTM layers, then a linear head on the last state.
    Lstm,
    /// The linear way alone: what an LSTM has to beat.
    Linear,
}

/// Sizes and switches of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkConfig {
    /// Kind of network.
    pub architecture: Architecture,
    /// Numbers that the LSTM reads at each of its steps: those of a row of a window, or of a segment of rows.
    pub input_size: usize,
    /// Units of each LSTM layer (and direction).
    pub hidden_size: usize,
    /// LSTM layers.
    pub num_layers: usize,
    /// Whether a second LSTM reads each window backwards.
    pub bidirectional: bool,
    /// Probability that an output of a layer before the last is dropped in training.
    pub dropout: f64,
    /// Numbers in one output.
    pub output_size: usize,
    /// A linear forecast that is added to the LSTM's.
    pub skip: Option<SkipConfig>,
}

/// A linear map from the window of each target to its forecast, the same for all targets: the way past the LSTM, which then
/// learns what the line leaves (`NLinear`: Zeng et al. 2023, "Are Transformers Effective for Time Series Forecasting?").
///
/// What is known in advance acts linearly at each row, counted from the last row of the window: the map then takes what is
/// left of the window without it, and it is added to the forecast again (a regression whose errors are forecast).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkipConfig {
    /// Rows of a window.
    pub window_size: usize,
    /// Rows to forecast, which follow in the input where something is known of them.
    pub horizon: usize,
    /// Columns of an input.
    pub n_features: usize,
    /// The first this many of them are forecast.
    pub n_targets: usize,
    /// The column of the first feature that is known in advance.
    pub known_at: usize,
    /// How many are.
    pub n_known: usize,
    /// Outputs for each value; the line is added to the first of them.
    pub n_parameters: usize,
}

impl NetworkConfig {
    /// Directions in which the windows are read: 1 or 2.
    pub fn n_directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// Whether all sizes are positive and the dropout is a probability below 1.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first bad one.
    pub fn check(&self) -> Result<()> {
        check_positive([
            ("n_features", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
            ("the number of outputs", self.output_size),
        ])?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Value(format!("expected dropout in [0, 1), got {}", self.dropout)));
        }
        Ok(())
    }
}
