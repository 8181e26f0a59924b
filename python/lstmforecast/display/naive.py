"""Naive forecasts beside those of a backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from lstmforecast.evaluation.backtest_result import BacktestResult


def with_naive(result: BacktestResult) -> pd.DataFrame:
    """The forecasts of a backtest, with columns of the two naive forecasts."""
    from lstmforecast.evaluation.backtest_result import in_usual_names
    from lstmforecast.evaluation.rolling import Origins
    from lstmforecast.evaluation.scoring import MODEL, REPEAT_LAST, SEASONAL_NAIVE, carried, naive_forecast, seasons_at

    observations, steps = result.observations, np.arange(result.values.shape[1])
    rows = Origins(result.which, result.origins).first_rows(observations)[:, np.newaxis]
    values, seasons = carried(observations), seasons_at(result.origins, result.season_length)[:, np.newaxis]
    naive = {
        REPEAT_LAST: naive_forecast(values, rows, 1, steps),
        SEASONAL_NAIVE: naive_forecast(values, rows, seasons, steps),
    }
    columns = {name: forecast.ravel() for name, forecast in naive.items()}
    forecasts = in_usual_names(result, result.forecasts)
    return forecasts.rename(columns={"forecast": MODEL}).assign(**columns)
