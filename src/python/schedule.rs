//! The schedule on its own, as a function of losses.

use pyo3::prelude::*;

use crate::train::schedule::ReduceLrOnPlateau;

#[pyfunction]
pub(super) fn reduce_lr_on_plateau(losses: Vec<f64>, learning_rate: f64, patience: usize, factor: f64) -> Vec<f64> {
    let mut schedule = ReduceLrOnPlateau::new(patience, factor);
    let rates = losses.iter().scan(learning_rate, |rate, &loss| {
        *rate = schedule.step(loss, *rate);
        Some(*rate)
    });
    rates.collect()
}
