"""What is collected where, and what is put away between tests and examples."""

import gc
import sys
from importlib.util import find_spec

# What is for sktime is collected where sktime is installed: `make test-sktime`.
collect_ignore = [] if find_spec("sktime") else ["python/lstmforecast/sktime.py", "tests/sktime"]


def pytest_collection_finish() -> None:
    """Leave the libraries and tests that are loaded by now out of each collection of garbage: a quarter of the time."""
    gc.collect()
    gc.freeze()


def pytest_runtest_teardown() -> None:
    """Close figures: matplotlib warns from the twenty-first on, whichever test or example opened the others."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
