"""Finds libtorch inside the installed package ``torch`` and loads it, without importing ``torch``.

An extension module that was built with the feature ``torch`` needs two of its libraries only. Loading just these takes
a fraction of the time and memory of ``import torch``, and importing torch afterwards works as usual.
"""

import ctypes
import importlib.metadata
import importlib.util
import mmap
import os
import sys
from pathlib import Path

TORCH_VERSION = "2.13"
# In this order: the second needs the first.
_LIBRARIES = {
    "darwin": ("libc10.dylib", "libtorch_cpu.dylib"),
    "win32": ("c10.dll", "torch_cpu.dll"),
}.get(sys.platform, ("libc10.so", "libtorch_cpu.so"))


def load() -> None:
    """Load libtorch's libraries for the extension module, if it needs them.

    Raises
    ------
    ImportError
        If torch is not installed, or is of another version than this build of lstmforecast was made for.
    """
    if not _is_needed():
        return
    _check_version()
    if "torch" in sys.modules:
        return
    folder = _library_folder()
    if sys.platform == "win32":
        os.add_dll_directory(str(folder))
    for name in _LIBRARIES:
        ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)


def _is_needed() -> bool:
    """Whether the extension module names libtorch among the libraries that it needs."""
    spec = importlib.util.find_spec("lstmforecast._core")
    if spec is None or spec.origin is None:
        return False
    with Path(spec.origin).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as contents:
        return contents.find(_LIBRARIES[-1].encode() + b"\0") >= 0


def _check_version() -> None:
    mend = f"run: pip install 'torch=={TORCH_VERSION}.*'"
    try:
        installed = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(f"lstmforecast needs torch {TORCH_VERSION}, which is not installed; {mend}") from None
    if installed.split(".")[:2] != TORCH_VERSION.split("."):
        raise ImportError(
            f"this build of lstmforecast needs torch {TORCH_VERSION}, but torch {installed} is installed; {mend}"
        )


def _library_folder() -> Path:
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("lstmforecast found torch's metadata, but not the package itself; reinstall torch")
    return Path(spec.submodule_search_locations[0]) / "lib"
