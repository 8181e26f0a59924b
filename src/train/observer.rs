//! What watches a training, and how a training ends.

use std::ops::ControlFlow;

use super::history::Epoch;

/// What watches the training and may end it.
pub trait Observer {
    /// Called after every batch; to break interrupts the training, and the best weights so far are kept.
    fn on_batch(&mut self) -> ControlFlow<()>;
    /// Called after every epoch with its record; to break ends the training.
    fn on_epoch(&mut self, epoch: &Epoch) -> ControlFlow<()>;
    /// Asked after [`Observer::on_epoch`] unless that broke: names of frozen parameters that are trained from now on.
    fn unfrozen(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a training ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// All epochs were run.
    MaxEpochs,
    /// The monitored loss had not improved for `patience` epochs.
    Patience,
    /// The observer ended it after an epoch.
    Callback,
    /// The observer interrupted an epoch.
    Interrupted,
    /// A loss, or the gradient, became NaN or infinite; the text says where and what may help.
    Diverged(String),
    /// Another process of the training is gone or doesn't answer; the text says what was found.
    ProcessLost(String),
}

/// What a training leaves besides the weights.
#[derive(Debug)]
pub struct Outcome {
    /// One record for each finished epoch.
    pub history: Vec<Epoch>,
    /// The epoch, from 1, whose weights were kept; 0 when none was finished.
    pub best_epoch: usize,
    /// Why it ended.
    pub stop_reason: StopReason,
}
