"""How many observations a second an anomaly detector takes in, a row a call and many rows a call."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from tests.bench.report import Table

from lstmforecast import LSTMAnomalyDetector
from lstmforecast.thresholds import NAMES


def rates(threshold: str, n_variables: int, n_rows: int, turns: int) -> dict[str, Any]:
    """One row of the table; the median of some turns."""
    series = np.random.default_rng(0).normal(size=(n_rows, n_variables)).cumsum(axis=0)
    detector = LSTMAnomalyDetector(threshold=threshold, random_state=0).fit(series[:1000])
    single, many = [], []
    for _ in range(turns):
        begin = time.perf_counter()
        for row in series[:1000]:
            detector.update(row)
        single.append(1000 / (time.perf_counter() - begin))
        begin = time.perf_counter()
        detector.update(series)
        many.append(n_rows / (time.perf_counter() - begin))
    row = {"threshold": threshold, "variables": n_variables, "window": detector.window_size_}
    return row | {"a row a call": float(np.median(single)), "all rows in one": float(np.median(many))}


def run(*, once: bool) -> list[Table]:
    """Measure all thresholds on one variable, and the default on more."""
    cases = [("ewma", 1)] if once else [*((name, 1) for name in NAMES), ("ewma", 2), ("ewma", 8)]
    rows = [rates(name, n, 2000 if once else 20_000, 1 if once else 5) for name, n in cases]
    note = (
        "Observations (rows) a second through LSTMAnomalyDetector.update, arrays in and out, defaults: 24 steps are\n"
        "forecast after each row, and the row is held against the 24 forecasts that were made of it. Median of 5 turns."
    )
    return [Table("Streams", note, rows)]
