//! How training treats weights that it didn't draw: which stay as they are, and how fast the others move.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;

use super::config::TrainConfig;
use crate::error::{Error, Result};
use crate::kernel::adam::AdamStep;
use crate::network::parameter::is_of_line;

/// The learning rate of the linear way past the LSTM, which starts where a regression ends, as a part of that of all else.
const LINE_RATE: f64 = 0.1;

/// What is said of single parameters, under their names.
#[derive(Debug, Clone, Default, Deserialize)]
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

    fn keeps_step_with(&self, other: &Self) -> bool {
        (self.factor, self.frozen, self.n_steps) == (other.factor, other.frozen, other.n_steps)
    }
}

/// The paces of parameters whose numbers lie in one slice.
#[derive(Debug)]
pub(super) struct PackedPaces {
    paces: Vec<Pace>,
    /// The parameter of each number.
    owners: Vec<usize>,
    /// Numbers side by side that keep step with one another, and a parameter that does with them.
    runs: Vec<(Range<usize>, usize)>,
}

impl PackedPaces {
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n String>, owners: Vec<usize>, config: &TrainConfig) -> Self {
        let paces = names.map(|name| Pace::new(name, config)).collect();
        let mut packed = Self { paces, owners, runs: Vec::new() };
        packed.find_runs();
        packed
    }

    fn find_runs(&mut self) {
        self.runs.clear();
        for (at, &owner) in self.owners.iter().enumerate() {
            match self.runs.last_mut() {
                Some((run, first)) if self.paces[*first].keeps_step_with(&self.paces[owner]) => run.end = at + 1,
                _ => self.runs.push((at..at + 1, owner)),
            }
        }
    }

    pub(super) fn unfreeze(&mut self, names: &[String]) {
        self.paces.iter_mut().for_each(|pace| pace.unfreeze(names));
        self.find_runs();
    }

    pub(super) fn advance(&mut self) {
        self.paces.iter_mut().for_each(Pace::advance);
    }

    /// The optimiser's steps, each with the numbers that it moves; none for those that are frozen.
    pub(super) fn steps(
        &self,
        config: &TrainConfig,
        learning_rate: f64,
        grad_norm: f64,
    ) -> Vec<(Range<usize>, AdamStep)> {
        let moved = self.runs().filter(|(_, pace)| !pace.frozen);
        moved.map(|(run, pace)| (run, config.adam_step(pace.n_steps, pace.factor * learning_rate, grad_norm))).collect()
    }

    /// Numbers side by side with one pace; together all numbers.
    fn runs(&self) -> impl Iterator<Item = (Range<usize>, &Pace)> {
        self.runs.iter().map(|(run, owner)| (run.clone(), &self.paces[*owner]))
    }

    /// Where the frozen ones lie.
    pub(super) fn frozen(&self) -> Vec<Range<usize>> {
        self.runs().filter(|(_, pace)| pace.frozen).map(|(run, _)| run).collect()
    }
}

/// What `range` has of the numbers from `start` on, of which there are `len`, counted from there.
pub(super) fn within(range: &Range<usize>, start: usize, len: usize) -> Range<usize> {
    range.start.saturating_sub(start).min(len)..range.end.saturating_sub(start).min(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_range_lies_within_both() {
        assert_eq!(within(&(3..9), 0, 5), 3..5);
        assert_eq!(within(&(3..9), 5, 5), 0..4);
        assert!(within(&(3..9), 10, 5).is_empty() && within(&(3..9), 0, 3).is_empty());
    }
}
