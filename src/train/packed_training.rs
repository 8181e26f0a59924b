//! What all learners keep whose parameters lie in one slice: optimiser, steps taken, dropout, the weights that are remembered.

use std::ops::Range;

use super::config::TrainConfig;
use super::learner::{Part, Step};
use super::packed_optimizer::PackedOptimizer;
use super::processes::Summed;
use crate::error::Result;
use crate::kernel::aligned::Aligned;
use crate::kernel::isa::InstructionSet;
use crate::rng::{DropoutMasks, StepMasks};

/// The state of a training whose parameters lie in one slice, the parameters aside.
#[derive(Debug)]
pub struct PackedTraining<'a> {
    /// The options.
    pub config: &'a TrainConfig,
    dropout: DropoutMasks,
    n_steps: u64,
    optimizer: PackedOptimizer,
    remembered: Aligned,
}

impl<'a> PackedTraining<'a> {
    /// Before the first step. `names` are those of the parameters, `owners` says of each number which it belongs to; the
    /// numbers are remembered. `dropout` is the probability that an output between layers is dropped.
    pub fn new(
        (names, owners): (&[String], Vec<usize>),
        parameters: &Aligned,
        dropout: f64,
        config: &'a TrainConfig,
    ) -> Self {
        Self {
            config,
            dropout: DropoutMasks::new(config.seed, dropout),
            n_steps: 0,
            optimizer: PackedOptimizer::new(names, owners, config),
            remembered: parameters.clone(),
        }
    }

    /// Optimiser steps taken.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// The dropout masks of the next step; `None` without dropout.
    pub fn masks(&self) -> Option<StepMasks> {
        (self.dropout.p() > 0.0).then(|| self.dropout.during(self.n_steps))
    }

    /// Adds up the gradient over all processes, with those of `others` and this process's share in the loss: loss and norm of
    /// the gradient, which is `grad_norm` where there is one process.
    ///
    /// # Errors
    /// [`crate::error::Error::Process`] when a process is gone.
    pub fn sum_over_processes(
        &self,
        gradient: &mut [f32],
        others: Vec<&mut [f32]>,
        (loss, grad_norm): (f64, f64),
        set: InstructionSet,
    ) -> Result<(f64, f64)> {
        let Some(processes) = &self.config.processes else { return Ok((loss, grad_norm)) };
        let slices = std::iter::once(&mut *gradient).chain(others).map(Summed::Single).collect();
        let loss = processes.sum(slices, loss)?;
        Ok((loss, set.sum_of_squares(gradient).sqrt()))
    }

    /// One step of the optimiser, as [`PackedOptimizer::step`].
    pub fn descend(
        &mut self,
        learning_rate: f64,
        (loss, grad_norm): (f64, f64),
        numbers: (&mut [f32], &[f32]),
        threads: (InstructionSet, usize),
    ) -> Step {
        self.optimizer.step(self.config, (learning_rate, grad_norm), numbers, threads);
        self.n_steps += 1;
        Step { loss, grad_norm }
    }

    /// Remembers these parameters, in place of those remembered before.
    pub fn remember(&mut self, parameters: &[f32]) {
        self.remembered.copy_from_slice(parameters);
    }

    /// Puts the remembered parameters in place of these.
    pub fn restore(&self, parameters: &mut [f32]) {
        parameters.copy_from_slice(&self.remembered);
    }

    /// What a checkpoint keeps, as [`PackedOptimizer::parts`].
    pub fn parts<'p>(&'p mut self, parameters: &'p mut [f32]) -> impl Iterator<Item = (String, Part<'p>)> {
        self.optimizer.parts(parameters, &mut self.remembered)
    }

    /// Goes on after so many steps, once its parts were replaced.
    pub fn resume(&mut self, n_steps: u64) {
        self.n_steps = n_steps;
    }

    /// Moves these parameters, too, which were frozen.
    pub fn unfreeze(&mut self, names: &[String]) {
        self.optimizer.unfreeze(names);
    }

    /// Where the frozen numbers lie.
    pub fn frozen(&self) -> Vec<Range<usize>> {
        self.optimizer.frozen()
    }
}
