"""Picks the compiled core: that of lstmforecast-torch where it is installed and fits, else this distribution's own.

Both are builds of one crate. The second computes with libtorch, too: see `lstmforecast_torch`.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "lstmforecast._core"

_PROCESS = os.getpid()


def load() -> ModuleType:
    """The extension module, under the name that pickles know."""
    core = _with_torch()
    if isinstance(core, str):
        advice, core = core, _without_torch()
        if advice:
            core.set_torch_advice(advice)
    if _is_forked():
        core.after_fork()  # torch may have computed in the parent before the core was loaded
    return core


def _is_forked() -> bool:
    """Whether the process was forked, after this module was imported or by multiprocessing before."""
    context: Any = sys.modules.get("multiprocessing.context")
    kind = getattr(context, "ForkProcess", None)
    return os.getpid() != _PROCESS or (kind is not None and isinstance(context.process.current_process(), kind))


def _with_torch() -> ModuleType | str:
    """The core that computes with libtorch, or why an installed one doesn't fit, or nothing if none is installed."""
    try:
        spec = importlib.util.find_spec("lstmforecast_torch")
        if spec is None or spec.origin is None:  # a folder that an earlier installation has left is no package
            return ""
        return importlib.import_module("lstmforecast_torch").load_core()  # type: ignore[no-any-return]
    except ImportError as error:
        return str(error)
    except Exception as error:  # whatever a damaged installation, or one in the place of torch, comes to
        remedy = "run: pip install --force-reinstall lstmforecast-torch"
        return f"lstmforecast-torch could not be loaded ({type(error).__name__}: {error}); {remedy}"


def _without_torch() -> ModuleType:
    try:
        return load_extension(importlib.util.find_spec("lstmforecast._compiled"))
    except ImportError as error:
        remedy = "run: pip install --force-reinstall --no-deps lstmforecast"
        raise ImportError(f"lstmforecast's core could not be loaded ({error}); {remedy}") from error


def load_extension(package: importlib.machinery.ModuleSpec | None) -> ModuleType:
    """Load the extension module that lies in a package's folder."""
    folders = package.submodule_search_locations if package else None
    for folder in folders or ():
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            path = Path(folder) / f"_core{suffix}"
            if path.exists():
                return _load_file(path)
    raise ImportError(f"no compiled core in {list(folders or ())}")


def _load_file(path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(NAME, str(path))
    spec = importlib.util.spec_from_file_location(NAME, path, loader=loader)
    assert spec is not None
    core = importlib.util.module_from_spec(spec)
    loader.exec_module(core)
    return core
