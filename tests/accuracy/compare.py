"""How often `lstmforecast.compare` is wrong: simulated loss differences of equally good models, and of unequal ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tests.bench.report import Table

from lstmforecast.evaluation.comparison import compare

Maker = Callable[[np.random.Generator, int], np.ndarray]
LEVEL = 0.95


def errors(rng: np.random.Generator, n: int, horizon: int) -> np.ndarray:
    """Errors of forecasts ``horizon`` steps ahead: moving averages of as many shocks, of variance 1."""
    shocks = rng.standard_normal(n + horizon - 1)
    return np.convolve(shocks, np.full(horizon, horizon**-0.5), "valid")


def squares(horizon: int) -> Maker:
    """Differences of squared errors of two models whose errors are independent."""
    return lambda rng, n: errors(rng, n, horizon) ** 2 - errors(rng, n, horizon) ** 2


def independent(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n)


def moving(horizon: int) -> Maker:
    """Differences that are themselves a moving average."""
    return lambda rng, n: errors(rng, n, horizon)


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    """Differences of absolute errors with Student's t of 5 degrees."""
    return np.abs(rng.standard_t(5, n)) - np.abs(rng.standard_t(5, n))


def persistent(rng: np.random.Generator, n: int) -> np.ndarray:
    """Differences that resemble each other longer than the horizon explains: autoregressive, 0.5, of variance 1."""
    values = rng.standard_normal(n + 100)
    for i in range(1, n + 100):
        values[i] = 0.5 * values[i - 1] + np.sqrt(0.75) * values[i]
    return values[100:]


CASES: list[tuple[str, int, Maker]] = [
    ("independent", 1, independent),
    ("absolute errors, t(5)", 1, heavy),
    ("squared errors", 1, squares(1)),
    ("moving average", 4, moving(4)),
    ("squared errors", 4, squares(4)),
    ("moving average", 24, moving(24)),
    ("autoregressive, 0.5", 1, persistent),
]


def shares(make: Maker, horizon: int, n: int, n_runs: int, shift: float = 0.0) -> dict[str, Any]:
    """Percent of the runs in which each judgement says that there is a difference of means."""
    rng, zero = np.random.default_rng(n + horizon), np.zeros(n)
    found = np.zeros((n_runs, 4), bool)
    for i in range(n_runs):
        result = compare(make(rng, n) + shift, zero, horizon=horizon, level=LEVEL, random_state=i)
        lower, upper = result.interval
        away = not lower <= 0 <= upper
        found[i] = result.p_value < 0.05, result.robust_p_value < 0.05, away, result.verdict != "undecided"
    names = ("DM", "robust", "interval", "verdict, ever")
    return dict(zip(names, (100 * found.mean(axis=0)).tolist(), strict=True))


def run(*, once: bool) -> list[Table]:
    """Make the tables of false positives and of power."""
    n_runs, sizes = (10, (100,)) if once else (2000, (50, 200, 1000))
    null, power = [], []
    for name, horizon, make in CASES[:2] if once else CASES:
        for n in sizes:
            if n >= 4 * horizon:
                row = {"differences": name, "horizon": horizon, "n": n}
                null.append(row | shares(make, horizon, n, n_runs))
    for shift in (0.1, 0.2, 0.5):
        for n in sizes:
            row = {"difference / deviation": shift, "n": n}
            power.append(row | shares(independent, 1, n, max(10, n_runs // 10), shift))
    deviation = 100 * np.sqrt(0.05 * 0.95 / n_runs)
    note = (
        f"Percent of {n_runs} simulations of equally good models in which a difference is found, at the level of 5 %\n"
        f"(standard error {deviation:.2f}). The verdict counts if it ever names one, after any of the n rows."
    )
    return [
        Table("False positives of compare", note, null),
        Table("Power of compare", f"Percent of {max(10, n_runs // 10)} simulations, independent differences.", power),
    ]
