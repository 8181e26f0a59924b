"""Scores of rows, as the compiled core returns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.monitoring.detector_rows import Rows

Array = NDArray[np.float64]
# Scores are in usual errors: a threshold below this part of one belongs to a series without errors.
LEAST_THRESHOLD = 1e-3
# The severity of a score that is equal to its threshold.
ON_THRESHOLD = 1.0


@dataclass(frozen=True)
class ScoredRows:
    """Scores of rows, with the forecasts and errors behind them; NaN where unknown.

    Attributes
    ----------
    scores, thresholds : ndarray of shape (n,)
    errors, forecasts : ndarray of shape (n, k)
        Smoothed errors of each variable, and forecasts one step ahead.
    """

    scores: Array
    thresholds: Array
    errors: Array
    forecasts: Array

    @classmethod
    def of(cls, arrays: tuple[Array, Array, Array, Array], n_columns: int) -> ScoredRows:
        """Give the core's flat arrays their shapes."""
        scores, thresholds, errors, forecasts = arrays
        return cls(scores, thresholds, errors.reshape(-1, n_columns), forecasts.reshape(-1, n_columns))

    @classmethod
    def unknown(cls, n: int, n_columns: int) -> ScoredRows:
        """``n`` rows without scores."""
        flat, wide = np.full(n, np.nan), np.full((n, n_columns), np.nan)
        return cls(flat, flat, wide, wide)

    @classmethod
    def joined(cls, parts: Sequence[ScoredRows]) -> ScoredRows:
        """Concatenate the rows of all parts."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate(each) for each in zip(*map(_arrays, parts), strict=True)))

    def take(self, chosen: NDArray[np.bool_]) -> ScoredRows:
        """Select rows."""
        return self if chosen.all() else ScoredRows(*(part[chosen] for part in _arrays(self)))

    def severity(self) -> Array:
        """Scores as multiples of their thresholds; 0 without a score."""
        return np.nan_to_num(self.scores / np.maximum(self.thresholds, LEAST_THRESHOLD), nan=0.0)

    def frame(self, rows: Rows, offset: float) -> pd.DataFrame:
        """The table of `LSTMAnomalyDetector.trace`."""
        blocks = {"value": rows.table, "forecast": self.forecasts, "error": self.errors}
        columns: dict[tuple[Any, Any], Any] = {
            (kind, name): block[:, i] for kind, block in blocks.items() for i, name in enumerate(rows.names)
        }
        severity = self.severity() / abs(offset)
        columns |= {("score", ""): self.scores, ("threshold", ""): self.thresholds * abs(offset)}
        columns |= {("severity", ""): np.where(np.isnan(self.scores), np.nan, severity)}
        columns |= {("anomaly", ""): severity > ON_THRESHOLD}
        frame = pd.DataFrame(columns, index=rows.row_labels)
        frame.columns = pd.MultiIndex.from_tuples(list(columns))
        return frame


def score_next(forecaster: LSTMForecaster, monitor: _core.Monitor, rows: Array) -> ScoredRows:
    """Score the rows (n, k) that follow those that a monitor has seen; the monitor learns them."""
    found = monitor.run(network_of(forecaster), transformed(forecaster, rows), forecaster.n_threads)
    scores, thresholds, errors, forecasts = found
    if forecaster.transform_ == "log":
        forecasts = np.expm1(forecasts)
    return ScoredRows.of((scores, thresholds, errors, forecasts), rows.shape[1])


def network_of(forecaster: LSTMForecaster) -> _core.Model:
    """The network of a forecaster; a detector takes no ensembles."""
    assert isinstance(forecaster.model_, _core.Model)
    return forecaster.model_


def transformed(forecaster: LSTMForecaster, rows: Array) -> Array:
    """Rows (n, k) after the forecaster's ``transform``; a ValueError for values without a logarithm."""
    if forecaster.transform_ != "log":
        return rows
    if (rows <= -1).any():
        row, column = (int(i) for i in np.argwhere(rows <= -1)[0])
        got = f"{rows[row, column]:g} in row {row}" + (f", column {column}" if rows.shape[1] > 1 else "")
        raise ValueError(f"expected values above -1 for transform='log', got {got}")
    logs: Array = np.log1p(rows)
    return logs


def _arrays(scored: ScoredRows) -> tuple[Array, Array, Array, Array]:
    return scored.scores, scored.thresholds, scored.errors, scored.forecasts
