"""Coverage of the conformal intervals on the test hours of ETTh1, and their width beside a seasonal naive's."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.accuracy.etth1 import EARLY_STOPPING, TEST, TRAIN, VALIDATION, variables
from tests.accuracy.scoring import THREADS
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, backtest
from lstmforecast.evaluation.scoring import MODEL, naive_forecast
from lstmforecast.uncertainty.calibration import Calibration, levels_of
from lstmforecast.uncertainty.errors import calibration_origins

COVERAGES = (0.8, 0.95)
DAY = 24


def rows_of(name: str, horizon: int, seed: int = 0) -> list[dict[str, Any]]:
    """Coverage and width for one horizon."""
    model = LSTMForecaster(horizon, early_stopping=EARLY_STOPPING, n_threads=THREADS, random_state=seed)
    result = backtest(model, variables(name), folds=TEST, season_length=DAY, coverage=COVERAGES)
    values, steps = result.observations.values, np.arange(horizon)
    held_out = calibration_origins(TRAIN, TRAIN + VALIDATION, horizon)[:, np.newaxis]
    naive = Calibration.of(values[held_out + steps], naive_forecast(values, held_out, DAY, steps))
    origins = result.origins[:, np.newaxis]
    truth, naive_values = values[origins + steps], naive_forecast(values, origins, DAY, steps)
    rows: list[dict[str, Any]] = []
    for coverage in COVERAGES:
        held, width = held_and_width(result.forecaster.fitted_.calibration, truth, result.values, coverage)
        _, naive_width = held_and_width(naive, truth, naive_values, coverage)
        rows.append(
            {
                "variables": name,
                "horizon": horizon,
                "coverage": 100 * coverage,
                "held": 100 * held.mean(),
                "least of a step": 100 * held.min(),
                "greatest of a step": 100 * held.max(),
                "width / seasonal naive's": (width / naive_width).mean(),
                "held without update": 100 * result.interval_scores.loc[(MODEL, coverage), "coverage"],
            }
        )
    return rows


def held_and_width(
    calibration: Calibration, truth: np.ndarray, forecast: np.ndarray, coverage: float
) -> tuple[np.ndarray, np.ndarray]:
    """How often the truth (n, horizon, k) lay in the interval at each step, and mean widths (horizon, k).

    Each day the intervals learn of the forecasts whose last step is past, as by `LSTMForecaster.update`, which a
    backtest doesn't call.
    """
    n, horizon, _ = truth.shape
    held, widths, learned = [], [], 0
    for start in range(0, n, DAY):
        past = max(0, start - horizon + 1)
        if past > learned:
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
