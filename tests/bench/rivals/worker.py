"""One contestant in a process of its own: `python worker.py skorch_net '{"n": 2000, "window": 10, ...}'`.

It says when it is ready; after that, each line on stdin makes it fit for one epoch, then for all, and say how long that
took.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import metadata

import numpy as np

# For so many epochs; the numbers of gradient steps and of weights come back.
Fit = Callable[[int], tuple[int, int]]


def series(n: int, window: int) -> np.ndarray:
    """As many values (float32) as give ``n`` windows with a value after each; scaled already, so that nobody has to."""
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(n + window) / 8) + 0.1 * rng.normal(size=n + window)
    return ((values - values.mean()) / values.std()).astype(np.float32)


def timed(fit: Fit, epochs: int) -> dict[str, float]:
    """Fit for so many epochs."""
    begin = time.perf_counter()
    steps, weights = fit(epochs)
    return {"seconds": time.perf_counter() - begin, "steps": steps, "weights": weights}


def main() -> None:
    """Prepare the contestant that the arguments name, then fit as often as asked."""
    name, settings = sys.argv[1], json.loads(sys.argv[2])
    # What libraries print goes to stderr, or it would come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    epochs, n = settings.pop("epochs"), settings.pop("n")
    # Beside this file: the environments of the peers know nothing of the tests.
    contestant = importlib.import_module(name)
    fit = contestant.prepare(series(n, settings["window"]), **settings)
    fit(1)
    print(json.dumps({"ready": True, "version": metadata.version(contestant.PACKAGE)}), file=answers)
    for _ in sys.stdin:
        print(json.dumps({"one": timed(fit, 1), "all": timed(fit, epochs)}), file=answers)


if __name__ == "__main__":
    main()
