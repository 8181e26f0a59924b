//! Tensors of Python's torch by pyo3-tch, without needing torch at import.
//!
//! pyo3-tch wraps tensors with three symbols of `libtorch_python`. Linked as usual, that library, and with it all of torch,
//! would be loaded by `import lstmforecast`. So these symbols are defined here, and filled in from the library once
//! the user has imported torch.

use std::ffi::{c_void, CString};
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi::PyObject as RawObject;
use pyo3::prelude::*;
use pyo3_tch::PyTensor;

use super::door::exception;
use crate::array::Array;
use crate::torch::tensor::{array, of_array};

/// `THPVariableClass`: the class `torch.Tensor`, null before torch is imported.
#[export_name = "THPVariableClass"]
static TENSOR_CLASS: AtomicPtr<RawObject> = AtomicPtr::new(std::ptr::null_mut());

/// `ParameterClass`: the class `torch.nn.Parameter`, null before torch is imported.
#[export_name = "ParameterClass"]
static PARAMETER_CLASS: AtomicPtr<RawObject> = AtomicPtr::new(std::ptr::null_mut());

/// Where `libtorch_python`'s own `THPVariable_Wrap(const at::TensorBase&)` lies.
static WRAP: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
const WRAP_SYMBOL: &str = "_Z16THPVariable_WrapRKN2at10TensorBaseE";

/// Goes on to the library's function of the same name.
#[export_name = "_Z16THPVariable_WrapRKN2at10TensorBaseE"]
extern "C" fn wrap(tensor: *const c_void) -> *mut RawObject {
    let found = WRAP.load(Ordering::Acquire);
    assert!(!found.is_null(), "torch's tensors are wrapped before torch is connected");
    // SAFETY: `connect` stored the address of the C++ function with this very signature.
    let wrap: extern "C" fn(*const c_void) -> *mut RawObject = unsafe { std::mem::transmute(found) };
    wrap(tensor)
}

/// A name that pybind11's headers, compiled against Python 3.12 or older, refer to and that Python 3.13 has dropped.
///
/// Older interpreters bring their own, which goes before this one. What refers to it are pybind11's guards of the GIL,
/// which wrapping and unwrapping a tensor don't use; without the name the module would not load at all.
#[export_name = "_PyThreadState_UncheckedGet"]
extern "C" fn thread_state() -> *mut pyo3::ffi::PyThreadState {
    // SAFETY: may be called in any thread; null where Python has no state for it.
    unsafe { pyo3::ffi::PyGILState_GetThisThreadState() }
}

/// A copy as a tensor of Python's torch, which is imported for it.
pub(super) fn to_python<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    connect(py)?;
    PyTensor(of_array(array).map_err(exception)?).into_pyobject(py)
}

/// The numbers of a tensor of Python's torch, of any kind and on any device.
pub(super) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    connect(object.py())?;
    array(&object.extract::<PyTensor>()?.0).map_err(exception)
}

fn connect(py: Python<'_>) -> PyResult<()> {
    if !WRAP.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    let torch = py.import("torch")?;
    let package: String = torch.getattr("__path__")?.get_item(0)?.extract()?;
    let library = open(&format!("{package}/lib/libtorch_python.so"))?;
    for (symbol, class) in [("THPVariableClass", &TENSOR_CLASS), ("ParameterClass", &PARAMETER_CLASS)] {
        let variable: *mut *mut RawObject = find(library, symbol)?.cast();
        // SAFETY: the symbol is a global variable of this type, set for good when torch was imported.
        class.store(unsafe { *variable }, Ordering::Release);
    }
    WRAP.store(find(library, WRAP_SYMBOL)?, Ordering::Release);
    Ok(())
}

fn open(path: &str) -> PyResult<*mut c_void> {
    let name = CString::new(path)?;
    // SAFETY: a valid C string; NOLOAD only finds what `import torch` has loaded.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if library.is_null() {
        return Err(PyImportError::new_err(format!("expected torch to have loaded {path}, but it has not")));
    }
    Ok(library)
}

fn find(library: *mut c_void, symbol: &str) -> PyResult<*mut c_void> {
    let name = CString::new(symbol)?;
    // SAFETY: an open library and a valid C string.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    if address.is_null() {
        return Err(PyImportError::new_err(format!("expected {symbol} in libtorch_python, but it is not there")));
    }
    Ok(address)
}
