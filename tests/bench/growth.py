"""How cost grows: with the window, the hidden units, the threads, and the length of the series."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.bench.networks import Size
from tests.bench.report import Table
from tests.bench.step import operations, passes, series_of
from tests.bench.timing import medians

WINDOWS = (16, 64, 256, 1024)
HIDDEN = (16, 32, 64, 128, 256, 512)
PANELS = (1000, 10_000)
LENGTHS = (10_000, 100_000, 1_000_000, 10_000_000)
# Points, window, and parameters of the LSTM.
LONG = (1_000_000, 10_000, ({}, {"segment_length": 1}, {"segment_length": 1, "tbptt": 200}))

# Trains on a few hundred windows from all over a series: what grows with the series is neither time nor batches.
TRAIN = """
import json, sys, time
import numpy as np
from lstmforecast import LSTMForecaster, Sampling

def status(name):
    return [int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name)][0]

n = int(sys.argv[1])
LSTMForecaster(1, window_size=96, early_stopping=None, max_epochs=1).fit(np.zeros(200))
y = np.sin(np.arange(n) / 7)
# the peak of what made the series is forgotten
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
few = Sampling(stride=n // 500)
model = LSTMForecaster(1, window_size=96, sampling=few, early_stopping=None, max_epochs=1)
begin = time.perf_counter()
model.fit(y)
print(json.dumps({"seconds": time.perf_counter() - begin, "before": before, "peak": status("VmHWM")}))
"""

# Takes one step of training through long windows with the defaults: all the memory that the process has ever had.
LONG_WINDOWS = """
import json, sys, time
import numpy as np
from lstmforecast import LSTM, LSTMForecaster, Sampling

n, window_size, options = json.loads(sys.argv[1])
y = np.sin(np.arange(n) / 700)
one = {"max_epochs": 1, "sampling": Sampling(steps_per_epoch=1), "early_stopping": None}
model = LSTMForecaster(1, window_size=window_size, architecture=LSTM(**options), **one)
begin = time.perf_counter()
model.fit(y)
[peak] = [int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")]
steps = window_size // model.model_.config["segment_length"]
seconds = {"fit seconds": time.perf_counter() - begin, "of them one step": model.history_["seconds"][0]}
print(json.dumps({"LSTM steps": steps, "process MB": peak, **seconds}))
"""

# Reads hourly series of 500 rows each, below each other: what is beyond the data themselves.
READ = """
import json, sys, time
import numpy as np, pandas as pd
from lstmforecast.data.panel import Panel

def status(name):
    return [int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name)][0]

def panel(n):
    keys, hours = [f"series {i}" for i in range(n)], pd.date_range("2026-01-01", periods=500, freq="h")
    index = pd.MultiIndex.from_product([keys, hours], names=["unique_id", "ds"])
    y = pd.Series(np.random.default_rng(0).normal(size=500 * n), index, name="y")
    return y.reset_index() if sys.argv[2] == "long" else y

Panel.read(panel(2))
y = panel(int(sys.argv[1]))
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
begin = time.perf_counter()
read = Panel.read(y)
print(json.dumps({"seconds": time.perf_counter() - begin, "before": before, "peak": status("VmHWM")}))
"""


def grow(sizes: list[Size], rounds: int) -> list[dict[str, Any]]:
    """One row for each size."""
    rows = []
    for size in sizes:
        series = series_of(size, 10)
        median = {n: medians(passes(size, n, series, {}, rounds)[0])["ours"] / 10 for n in (1, 2)}
        rows.append(
            {
                "T,F,H,L,B": ",".join(map(str, size[1:])),
                "1 thread ms": median[1] * 1e3,
                "2 threads ms": median[2] * 1e3,
                "speed-up": median[1] / median[2],
                "Gflop/s, 1 thread": operations(size) / median[1] / 1e9,
                "Gflop/s, 2 threads": operations(size) / median[2] / 1e9,
            }
        )
    return rows


def memory(n: int) -> dict[str, Any]:
    """Memory that a fit takes beyond what was there before, the series itself included."""
    done = subprocess.run([sys.executable, "-c", TRAIN, str(n)], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    extra = result["peak"] - result["before"]
    return {
        "points": n,
        "series MB": n * 8 / 2**20,
        "fit's own MB": extra,
        "bytes a point": extra * 2**20 / n,
        "fit seconds": result["seconds"],
    }


def long_windows(n: int, window_size: int, options: dict[str, int]) -> dict[str, Any]:
    """Memory of a process that trains on windows of so many rows."""
    given = json.dumps([n, window_size, options])
    done = subprocess.run([sys.executable, "-c", LONG_WINDOWS, given], capture_output=True, text=True, check=True)
    changes = ", ".join(f"{name}={value}" for name, value in options.items()) or "defaults"
    return {"points": n, "window": window_size, "options": changes, **json.loads(done.stdout.splitlines()[-1])}


def reading(n: int, form: str) -> dict[str, Any]:
    """Memory that reading a panel of ``n`` series takes beyond the panel itself, in seconds and MB."""
    done = subprocess.run([sys.executable, "-c", READ, str(n), form], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    extra = result["peak"] - result["before"]
    return {"series": n, "form": form, "values MB": n * 4000 / 2**20, "MB": extra, "seconds": result["seconds"]}


def run(*, once: bool) -> list[Table]:
    """Measure steps of growing sizes, and memory of growing series."""
    windows, hidden, lengths, panels, rounds = (WINDOWS, HIDDEN, LENGTHS, PANELS, 5)
    n_long, long, changes = LONG
    if once:
        windows, hidden, lengths, panels, rounds = (16,), (16,), (10_000,), (10,), 1
        n_long, long = 3000, 200
    step = "Milliseconds a training step: mean over a pass of 10 steps, median of several passes."
    beyond = (
        "Greatest resident memory during a fit (window 96, 500 windows spread over the series) beyond that before it,\n"
        "in which the series itself is counted already."
    )
    through = (
        "Greatest resident memory of a process that takes one step of training, of 512 long windows, and its seconds."
    )
    read = "Greatest resident memory while a panel of series of 500 rows is read, beyond that before it, and seconds."
    return [
        Table("Growth with the window", step, grow([Size(320, t, 1, 64, 2, 32) for t in windows], rounds)),
        Table("Growth with the hidden units", step, grow([Size(320, 30, 8, h, 2, 32) for h in hidden], rounds)),
        Table("Growth with the series", beyond, [memory(n) for n in lengths]),
        Table("Long windows", through, [long_windows(n_long, long, options) for options in changes]),
        Table("Growth with the panel", read, [reading(n, form) for n in panels for form in ("index", "long")]),
    ]
