"""Coverage of the conformal intervals on the test hours of ETTh1, and their width beside a seasonal naive's."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.accuracy import interval_phases
from tests.accuracy.etth1 import EARLY_STOPPING, TEST, TRAIN, VALIDATION, variables
from tests.accuracy.interval_phases import COVERAGES, Forecasts, bounds_of
from tests.accuracy.scoring import THREADS
from tests.accuracy.series import OPEN_DATA
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, backtest
from lstmforecast.evaluation.scoring import MODEL, naive_forecast
from lstmforecast.uncertainty.calibration import Calibration
from lstmforecast.uncertainty.errors import calibration_origins

DAY = 24


def rows_of(name: str, horizon: int, seed: int = 0) -> list[dict[str, Any]]:
    """Coverage and width for one horizon."""
    model = LSTMForecaster(horizon, early_stopping=EARLY_STOPPING, n_threads=THREADS, random_state=seed)
    result = backtest(model, variables(name), folds=TEST, season_length=DAY, coverage=COVERAGES)
    values, steps = result.observations.values, np.arange(horizon)
    held_out = calibration_origins(TRAIN, TRAIN + VALIDATION, horizon, DAY)
    naive = Calibration.of(
        values[held_out[:, np.newaxis] + steps],
        naive_forecast(values, held_out[:, np.newaxis], DAY, steps),
        when=held_out,
        season=DAY,
    )
    origins = result.origins[:, np.newaxis]
    truth, when = values[origins + steps], result.origins
    calibration = result.forecaster.fitted_.calibration
    assert calibration is not None
    ours = bounds_of(Forecasts(result.values, truth, when, calibration), DAY, by_phase=True)
    others = bounds_of(Forecasts(naive_forecast(values, origins, DAY, steps), truth, when, naive), DAY, by_phase=True)
    rows: list[dict[str, Any]] = []
    for at, coverage in enumerate(COVERAGES):
        (lower, upper), (below, above) = (bounds[2 * at : 2 * at + 2] for bounds in (ours, others))
        held = ((lower <= truth) & (truth <= upper)).mean(axis=(0, 2))
        rows.append(
            {
                "variables": name,
                "horizon": horizon,
                "coverage": 100 * coverage,
                "held": 100 * held.mean(),
                "least of a step": 100 * held.min(),
                "greatest of a step": 100 * held.max(),
                "width / seasonal naive's": ((upper - lower).mean(axis=0) / (above - below).mean(axis=0)).mean(),
                "held without update": 100 * result.interval_scores.loc[(MODEL, coverage), "coverage"],
            }
        )
    return rows


def run(*, once: bool) -> list[Table]:
    """Count how often the truth lay in the intervals."""
    cases = [("OT", 24)] if once else [("all 7", 24), ("all 7", 96), ("OT", 24), ("OT", 96)]
    note = (
        "Percent of the test hours that lie in the interval; over all steps and variables, and at the steps where it\n"
        "is least and most. Calibrated on the four months before the test and then, once a day, on the forecasts that\n"
        "can be judged by then, as by `update`; held without update: on the former alone. Width: beside intervals\n"
        "made in the same way from the errors of a seasonal naive forecast, mean over steps and variables."
    )
    tables = [Table("Intervals on ETTh1", note, [row for name, horizon in cases for row in rows_of(name, horizon)])]
    names = interval_phases.there()
    note = (
        "Percent of the test rows that lie in the interval; over all, and at the step and at the phase of the season\n"
        "that are farthest from the coverage. Before: errors of all phases together; after: by phase. Each season the\n"
        "intervals learn of the forecasts that can be judged by then, as by `update`. n: origins; with few of them, a\n"
        "single step or phase is mostly chance: its standard error is 40 / sqrt(n) at 80 %. Score: the interval score."
    )
    if len(names) < len(interval_phases.SERIES):
        note += f"\nThe other series need {OPEN_DATA.parent.name}/{OPEN_DATA.name}, which isn't there."
    some = {name: interval_phases.SERIES[name]() for name in names[: 1 if once else None]}
    rows = [row for name, case in some.items() for row in interval_phases.rows_of(name, case)]
    return [*tables, Table("Intervals by phase of the season", note, rows)]
