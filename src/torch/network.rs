//! What training and forecasting ask of a network of tensors.

use tch::Tensor;

use crate::error::{Error, Result};
use crate::rng::StepMasks;

/// A differentiable function of windows.
pub trait Network: Send {
    /// Inputs of shape `(batch, rows, n_features)` to outputs of shape `(batch, output_size)`.
    ///
    /// `dropout` has the masks of the step while training, `None` otherwise.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn forward(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;

    /// Outputs `(batch * steps, output_size)` after each step of the windows, of which the last is [`Network::forward`]'s.
    ///
    /// # Errors
    /// [`Error::Value`] for a network that reads no window step by step.
    fn forward_every_step(&self, _windows: &Tensor, _dropout: Option<StepMasks>) -> Result<Tensor> {
        Err(Error::Value("expected an LSTM alone for a forecast after every step, got another network".to_owned()))
    }

    /// How much each step of the windows attends to each, `(batch, num_heads, steps, steps)`; `None` of a network without
    /// attention.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn attention_weights(&self, _windows: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// What stands around the LSTM, where there is one.
    fn around_lstm(&self) -> Option<&dyn AroundLstm> {
        None
    }
}

/// Layers that an LSTM stands between, so that our own kernel can take its place.
pub trait AroundLstm {
    /// Whether there are layers before the LSTM, which need the gradient of what it reads.
    fn has_layers_before(&self) -> bool;

    /// Whether those after it read the outputs of all steps, `(batch, steps, size)`, or the final state, `(batch, size)`.
    fn reads_every_state(&self) -> bool;

    /// Inputs `(batch, rows, n_features)` to what the LSTM reads `(batch, steps, lstm_input_size)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn before(&self, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;

    /// The LSTM's outputs, and the inputs that led to them, to `(batch, output_size)`.
    ///
    /// # Errors
    /// [`crate::error::Error::Torch`] when libtorch refuses an operation.
    fn after(&self, states: &Tensor, windows: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;
}

/// Layers before or after an LSTM.
pub(super) trait Layer: std::fmt::Debug + Send {
    /// `(batch, steps, size)` to what the LSTM reads at each step, or to one state `(batch, size)`.
    fn forward(&self, x: &Tensor, dropout: Option<StepMasks>) -> Result<Tensor>;

    /// See [`Network::attention_weights`].
    fn attention_weights(&self, _x: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}
