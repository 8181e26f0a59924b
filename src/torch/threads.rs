//! libtorch's threads, borrowed for the length of a call.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many calls have borrowed them, and how many threads there were before the first.
static BORROWED: Mutex<(usize, i32)> = Mutex::new((0, 0));

/// Threads that OpenMP starts at the most: it ends the process where it can't have as many as it was told to.
const MOST_THREADS: i32 = 64;

/// Whether the process was forked from one that had loaded libtorch.
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// Keeps libtorch to one thread in a forked child, for good: the thread that forked would wait for the others of its OpenMP
/// team, which stayed in the parent, for ever. What one thread computes needs no team.
pub fn after_fork() {
    IS_FORKED.store(true, Ordering::SeqCst);
    tch::set_num_threads(1);
}

/// Sets the number of intra-operation threads and puts the old one back when dropped; in a forked child it is always one.
pub struct ThreadsGuard {
    changed: bool,
}

impl ThreadsGuard {
    /// `None` changes nothing.
    pub fn new(n_threads: Option<usize>) -> Self {
        if IS_FORKED.load(Ordering::SeqCst) {
            // another thread may have held the mutex at the fork
            tch::set_num_threads(1);
            return Self { changed: false };
        }
        let asked = n_threads.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        // OMP_NUM_THREADS may be anything
        let asked = asked.or_else(|| (tch::get_num_threads() > MOST_THREADS).then_some(MOST_THREADS));
        if let Some(n) = asked {
            let mut borrowed = BORROWED.lock().unwrap_or_else(PoisonError::into_inner);
            // a thread that is new to libtorch while another borrows would take that one's number for the user's
            if borrowed.0 == 0 {
                borrowed.1 = tch::get_num_threads();
            }
            borrowed.0 += 1;
            tch::set_num_threads(n.min(MOST_THREADS));
        }
        Self { changed: asked.is_some() }
    }
}

impl Drop for ThreadsGuard {
    fn drop(&mut self) {
        if self.changed {
            let mut borrowed = BORROWED.lock().unwrap_or_else(PoisonError::into_inner);
            borrowed.0 -= 1;
            tch::set_num_threads(borrowed.1);
        }
    }
}

thread_local! {
    static IS_ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Keeps libtorch from starting threads of its own for this thread, which is one of our pool or under a [`ThreadsGuard`] of
/// one thread: they would wait for each other's cores.
pub fn one_thread() {
    if !IS_ALONE.replace(true) {
        tch::set_num_threads(1);
    }
}
