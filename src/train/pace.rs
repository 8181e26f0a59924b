//! How fast each parameter is trained, and which stay as they are.

use super::config::TrainConfig;
use crate::network::parameter::is_of_line;

/// The learning rate of the linear skip connection past the LSTM, which starts where a regression ends, as a part of
/// that of all else.
const LINE_RATE: f64 = 0.1;

/// How fast one parameter is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    name: String,
    /// What the learning rate is multiplied by.
    pub factor: f64,
    /// Whether it gets no update.
    pub frozen: bool,
    /// Steps that it has taken, as each parameter counts them in `torch.optim`: moments of one that was frozen begin late.
    pub n_steps: i32,
}

impl Pace {
    /// That of the parameter `name` before the first step.
    pub fn new(name: &str, config: &TrainConfig) -> Self {
        let own = config.transfer.learning_rates.get(name).map(|rate| rate / config.learning_rate);
        Self {
            name: name.to_owned(),
            factor: own.unwrap_or(if is_of_line(name) { LINE_RATE } else { 1.0 }),
            frozen: config.transfer.frozen.contains(name),
            n_steps: 0,
        }
    }

    /// Lets it move from now on if it is one of `names`.
    pub fn unfreeze(&mut self, names: &[String]) {
        self.frozen &= !names.contains(&self.name);
    }

    /// Counts a step unless it is frozen.
    pub fn advance(&mut self) {
        self.n_steps += i32::from(!self.frozen);
    }

    pub(super) fn keeps_step_with(&self, other: &Self) -> bool {
        (self.factor, self.frozen, self.n_steps) == (other.factor, other.frozen, other.n_steps)
    }
}
