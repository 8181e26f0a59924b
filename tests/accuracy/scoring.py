"""Test errors of forecasters beside those of naive forecasts."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast import LSTMForecaster, backtest

# A method of each name, by what it changes in the defaults.
Methods = dict[str, dict[str, Any]]
THREADS = 2


def compare(
    y: pd.Series | pd.DataFrame, horizon: int, test_size: int, methods: Methods, seeds: int, **options: Any
) -> dict[str, Any]:
    """Mean MSE, half its range over the seeds, mean MAE and median seconds of each method; MSE of both naive forecasts.

    Errors are of standardised values, over all windows of the last ``test_size`` rows; seconds of the fit on the rows
    before and the forecasts of all windows.
    """
    result: dict[str, Any] = {}
    for method, changes in methods.items():
        seconds, tables = [], []
        for seed in range(seeds):
            model = LSTMForecaster(horizon, random_state=seed, n_threads=THREADS, **(options | changes))
            begin = time.perf_counter()
            tables.append(backtest(model, y, folds=test_size, scaled=True).scores)
            seconds.append(time.perf_counter() - begin)
        mse, mae = (np.array([table.loc["LSTMForecaster", name] for table in tables]) for name in ("MSE", "MAE"))
        result |= {f"{method}: MSE": mse.mean(), f"{method}: +-": np.ptp(mse) / 2}
        result |= {f"{method}: MAE": mae.mean(), f"{method}: s": float(np.median(seconds))}
    return result | {naive: tables[0].loc[naive, "MSE"] for naive in ("repeat-last", "seasonal-naive")}
