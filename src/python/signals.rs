//! Ctrl-C, forks and the end of the program during a long call.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::process;

/// A look at the signals needs the GIL, which other threads may hold: not at every question.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Looks for signals now and then.
pub(super) struct Signals {
    last_look: Instant,
    /// What a signal raised.
    pub(super) error: Option<PyErr>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self { last_look: Instant::now(), error: None }
    }

    /// Whether to go on.
    pub(super) fn go_on(&mut self) -> bool {
        if !process::go_on() {
            return false;
        }
        if self.error.is_none() && self.last_look.elapsed() >= BETWEEN_LOOKS {
            let Some(error) = process::with_gil(|py| py.check_signals().err()) else { return false };
            (self.error, self.last_look) = (error, Instant::now());
        }
        self.error.is_none()
    }
}
