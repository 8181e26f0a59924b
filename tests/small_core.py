"""Calls on the small core, from tests that run beside the core that computes with libtorch."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_BEGIN = "import sys; sys.modules['lstmforecast_torch'] = None; from tests.small_core import _answer; _answer()"


def on_small_core(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of a module of tests returns in a new process that has no lstmforecast_torch."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _BEGIN],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        input=pickle.dumps((work, arguments)),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(done.stdout)


def _answer() -> None:
    from lstmforecast import _core

    assert not _core.HAS_TORCH
    work, arguments = pickle.load(sys.stdin.buffer)
    pickle.dump(work(*arguments), sys.stdout.buffer)
