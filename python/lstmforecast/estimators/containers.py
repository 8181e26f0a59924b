"""Results in the containers of the data, for what draws, writes or serves them, where columns were named at `fit`."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

from lstmforecast.data.columns import Columns
from lstmforecast.estimators.estimator import require_fitted
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.estimators.series_fit import keep_series


def in_containers(
    forecaster: LSTMForecaster,
    y: Any = None,
    *,
    X: Any = None,
    X_past: Any = None,
    context: Any = None,
    static: Any = None,
) -> tuple[LSTMForecaster, Any, dict[str, Any]]:
    """A forecaster whose results are labelled by their index, whether columns were named at `fit` or not.

    Also returns ``y`` and the arguments of `predict` for it.
    """
    require_fitted(forecaster)
    columns = forecaster.fitted_.dataset.columns
    if columns is None:
        return forecaster, y, {"X": X, "X_past": X_past, "context": context, "static": static}
    fitted, X = forecaster.fitted_.from_context(context, forecaster.missing, X, X_past, static)
    read = None if y is None else columns.read(y, "y")
    other = copy(forecaster)
    keep_series(other, replace(fitted, dataset=replace(fitted.dataset, columns=None)))
    return other, y if read is None else read[1].y, {"X": X}


def columns_of(forecaster: LSTMForecaster) -> Columns | None:
    """The columns that were named at `fit`; None before it, or without names."""
    columns: Columns | None = forecaster.fitted_.dataset.columns if hasattr(forecaster, "fitted_") else None
    return columns
