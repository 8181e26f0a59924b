//! The process around the core: it may be forked, and it ends.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyTuple};

use crate::train::threads;

/// How long the end of the program waits for threads that compute: libtorch is taken apart after it. A training ends within
/// a batch, most forecasts sooner.
const PATIENCE: Duration = Duration::from_secs(2);

static IS_ENDING: AtomicBool = AtomicBool::new(false);
/// Calls that have let go of the GIL and have not taken it again.
static N_INSIDE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is the one that ends the program: Python lets it go on as before.
    static ENDS_IT: Cell<bool> = const { Cell::new(false) };
}

/// Registers what is to be done in forked children and at the end of the program.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let end = wrap_pyfunction!(end, module)?;
    py.import("atexit")?.call_method1("register", (end,))?;
    let os = py.import("os")?;
    if os.hasattr("register_at_fork")? {
        let options = [("after_in_child", module.getattr("after_fork")?)];
        os.call_method("register_at_fork", (), Some(&options.into_py_dict(py)?))?;
    }
    Ok(())
}

/// What a forked child does before anything else.
#[pyfunction]
pub(super) fn after_fork() {
    // the calls stayed in the parent with their threads
    N_INSIDE.store(0, Ordering::SeqCst);
    threads::after_fork();
}

/// Waits until no other thread is between us and the GIL.
///
/// Python 3.10 to 3.13 end a daemon thread that takes the GIL after this (`pthread_exit`), in the midst of our frames, which
/// aborts the process; from 3.14 on it sleeps for ever, as here. Asking Python whether it is ending, before taking the GIL,
/// would not do: it may begin to end while the thread waits for the GIL.
#[pyfunction]
fn end(py: Python<'_>) {
    ENDS_IT.set(true);
    IS_ENDING.store(true, Ordering::SeqCst);
    let until = Instant::now() + PATIENCE;
    py.allow_threads(|| {
        while N_INSIDE.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// A call that is under way without the GIL.
pub(super) struct Inside;

impl Inside {
    pub(super) fn new() -> Self {
        N_INSIDE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // in a forked child the count begins anew, maybe in the midst of a call
        let _ = N_INSIDE.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    }
}

/// Sleeps for ever if the program is ending: to be called at the end of a call, before it takes the GIL again.
pub(super) fn stay_if_ending() {
    if is_ending() {
        drop(Inside);
        stay();
    }
}

/// Takes the GIL for a moment, in the midst of a call; `None` if the program is ending: the call is to end soon.
pub(super) fn with_gil<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    (!is_ending()).then(|| Python::with_gil(work))
}

/// Calls a function of Python in the midst of a call. If it still runs when the program ends, Python ends the thread beneath
/// us; the thread then sleeps for ever.
pub(super) fn call<'py>(function: &Bound<'py, PyAny>, argument: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    extern "C-unwind" {
        fn PyObject_Call(
            callable: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            kwargs: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject;
    }
    struct Stay;
    impl Drop for Stay {
        fn drop(&mut self) {
            stay();
        }
    }
    let (py, arguments) = (function.py(), PyTuple::new(function.py(), [argument])?);
    let guard = Stay;
    // SAFETY: two objects that live until it returns, and no keywords.
    let answer = unsafe { PyObject_Call(function.as_ptr(), arguments.as_ptr(), std::ptr::null_mut()) };
    std::mem::forget(guard);
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, answer) }
}

fn stay() -> ! {
    loop {
        thread::park();
    }
}

fn is_ending() -> bool {
    IS_ENDING.load(Ordering::SeqCst) && !ENDS_IT.get()
}
