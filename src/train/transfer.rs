//! How training treats weights that it didn't draw: which stay as they are, and how fast the others move.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use crate::error::{Error, Result};
use crate::network::parameter::is_of_line;

/// The learning rate of the linear way past the LSTM, which starts where a regression ends, as a part of that of all else.
const LINE_RATE: f64 = 0.1;

/// What is said of single parameters, under their names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfer {
    /// Learning rates of their own, as the `lr` of parameter groups in `torch.optim`; the schedule goes for them too.
    pub learning_rates: BTreeMap<String, f64>,
    /// Parameters that get no update.
    pub frozen: BTreeSet<String>,
    /// Whether a linear way that isn't zero is solved anew, from where it is, and not left there.
    pub adapt_line: bool,
}

impl Transfer {
    /// Nothing is said.
    pub const fn none() -> Self {
        Self { learning_rates: BTreeMap::new(), frozen: BTreeSet::new(), adapt_line: false }
    }

    /// Whether every rate makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names the first that doesn't.
    pub(super) fn check(&self) -> Result<()> {
        match self.learning_rates.iter().find(|(_, rate)| !(rate.is_finite() && **rate > 0.0)) {
            Some((name, rate)) => Err(Error::Value(format!("expected a learning rate above 0 for {name}, got {rate}"))),
            None => Ok(()),
        }
    }
}

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

    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self { name: String::new(), factor: 1.0, frozen: false, n_steps: 0 }
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
