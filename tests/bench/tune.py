"""Memory of a search: that of its data and of one fit, however many trials there were."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.bench.report import Table

AT = (20, 100, 200)
# Prints the resident memory in MB, once so many trials are through.
SEARCH = """
import json, sys
import numpy as np, optuna
from lstmforecast import LSTMForecaster, tune

at, n_jobs = json.loads(sys.argv[1])
storage = optuna.storages.InMemoryStorage()
y = np.sin(np.arange(5000) / 4) + np.random.default_rng(0).normal(size=5000) / 5

def resident():
    [kb] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")]
    return int(kb) / 1024

found = {}
for n in at:
    model = LSTMForecaster(24, max_epochs=3, early_stopping=2)
    space = {"hidden_size": (8, 64), "window_size": [48, 96, 192], "dropout": (0.0, 0.4), "num_layers": [1, 2]}
    tune(model, y, space=space, n_trials=n, n_jobs=n_jobs, storage=storage, random_state=0)
    found[f"MB after {n}"] = resident()
print(json.dumps(found))
"""


def memory(at: tuple[int, ...], n_jobs: int) -> dict[str, Any]:
    """Resident memory of a process that tunes."""
    given = json.dumps([at, n_jobs])
    done = subprocess.run([sys.executable, "-c", SEARCH, given], capture_output=True, text=True, check=True)
    return {"trials at a time": n_jobs, **json.loads(done.stdout.splitlines()[-1])}


def run(*, once: bool) -> list[Table]:
    """Measure with one trial at a time and with two."""
    note = "Resident memory of a process that searches on 5,000 rows, trials kept in memory."
    rows = [memory((1, 2) if once else AT, n_jobs) for n_jobs in ((1,) if once else (1, 2))]
    return [Table("Memory of a search", note, rows)]
