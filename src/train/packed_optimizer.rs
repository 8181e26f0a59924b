//! Adam over parameters whose numbers lie in one slice, as the kernel has them.

use std::ops::Range;

use super::config::{OptimizerKind, TrainConfig};
use super::learner::{Part, PARTS};
use super::pace::Pace;
use crate::kernel::aligned::Aligned;
use crate::kernel::isa::InstructionSet;
use crate::kernel::{pool, AdamStep};

pub(crate) const BETA1: f64 = 0.9;
pub(crate) const BETA2: f64 = 0.999;
pub(crate) const EPSILON: f64 = 1e-8;

impl TrainConfig {
    /// The arithmetic of Adam for the kernel: step `n_steps`, counted from 1, after a gradient of norm `grad_norm`.
    #[allow(clippy::cast_possible_truncation)] // single precision is what the parameters have
    fn adam_step(&self, n_steps: i32, learning_rate: f64, grad_norm: f64) -> AdamStep {
        let (l2_penalty, shrink) = match self.optimizer {
            OptimizerKind::Adam => (self.weight_decay, 1.0),
            OptimizerKind::Adamw => (0.0, 1.0 - learning_rate * self.weight_decay),
        };
        AdamStep {
            step_size: (learning_rate / (1.0 - BETA1.powi(n_steps))) as f32,
            betas: (BETA1 as f32, BETA2 as f32),
            correction2_sqrt: (1.0 - BETA2.powi(n_steps)).sqrt() as f32,
            epsilon: EPSILON as f32,
            l2_penalty: l2_penalty as f32,
            shrink: shrink as f32,
            grad_scale: self.clip_grad_norm.map_or(1.0, |max_norm| clip_factor(max_norm, grad_norm)) as f32,
            grad_limit: self.clip_grad_value.unwrap_or(f64::INFINITY) as f32,
        }
    }
}

/// What a gradient of norm `norm` is multiplied by.
pub(crate) fn clip_factor(max_norm: f64, norm: f64) -> f64 {
    // PyTorch adds this, so that a norm just above the limit is divided by a little more
    (max_norm / (norm + 1e-6)).min(1.0)
}

/// Moments of all numbers, and the paces of the parameters that they are of.
#[derive(Debug)]
pub struct PackedOptimizer {
    paces: Vec<Pace>,
    /// The parameter of each number.
    owners: Vec<usize>,
    /// Numbers side by side that keep step with one another, and a parameter that does with them.
    runs: Vec<(Range<usize>, usize)>,
    /// First and second moments of the gradient.
    moments: [Aligned; 2],
}

impl PackedOptimizer {
    /// Starts with moments of zero. `names` are those of the parameters, `owners` says of each number which it belongs to.
    pub fn new(names: &[String], owners: Vec<usize>, config: &TrainConfig) -> Self {
        let paces = names.iter().map(|name| Pace::new(name, config)).collect();
        let moments = [Aligned::zeros(owners.len()), Aligned::zeros(owners.len())];
        let mut packed = Self { paces, owners, runs: Vec::new(), moments };
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

    /// Moves these parameters, too, which were frozen.
    pub fn unfreeze(&mut self, names: &[String]) {
        self.paces.iter_mut().for_each(|pace| pace.unfreeze(names));
        self.find_runs();
    }

    /// What a checkpoint keeps: the weights, the best so far, and what is here; to be followed by
    /// [`PackedOptimizer::unfreeze`].
    pub fn parts<'p>(
        &'p mut self,
        weights: &'p mut [f32],
        best: &'p mut [f32],
    ) -> impl Iterator<Item = (String, Part<'p>)> {
        let [first, second] = &mut self.moments;
        let numbers = PARTS.into_iter().zip([weights, first, second, best]);
        let numbers = numbers.map(|(name, numbers)| (name.to_owned(), Part::Numbers(numbers)));
        let paces = self.paces.iter_mut().enumerate().map(|(i, pace)| (format!("pace.{i}"), Part::Pace(pace)));
        numbers.chain(paces)
    }

    /// Numbers side by side with one pace; together all numbers.
    fn runs(&self) -> impl Iterator<Item = (Range<usize>, &Pace)> {
        self.runs.iter().map(|(run, owner)| (run.clone(), &self.paces[*owner]))
    }

    /// Where the frozen ones lie.
    pub(super) fn frozen(&self) -> Vec<Range<usize>> {
        self.runs().filter(|(_, pace)| pace.frozen).map(|(run, _)| run).collect()
    }

    /// Moves the parameters that aren't frozen against a gradient whose norm over all that moves is `grad_norm`, on
    /// `n_threads` threads.
    pub fn step(
        &mut self,
        config: &TrainConfig,
        (learning_rate, grad_norm): (f64, f64),
        (parameters, gradient): (&mut [f32], &[f32]),
        (set, n_threads): (InstructionSet, usize),
    ) {
        self.paces.iter_mut().for_each(Pace::advance);
        let moved = self.runs().filter(|(_, pace)| !pace.frozen);
        let steps: Vec<_> = moved
            .map(|(run, pace)| (run, config.adam_step(pace.n_steps, pace.factor * learning_rate, grad_norm)))
            .collect();
        let chunk = gradient.len().div_ceil(n_threads);
        let [first, second] = &mut self.moments;
        let moments = first.chunks_mut(chunk).zip(second.chunks_mut(chunk));
        let mut parts: Vec<_> = parameters.chunks_mut(chunk).zip(gradient.chunks(chunk)).zip(moments).collect();
        pool::for_each(&mut parts, |at, ((parameters, gradient), (first, second))| {
            for (run, step) in &steps {
                let range = within(run, at * chunk, parameters.len());
                let moments = [&mut first[range.clone()], &mut second[range.clone()]];
                set.adam(*step, &mut parameters[range.clone()], &gradient[range], moments);
            }
        });
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
