//! A training in several processes: they begin with the same weights, stop together and end with the same weights.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use super::history::Epoch;
use super::observer::{Observer, Outcome, StopReason};
use super::processes::{Processes, Summed};
use crate::error::{Error, Result};

/// Watches for all processes: they stop together, after the same batch or epoch.
pub struct Together<'a> {
    observer: &'a mut dyn Observer,
    processes: &'a Processes,
    names: Vec<&'a str>,
    unfrozen: Vec<String>,
    lost: Option<String>,
}

impl<'a> Together<'a> {
    /// `observer` watches this one, whose parameters have these names.
    pub fn new(observer: &'a mut dyn Observer, processes: &'a Processes, names: Vec<&'a str>) -> Self {
        Self { observer, processes, names, unfrozen: Vec::new(), lost: None }
    }

    /// Agrees with the other processes whether to end and which parameters to train from now on.
    fn agree(&mut self, ends: bool) -> Result<bool> {
        let unfrozen = if ends { Vec::new() } else { self.observer.unfrozen() };
        let marks = self.names.iter().map(|name| f64::from(u8::from(unfrozen.iter().any(|other| other == name))));
        let mut marks: Vec<f64> = marks.collect();
        let ends = self.processes.sum(vec![Summed::Double(&mut marks)], f64::from(u8::from(ends)))?;
        let named = self.names.iter().zip(marks).filter(|(_, mark)| *mark > 0.0);
        self.unfrozen = named.map(|(name, _)| (*name).to_owned()).collect();
        Ok(ends > 0.0 || self.processes.stop.agreed.load(Ordering::Relaxed))
    }

    /// The outcome of the training that was watched, after which all have the same weights.
    ///
    /// # Errors
    /// What aligning them fails with, the loss of a process aside, which is a reason to have stopped.
    pub fn end(self, mut outcome: Outcome, weights: &mut [&mut [f32]]) -> Result<Outcome> {
        if let Some(text) = self.lost {
            outcome.stop_reason = StopReason::ProcessLost(text);
        }
        if matches!(outcome.stop_reason, StopReason::ProcessLost(_)) {
            return Ok(outcome);
        }
        // other processors and other numbers of threads round in other ways
        match self.processes.align(weights) {
            Err(Error::Process(text)) => outcome.stop_reason = StopReason::ProcessLost(text),
            aligned => aligned?,
        }
        Ok(outcome)
    }
}

impl Observer for Together<'_> {
    fn on_batch(&mut self) -> ControlFlow<()> {
        let stop = &self.processes.stop;
        if self.observer.on_batch().is_break() {
            stop.asked.store(true, Ordering::Relaxed);
        }
        // what the others don't know yet, they learn with the next sum
        if stop.agreed.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn on_epoch(&mut self, epoch: &Epoch) -> ControlFlow<()> {
        let ends = self.observer.on_epoch(epoch).is_break();
        match self.agree(ends) {
            Ok(false) => ControlFlow::Continue(()),
            Ok(true) => ControlFlow::Break(()),
            Err(error) => {
                self.lost = Some(error.to_string());
                ControlFlow::Break(())
            }
        }
    }

    fn unfrozen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unfrozen)
    }
}
