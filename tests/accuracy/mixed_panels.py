"""Intervals of a panel whose series have little in common: what calm, constant and rising series cost the others.

python -m tests.accuracy mixed_panels
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from tests.accuracy.scoring import THREADS
from tests.bench.report import Table

from lstmforecast import LSTMForecaster

N_ROWS, HORIZON = 200, 7
COVERAGES = (0.8, 0.95)
OTHERS = (
    "none",
    "constants with rounding",
    "weekly plans",
    "never sold",
    "rise in the rows held out",
    "intermittent",
)
NOTE = (
    "20 noisy series of sizes from 1e-6 to 1e6, with so many others: percent of their next 7 rows that lie in their\n"
    "intervals, and mean width in standard deviations of the noise; then the same of the others. Means over panels."
)


def noisy(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Weekly waves (20, N_ROWS + HORIZON) and the deviation of the noise in each: (20,)."""
    days, sizes = np.arange(N_ROWS + HORIZON), 10.0 ** np.linspace(-6, 6, 20)
    waves = 100 + 10 * np.sin(days * 2 * np.pi / 7) + rng.normal(0, 3, (20, len(days)))
    return sizes[:, np.newaxis] * waves, 3 * sizes


def others(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Others of a kind: (n, N_ROWS + HORIZON)."""
    shape = (n, N_ROWS + HORIZON)
    levels = 10.0 + np.arange(n)[:, np.newaxis]
    if kind == "none":
        return np.zeros((0, shape[1]))
    if kind == "constants with rounding":
        return np.diff(np.cumsum(np.broadcast_to(levels, (n, shape[1] + 1)), axis=1), axis=1)
    if kind == "weekly plans":
        return levels * np.resize([1.0, 2, 3, 4, 5, 0, 0], shape)
    if kind == "never sold":
        return np.zeros(shape)
    if kind == "rise in the rows held out":
        return levels * np.where(np.arange(shape[1]) < N_ROWS - 15, 1.0, 1.1)
    return np.where(rng.uniform(size=shape) < 0.2, rng.poisson(3, shape), 0).astype(float)


def scores(kind: str, n: int, seed: int) -> dict[str, float]:
    """Coverage and width of the noisy series, and coverage of the others."""
    rng = np.random.default_rng(seed)
    values, deviations = noisy(rng)
    values = np.concatenate([values, others(kind, n, rng)])
    days = pd.date_range("2026-01-01", periods=N_ROWS, freq="D")
    index = pd.MultiIndex.from_product([range(len(values)), days], names=["unique_id", "ds"])
    y = pd.Series(values[:, :N_ROWS].ravel(), index)
    model = LSTMForecaster(HORIZON, hidden_size=16, max_epochs=10, random_state=seed, n_threads=THREADS).fit(y)
    bounds = model.predict_interval(COVERAGES).to_numpy().reshape(len(values), HORIZON, len(COVERAGES), 2)
    found = {}
    for at, coverage in enumerate(COVERAGES):
        lower, upper = np.moveaxis(bounds[:, :, at], -1, 0)
        held = 100.0 * ((lower <= values[:, N_ROWS:]) & (values[:, N_ROWS:] <= upper)).mean(axis=1)
        found[f"{coverage:.0%}: held"] = held[:20].mean()
        found[f"{coverage:.0%}: width"] = float(((upper - lower)[:20].mean(axis=1) / deviations).mean())
        found[f"{coverage:.0%}: others held"] = held[20:].mean() if len(held) > 20 else np.nan
    return found


def run(*, once: bool) -> list[Table]:
    """Score all kinds of other series."""
    rows: list[dict[str, Any]] = []
    for kind in OTHERS[: 2 if once else None]:
        for n in (3,) if once or kind == "none" else (3, 20):
            each = [scores(kind, n, seed) for seed in range(1 if once else 20)]
            mean = pd.DataFrame(each).mean().to_dict()
            rows.append({"beside": kind, "n": 0 if kind == "none" else n} | mean)
    return [Table("Intervals of mixed panels", NOTE, rows)]
