"""What is collected where, and what is put away between tests and examples."""

import gc
import os
import sys
from importlib.util import find_spec

# Read when libtorch is loaded: its threads sleep while they wait for each other. By default they spin, and where other
# processes want the cores, tests of seconds take minutes.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# What is for sktime is collected where sktime is installed: `make test-sktime`.
collect_ignore = [] if find_spec("sktime") else ["python/lstmforecast/sktime.py", "tests/sktime"]
# The modules of PyTorch are collected where PyTorch is installed.
collect_ignore_glob = [] if find_spec("torch") else ["python/lstmforecast/export/pytorch*.py"]


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of each collection of garbage: tests of searches take a quarter of the time."""
    gc.collect()
    gc.freeze()


def pytest_runtest_teardown() -> None:
    """Close figures: matplotlib warns from the twenty-first on, whichever test or example opened the others."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
