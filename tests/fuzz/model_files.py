"""Model files: `lstmforecast.load`, then a forecast of what it gave."""

import os
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tests.fuzz.kinds import KINDS, outputs
from tests.fuzz.mutators import change_file as mutate
from tests.fuzz.outcome import check_message

import lstmforecast

# What is said of a file of a machine with GPUs: that there are none, or no room for their libraries.
_OF_GPUS = ("expected a device that is there", "libtorch_cuda.so")

__all__ = ["mutate", "run_one", "seeds"]


def seeds() -> list[bytes]:
    """A file of each kind."""
    files = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in KINDS.items():
            path = Path(folder) / name
            make().save(path)
            files.append(path.read_bytes())
    return files


def run_one(data: bytes) -> str:
    """Load and use; an AssertionError for anything but one sentence or finite numbers."""
    path = _path()
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = lstmforecast.load(path)
    except (ValueError, OSError) as error:
        check_message(str(error).replace(str(path), ""))
        return "refused"
    except (ImportError, RuntimeError) as error:
        if not any(words in str(error) for words in _OF_GPUS):
            raise
        return "refused"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _use(model)
    except ValueError as error:
        check_message(str(error))
        return "refused later"
    return "works"


@cache
def _path() -> Path:
    # in memory where that is possible: a file for each mutant
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return Path(tempfile.mkdtemp(dir=folder)) / "m"


def _use(model: Any) -> None:
    for name, numbers in outputs(model).items():
        assert np.isfinite(numbers).all(), f"{name} gives numbers that are not finite"
    repr(model)
