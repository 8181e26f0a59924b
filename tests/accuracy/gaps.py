"""Errors where values are missing, and on the days after clocks change, of simulated hourly series.

    python -m tests.accuracy.gaps    # five minutes

The truth is known in the gaps too. Errors are mean absolute ones over the next day.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from tests.bench.report import Table

from lstmforecast import LSTMForecaster

N_TRAIN, N_TEST, HORIZON = 1500, 240, 24
OPTIONS = {"horizon": HORIZON, "max_epochs": 10, "random_state": 0, "n_threads": 1}
ZONE = "Europe/Berlin"
PATTERNS = ("every 2", "every 3", "random 10", "random 30", "random 50", "random 70", "days")


def series(kind: str) -> np.ndarray:
    """A wave with noise of 0.05, an AR(1) around a wave, or days and weeks with noise of 1."""
    n, rng = N_TRAIN + N_TEST, np.random.default_rng(0)
    hours, noise = np.arange(n), rng.normal(size=n)
    wave = np.sin(hours * 2 * np.pi / 24)
    if kind == "wave":
        return 10 + wave + 0.05 * noise
    if kind == "load":
        return 100 + 10 * wave + 4 * np.sin(hours * 4 * np.pi / 24 + 1) + 5 * (hours // 24 % 7 < 5) + noise
    ar = np.zeros(n)
    for row in range(1, n):
        ar[row] = 0.9 * ar[row - 1] + 0.3 * noise[row]
    return 50 + ar + 2 * wave


def gaps(pattern: str) -> np.ndarray:
    """Which hours are missing; the first is not."""
    n, rng = N_TRAIN + N_TEST, np.random.default_rng(1)
    kind, _, number = pattern.partition(" ")
    if kind == "every":
        return np.arange(n) % int(number) > 0
    gone = rng.random(n) < int(number or 0) / 100
    for first in rng.integers(0, n - 24, n // 120) if kind == "days" else ():
        gone[first : first + 24] = True
    gone[0] = False
    return gone


def error_with_gaps(kind: str, pattern: str, missing: str) -> float:
    """The error against what stood in the gaps, too."""
    values = series(kind)
    y = pd.Series(values, pd.date_range("2024-01-01", periods=len(values), freq="h")).mask(gaps(pattern))
    model = LSTMForecaster(missing=missing, **OPTIONS).fit(y[:N_TRAIN])
    origins = range(N_TRAIN, N_TRAIN + N_TEST - HORIZON, 7)
    return float(np.mean([np.abs(model.predict(context=y[:at]) - values[at : at + HORIZON]).mean() for at in origins]))


def errors_by_clock(change: str, days: int, calendar: str | None) -> Iterator[float]:
    """The errors of 0, 1, 2 and 7 days after a change of the clocks; noise alone has 0.16."""
    midnight = pd.Timestamp(change)
    index = pd.date_range(midnight - pd.Timedelta(days=days), midnight + pd.Timedelta(days=10), freq="h", tz=ZONE)
    hour = index.hour.to_numpy()
    rhythm = 10 + 5 * np.exp(-(((hour - 18) / 3) ** 2)) + 3 * np.exp(-(((hour - 8) / 2) ** 2))
    y = pd.Series(rhythm + 0.2 * np.random.default_rng(0).normal(size=len(index)), index)
    starts = [y.index.get_loc((midnight + pd.Timedelta(days=day)).tz_localize(ZONE)) for day in (-1, 0, 1, 2, 7)]
    model = LSTMForecaster(calendar=calendar, **OPTIONS).fit(y[: starts[0]])
    for at in starts[1:]:
        yield float(np.abs(model.predict(context=y[:at]) - y[at : at + HORIZON]).mean())


def main() -> None:
    """Print both tables."""
    ways = ("mask", "interpolate", "ffill")
    rows = [
        {"series": kind, "gaps": pattern} | {way: error_with_gaps(kind, pattern, way) for way in ways}
        for kind in ("wave", "ar", "load")
        for pattern in PATTERNS
    ]
    print(Table("Missing values", "Mean absolute errors by the treatment of missing values.", rows))
    changes = [
        {"change": change, "days before": days, "calendar": str(calendar)}
        | dict(zip((0, 1, 2, 7), errors_by_clock(change, days, calendar), strict=True))
        for change in ("2024-03-31", "2024-10-27")
        for days in (91, 438, 803)
        for calendar in (None, "auto")
    ]
    print(Table("Days after a change of the clocks", "Mean absolute errors; noise alone has 0.16.", changes))


if __name__ == "__main__":
    main()
