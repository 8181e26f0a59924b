"""A build of lstmforecast's core that computes with libtorch, too: networks on tensors, under autograd, on GPUs.

`lstmforecast` takes it by itself where it is installed. It finds libtorch inside the installed package ``torch``, and
loads the two libraries that it needs without importing ``torch``: that takes a fraction of the time and memory, and
importing torch afterwards works as usual.
"""

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

__version__ = "0.1.0"

TORCH_VERSION = "2.13"
# In this order: the second needs the first.
_LIBRARIES = {
    "darwin": ("libc10.dylib", "libtorch_cpu.dylib"),
    "win32": ("c10.dll", "torch_cpu.dll"),
}.get(sys.platform, ("libc10.so", "libtorch_cpu.so"))


def load_core() -> ModuleType:
    """Load libtorch, and the extension module that computes with it.

    Raises
    ------
    ImportError
        If another version of lstmforecast or of torch is installed than this build was made for, or if what is
        installed is damaged.
    """
    import lstmforecast
    from lstmforecast._load_core import load_extension

    if lstmforecast.__version__ != __version__:
        raise ImportError(
            f"lstmforecast-torch {__version__} is installed, but lstmforecast {lstmforecast.__version__}; "
            f"run: pip install 'lstmforecast-torch=={lstmforecast.__version__}'"
        )
    _check_torch()
    try:
        _load_libtorch()
        return load_extension(__spec__)
    except (ImportError, OSError) as error:
        reinstall = "run: pip install --force-reinstall lstmforecast-torch"
        raise ImportError(f"lstmforecast-torch could not be loaded ({error}); {reinstall}") from error


_NEEDS = f"lstmforecast-torch needs torch {TORCH_VERSION}"
_MEND = f"run: pip install 'torch=={TORCH_VERSION}.*'"


def _check_torch() -> None:
    try:
        installed = str(importlib.metadata.version("torch"))  # None where its metadata are damaged
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(f"{_NEEDS}, which is not installed; {_MEND}") from None
    if installed.split(".")[:2] != TORCH_VERSION.split("."):
        raise ImportError(f"{_NEEDS}, but torch {installed} is installed; {_MEND}")


def _load_libtorch() -> None:
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("torch's metadata are there, but not the package itself")
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    if sys.platform == "win32":
        os.add_dll_directory(str(folder))
    for name in _LIBRARIES:
        ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
