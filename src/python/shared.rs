//! What several threads of Python share: a mutex that is taken without the GIL, and that a fork doesn't leave locked.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread::sleep;
use std::time::Duration;

use pyo3::prelude::*;

use super::door::{enter, exception};
use crate::error::{Error, Result};

const BETWEEN_TRIES: Duration = Duration::from_millis(1);
/// Tries before it is certain that a lock from before a fork will never be released.
const TRIES: usize = 500;

/// A model, or the like.
pub(super) struct Shared<T> {
    inner: Mutex<T>,
    /// The process whose thread locked it last: a fork copies the lock of another thread, but not the thread.
    process: AtomicU32,
}

impl<T: Send> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        Self { inner: Mutex::new(value), process: AtomicU32::new(std::process::id()) }
    }

    /// Waits for it; to be called without the GIL, which its present holder may need.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, T>> {
        for _ in 0..TRIES {
            if let Some(guard) = self.try_lock()? {
                return Ok(guard);
            }
            if self.process.load(Ordering::SeqCst) == std::process::id() {
                return Ok(self.mark(self.inner.lock().map_err(|_| broken())?));
            }
            sleep(BETWEEN_TRIES);
        }
        Err(Error::Process(
            "this model was in use in another thread when the process was forked: load it from a file in the child, or start \
             processes by 'spawn' or 'forkserver'"
                .to_owned(),
        ))
    }

    /// The same with the GIL, for short looks.
    pub(super) fn look(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, T>> {
        loop {
            if let Some(guard) = self.try_lock().map_err(exception)? {
                return Ok(guard);
            }
            // waits for its holder, or says that there is none
            enter(py, || self.lock().map(drop))?;
        }
    }

    fn try_lock(&self) -> Result<Option<MutexGuard<'_, T>>> {
        match self.inner.try_lock() {
            Ok(guard) => Ok(Some(self.mark(guard))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Poisoned(_)) => Err(broken()),
        }
    }

    fn mark<'a>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.process.store(std::process::id(), Ordering::SeqCst);
        guard
    }
}

fn broken() -> Error {
    Error::Broken(
        "expected a model that is whole, got one that an earlier call left halfway, by a bug in lstmforecast: fit it anew or \
         load it from its file"
            .to_owned(),
    )
}
