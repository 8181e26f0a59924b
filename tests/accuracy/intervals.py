"""Coverage of the conformal intervals on the test hours of ETTh1, and their width beside a seasonal naive's."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.accuracy.etth1 import TEST, TRAIN, VALIDATION, VALIDATION_FRACTION, variables
from tests.accuracy.scoring import THREADS
from tests.bench.report import Table

from lstmforecast import LSTMForecaster
from lstmforecast.backtesting import _naive
from lstmforecast.calibration import Calibration, calibration_origins, levels_of

COVERAGES = (0.8, 0.95)
DAY = 24


def seasonal_naive(values: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """The last day before each origin, repeated: (n_origins, horizon, k)."""
    of_step = _naive(values, origins, DAY)
    return np.stack([of_step(step) for step in range(horizon)], axis=1)


def rows_of(name: str, horizon: int, seed: int = 0) -> list[dict[str, Any]]:
    """Coverage and width for one horizon."""
    y = variables(name)
    values = np.ascontiguousarray(y.to_numpy(float).reshape(len(y), -1))
    n_before = TRAIN + VALIDATION
    options: dict[str, Any] = {"validation_fraction": VALIDATION_FRACTION, "n_threads": THREADS}
    model = LSTMForecaster(horizon, random_state=seed, **options)
    model.fit(y.iloc[:n_before])
    steps = np.arange(horizon)
    held_out = calibration_origins(TRAIN, n_before, horizon)
    naive = Calibration.of(values[held_out[:, None] + steps], seasonal_naive(values, held_out, horizon))
    origins = np.arange(n_before, n_before + TEST - horizon + 1)
    truth, forecast = values[origins[:, None] + steps], model._forecast_origins(values, origins, horizon)
    rows: list[dict[str, Any]] = []
    once, naive_forecast = model._calibration, seasonal_naive(values, origins, horizon)
    for coverage in COVERAGES:
        fixed, _ = held_and_width(once, truth, forecast, coverage, follow=False)
        held, width = held_and_width(once, truth, forecast, coverage, follow=True)
        _, naive_width = held_and_width(naive, truth, naive_forecast, coverage, follow=True)
        rows.append(
            {
                "variables": name,
                "horizon": horizon,
                "coverage": 100 * coverage,
                "held": 100 * held.mean(),
                "least of a step": 100 * held.min(),
                "greatest of a step": 100 * held.max(),
                "width / seasonal naive's": (width / naive_width).mean(),
                "held without update": 100 * fixed.mean(),
            }
        )
    return rows


def held_and_width(
    calibration: Calibration, truth: np.ndarray, forecast: np.ndarray, coverage: float, *, follow: bool
) -> tuple[np.ndarray, np.ndarray]:
    """How often the truth (n, horizon, k) lay in the interval at each step, and mean widths (horizon, k).

    ``follow``: each day the intervals learn of the forecasts whose last step is past, as `LSTMForecaster.update` does.
    """
    n, horizon, _ = truth.shape
    held, widths, learned = [], [], 0
    for start in range(0, n, DAY):
        past = max(0, start - horizon + 1)
        if follow and past > learned:
            calibration = calibration.extended(truth[learned:past], forecast[learned:past])
            learned = past
        lower, upper = (calibration.quantile(level, "") for level in levels_of(coverage))
        day = slice(start, start + DAY)
        inside = (truth[day] >= forecast[day] + lower) & (truth[day] <= forecast[day] + upper)
        held.append(inside.mean(axis=2))
        widths.append(upper - lower)
    return np.concatenate(held).mean(axis=0), np.mean(widths, axis=0)


def run(*, once: bool) -> list[Table]:
    """Count how often the truth lay in the intervals."""
    cases = [("OT", 24)] if once else [("all 7", 24), ("all 7", 96), ("OT", 24), ("OT", 96)]
    note = (
        "Percent of the test hours that lie in the interval; over all steps and variables, and at the steps where it\n"
        "is least and most. Calibrated on the four months before the test and then, once a day, on the forecasts that\n"
        "can be judged by then, as by `update`; held without update: on the former alone. Width: beside intervals\n"
        "made in the same way from the errors of a seasonal naive forecast, mean over steps and variables."
    )
    return [Table("Intervals on ETTh1", note, [row for name, horizon in cases for row in rows_of(name, horizon)])]
