"""ETTh1 in the published protocol: errors on standardised values of the test hours, beside simpler forecasts."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from tests.accuracy.series import CASES
from tests.bench.report import Table

from lstmforecast import LSTMForecaster, backtest

HORIZONS = {"all 7": (24, 96, 336, 720), "OT": (24, 96)}
# Months of 30 days: twelve to train on, four to validate on, four to test on.
TRAIN, VALIDATION, TEST = 8640, 2880, 2880
METHODS: dict[str, dict[str, Any]] = {
    "LSTMForecaster": {},
    "five": {"n_estimators": 5},
    "linear": {"architecture": "linear"},
}
# MSE of the best published LSTM and linear models (SegRNN: Lin et al. 2023; NLinear: Zeng et al. 2023).
PUBLISHED = {("all 7", 96): ".368 SegRNN", ("all 7", 336): ".429 NLinear", ("all 7", 720): ".440 NLinear"}
PUBLISHED |= {("OT", 96): ".053 NLinear"}


def score(y: pd.Series | pd.DataFrame, horizon: int, seed: int, **options: Any) -> tuple[pd.DataFrame, float]:
    """MSE and MAE of a forecaster and of both naive forecasts on the test hours; seconds of the fit."""
    fraction = VALIDATION / (TRAIN + VALIDATION)
    model = LSTMForecaster(horizon, validation_fraction=fraction, random_state=seed, n_threads=2, **options)
    begin = time.perf_counter()
    model.fit(y.iloc[: TRAIN + VALIDATION])
    seconds = time.perf_counter() - begin
    return backtest(model, y, test_size=TEST, scaled=True).scores[["MSE", "MAE"]], seconds


def row(name: str, horizon: int, seeds: int) -> dict[str, Any]:
    """One row of the table."""
    y = CASES["etth1"]().y
    y = y["OT"] if name == "OT" else y
    result: dict[str, Any] = {"variables": name, "horizon": horizon}
    for method, options in METHODS.items():
        scores, seconds = zip(*(score(y, horizon, seed, **options) for seed in range(seeds)), strict=True)
        of_each = np.array([table.loc["LSTMForecaster"] for table in scores])
        result[f"{method}: MSE"] = of_each[:, 0].mean()
        result[f"{method}: +-"] = np.ptp(of_each[:, 0]) / 2
        result[f"{method}: MAE"] = of_each[:, 1].mean()
        result[f"{method}: s"] = float(np.median(seconds))
    for naive in ("repeat-last", "seasonal-naive"):
        result[naive] = scores[0].loc[naive, "MSE"]
    return result | {"published": PUBLISHED.get((name, horizon), "")}


def run(*, once: bool) -> list[Table]:
    """Score all horizons."""
    seeds = 1 if once else 3
    horizons = {"OT": (24,)} if once else HORIZONS
    rows = [row(name, horizon, seeds) for name, each in horizons.items() for horizon in each]
    note = (
        f"Mean over {seeds} seeds and half the range (+-), defaults for all rows, 2 threads; seconds of one fit.\n"
        "five: n_estimators=5; linear: architecture='linear'. Twelve months of 30 days to train on, four to validate\n"
        "on, four to test on. Naive: MSE."
    )
    return [Table("ETTh1", note, rows)]
