//! The description of every network that can be built.

use serde::{Deserialize, Serialize};

use super::embedding::Embeddings;
use crate::error::{check_sizes, Error, Result};
use crate::kernel::shape::LstmShape;

/// Which layers stand between the windows and the forecast; a word, or `{word: parameters}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// Stacked LSTM layers, then a linear head on the last state.
    Lstm,
    /// The linear skip connection alone, the baseline of an LSTM.
    Linear,
    /// Stacked LSTM layers, then self-attention over their outputs, then a linear head on the last step.
    Attention {
        /// Heads, a divisor of `hidden_size`.
        num_heads: usize,
    },
    /// Convolutions over the steps, then stacked LSTM layers, then a linear head on the last state.
    CnnLstm {
        /// Steps that each of the convolutions, one after the other, reads at once.
        kernel_sizes: Vec<usize>,
        /// Numbers that each of them makes at each step.
        out_channels: usize,
    },
    /// The encoder of a Transformer, then a linear head on the last step.
    Transformer {
        /// Heads, a divisor of `hidden_size`.
        num_heads: usize,
        /// Numbers between the two linear layers of each layer.
        dim_feedforward: usize,
        /// Whether a step attends only to those up to its own.
        causal: bool,
    },
}

impl Architecture {
    /// Its word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Linear => "linear",
            Self::Attention { .. } => "attention",
            Self::CnnLstm { .. } => "cnn_lstm",
            Self::Transformer { .. } => "transformer",
        }
    }

    /// Whether it has an LSTM, which our own kernel can run.
    pub fn has_lstm(&self) -> bool {
        matches!(self, Self::Lstm | Self::Attention { .. } | Self::CnnLstm { .. })
    }

    fn check(&self, hidden_size: usize, bidirectional: bool) -> Result<()> {
        match self {
            Self::Lstm | Self::Linear => Ok(()),
            Self::Attention { num_heads } => check_heads(*num_heads, hidden_size),
            Self::CnnLstm { kernel_sizes, out_channels } => {
                check_sizes([("the number of convolutions", kernel_sizes.len()), ("out_channels", *out_channels)])?;
                check_sizes(kernel_sizes.iter().map(|&size| ("kernel_size", size)))
            }
            Self::Transformer { .. } if bidirectional => Err(Error::Value(
                "expected bidirectional=False with architecture 'transformer', which attends to all steps unless causal=True, got \
                 True"
                    .to_owned(),
            )),
            Self::Transformer { num_heads, dim_feedforward, .. } => {
                check_sizes([("dim_feedforward", *dim_feedforward)])?;
                check_heads(*num_heads, hidden_size)
            }
        }
    }
}

fn check_heads(num_heads: usize, hidden_size: usize) -> Result<()> {
    check_sizes([("num_heads", num_heads)])?;
    if hidden_size.is_multiple_of(num_heads) {
        return Ok(());
    }
    Err(Error::Value(format!("expected a hidden_size that is a multiple of num_heads {num_heads}, got {hidden_size}")))
}

/// Sizes and switches of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkConfig {
    /// Kind of network.
    pub architecture: Architecture,
    /// Numbers in a step: those of a row of a window, or of a segment of rows, with vectors in place of what is embedded.
    pub input_size: usize,
    /// Columns of a row that the network reads as learned vectors; `None`: it reads rows as they are.
    pub embeddings: Option<Embeddings>,
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
    /// Steps of the LSTM that gradients go back through (Williams & Peng 1990: truncated backpropagation through time);
    /// `None`: all of the window.
    pub tbptt: Option<usize>,
}

/// One LSTM layer of 32 units that reads one number at each step and forecasts one.
impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::Lstm,
            input_size: 1,
            embeddings: None,
            hidden_size: 32,
            num_layers: 1,
            bidirectional: false,
            dropout: 0.0,
            output_size: 1,
            skip: None,
            tbptt: None,
        }
    }
}

/// A linear map from the window of each target to its forecast, the same for all targets: a skip connection past the
/// LSTM, which then learns what the line leaves (`NLinear`: Zeng et al. 2023, "Are Transformers Effective for Time
/// Series Forecasting?").
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

    /// Steps in an input of so many numbers.
    pub fn n_steps(&self, input_len: usize) -> usize {
        Embeddings::embedded_len(self.embeddings.as_ref(), input_len) / self.input_size
    }

    /// Numbers that the LSTM reads at each of its steps.
    pub fn lstm_input_size(&self) -> usize {
        match self.architecture {
            Architecture::CnnLstm { out_channels, .. } => out_channels,
            _ => self.input_size,
        }
    }

    /// The sizes of the LSTM for the kernel.
    pub fn lstm_shape(&self) -> LstmShape {
        LstmShape {
            input_size: self.lstm_input_size(),
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
        }
    }

    /// The sizes that its weights come from, in words.
    pub fn sizes(&self) -> String {
        let of_architecture = match &self.architecture {
            Architecture::CnnLstm { kernel_sizes, out_channels } => {
                format!("kernel_size={kernel_sizes:?}, out_channels={out_channels}, ")
            }
            Architecture::Transformer { dim_feedforward, .. } => format!("dim_feedforward={dim_feedforward}, "),
            _ => String::new(),
        };
        let Self { hidden_size, num_layers, input_size, output_size, .. } = self;
        format!(
            "{of_architecture}hidden_size={hidden_size}, num_layers={num_layers}, {input_size} inputs and {output_size} \
             outputs"
        )
    }

    /// Whether all sizes are positive, the parameters of the architecture make sense and the dropout is a probability below 1.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first bad one.
    pub fn check(&self) -> Result<()> {
        check_sizes([
            ("n_features", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
            ("the number of outputs", self.output_size),
        ])?;
        self.check_tbptt()?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Value(format!("expected dropout in [0, 1), got {}", self.dropout)));
        }
        self.architecture.check(self.hidden_size, self.bidirectional)
    }

    fn check_tbptt(&self) -> Result<()> {
        let Some(tbptt) = self.tbptt else { return Ok(()) };
        check_sizes([("tbptt", tbptt)])?;
        if !self.architecture.has_lstm() {
            let name = self.architecture.name();
            return Err(Error::Value(format!("expected an architecture with an LSTM with tbptt, got '{name}'")));
        }
        if self.bidirectional {
            return Err(Error::Value(
                "expected bidirectional=False with tbptt, as the backward direction begins at a window's end, got True"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}
