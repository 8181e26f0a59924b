//! The process around the core: it may be forked, and it ends.
//!
//! Calls are counted while they go without the GIL, so that a fork and the end of the program can wait until none computes.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyTuple};

#[cfg(feature = "torch")]
use crate::torch::threads;

/// How long a fork and the end of the program wait for calls that compute: a training pauses or ends within a batch, most
/// forecasts are over sooner.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_micros(200);

/// Calls without the GIL that are not paused.
static N_COMPUTING: AtomicUsize = AtomicUsize::new(0);
/// Threads that are about to fork: there may be several at once.
static N_FORKING: AtomicUsize = AtomicUsize::new(0);
static IS_ENDING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread is the one that ends the program: Python lets it go on as before.
    static ENDS_IT: Cell<bool> = const { Cell::new(false) };
}

/// Registers what is to be done around a fork and at the end of the program.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    py.import("atexit")?.call_method1("register", (wrap_pyfunction!(end, module)?,))?;
    let os = py.import("os")?;
    if os.hasattr("register_at_fork")? {
        let hooks = [
            ("before", wrap_pyfunction!(before_fork, module)?),
            ("after_in_parent", wrap_pyfunction!(after_fork_in_parent, module)?),
            ("after_in_child", wrap_pyfunction!(after_fork, module)?),
        ];
        os.call_method("register_at_fork", (), Some(&hooks.into_py_dict(py)?))?;
    }
    Ok(())
}

/// Waits until no other thread computes: the child would find the locks of libtorch taken that it holds.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    N_FORKING.fetch_add(1, Ordering::SeqCst);
    py.allow_threads(wait_for_calls);
}

#[pyfunction]
fn after_fork_in_parent() {
    N_FORKING.fetch_sub(1, Ordering::SeqCst);
}

/// What a forked child does before anything else.
#[pyfunction]
pub(super) fn after_fork() {
    N_FORKING.store(0, Ordering::SeqCst);
    // the calls stayed in the parent with their threads
    N_COMPUTING.store(0, Ordering::SeqCst);
    #[cfg(feature = "torch")]
    threads::after_fork();
}

/// Waits until no other thread computes or is about to take the GIL.
///
/// Python 3.10 to 3.13 end a daemon thread that takes the GIL after this (`pthread_exit`), in the midst of our frames, which
/// aborts the process; from 3.14 on it sleeps for ever, as here. Asking Python whether it is ending, before taking the GIL,
/// would not do: it may begin to end while the thread waits for the GIL.
#[pyfunction]
fn end(py: Python<'_>) {
    ENDS_IT.set(true);
    IS_ENDING.store(true, Ordering::SeqCst);
    // to take the GIL again may end this thread where an interpreter inside of the program ends with it
    if N_COMPUTING.load(Ordering::SeqCst) > 0 {
        py.allow_threads(wait_for_calls);
    }
}

fn wait_for_calls() {
    let until = Instant::now() + PATIENCE;
    while N_COMPUTING.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Counts a call while it goes without the GIL, or the other way round, until it is dropped.
pub(super) struct Computing(bool);

impl Computing {
    /// To be made before the GIL is released, and dropped when it is held again.
    pub(super) fn begin() -> Self {
        Self::count(true)
    }

    fn count(computes: bool) -> Self {
        let next = |n: usize| Some(if computes { n + 1 } else { n.saturating_sub(1) });
        let _ = N_COMPUTING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        Self(computes)
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        std::mem::forget(Self::count(!self.0));
    }
}

/// To be called without the GIL and between two batches: waits where another thread forks. False if the program is ending.
pub(super) fn go_on() -> bool {
    if is_forking() {
        let _pause = Computing::count(false);
        while is_forking() {
            thread::sleep(BETWEEN_LOOKS);
        }
    }
    !is_ending()
}

/// Sleeps for ever if the program is ending: to be called at the end of a call, before it takes the GIL again.
pub(super) fn stay_if_ending() {
    if is_ending() {
        std::mem::forget(Computing::count(false));
        stay();
    }
}

/// Takes the GIL for a moment, in the midst of a call; `None` if the program is ending: the call is to end soon.
pub(super) fn with_gil<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let work = |py: Python<'_>| {
        let _not_computing = Computing::count(false);
        work(py)
    };
    go_on().then(|| Python::with_gil(work))
}

/// Calls a function of Python in the midst of a call. If it still runs when the program ends, Python ends the thread beneath
/// us, which is stopped here.
pub(super) fn call<'py>(function: &Bound<'py, PyAny>, argument: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let arguments = PyTuple::new(function.py(), [argument])?;
    let answer = call_or_stay(function.as_ptr(), arguments.as_ptr());
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(function.py(), answer) }
}

/// `PyObject_Call`, which `pthread_exit` never leaves.
///
/// It goes up through the frames of the thread. When it comes to the one above this one, it runs what this one registered,
/// which sleeps for ever. Until then no code of Rust runs: nothing here is to be dropped. That matters because the C library
/// takes the unwinder of the compiler that the system has, and ours may come from another compiler: where it does, one
/// can't read the frames of the other.
#[cfg(target_os = "linux")]
#[inline(never)]
fn call_or_stay(function: *mut ffi::PyObject, arguments: *mut ffi::PyObject) -> *mut ffi::PyObject {
    use std::ffi::{c_int, c_void};
    use std::mem::MaybeUninit;

    /// As glibc and musl declare it (there without the third field).
    #[repr(C)]
    struct Cleanup {
        routine: extern "C" fn(*mut c_void),
        argument: *mut c_void,
        cancel_type: c_int,
        previous: *mut Cleanup,
    }
    unsafe extern "C" {
        fn _pthread_cleanup_push(cleanup: *mut Cleanup, routine: extern "C" fn(*mut c_void), argument: *mut c_void);
        fn _pthread_cleanup_pop(cleanup: *mut Cleanup, execute: c_int);
    }
    extern "C" fn stay_here(_: *mut c_void) {
        stay();
    }

    let mut cleanup = MaybeUninit::uninit();
    // SAFETY: two objects that live until it returns, and no keywords; what is pushed lies here until it is popped.
    unsafe {
        _pthread_cleanup_push(cleanup.as_mut_ptr(), stay_here, std::ptr::null_mut());
        let answer = ffi::PyObject_Call(function, arguments, std::ptr::null_mut());
        _pthread_cleanup_pop(cleanup.as_mut_ptr(), 0);
        answer
    }
}

#[cfg(not(target_os = "linux"))]
fn call_or_stay(function: *mut ffi::PyObject, arguments: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: two objects that live until it returns, and no keywords.
    unsafe { ffi::PyObject_Call(function, arguments, std::ptr::null_mut()) }
}

fn stay() -> ! {
    loop {
        thread::park();
    }
}

fn is_forking() -> bool {
    N_FORKING.load(Ordering::SeqCst) > 0
}

fn is_ending() -> bool {
    IS_ENDING.load(Ordering::SeqCst) && !ENDS_IT.get()
}
