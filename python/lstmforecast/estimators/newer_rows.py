"""Rows that a fitted forecaster has not seen: its data, its forecasts from them, and what came true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.dataset import Dataset, read_observations
from lstmforecast.data.observations import Missing
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.uncertainty.fitted_series import FittedSeries

Array = NDArray[np.float64]
MOST_WINDOWS = 2000


@dataclass(frozen=True)
class NewerRows:
    """Newer data, and origins of forecasts with a window before and a horizon after them.

    Attributes
    ----------
    fitted : FittedSeries
        The network, and the data of its fit.
    dataset : Dataset
        The data, with the scales that the series had at `fit`.
    which, origins : ndarray of int of shape (n_origins,)
        The series of each origin, and its row in it: evenly spread over all, at most `MOST_WINDOWS`.
    """

    fitted: FittedSeries
    dataset: Dataset
    which: NDArray[np.int64]
    origins: NDArray[np.int64]

    @classmethod
    def read(
        cls,
        fitted: FittedSeries,
        y: Any,
        X: Any = None,
        X_past: Any = None,
        static: Any = None,
        *,
        missing: Missing,
    ) -> NewerRows:
        """Read data as `LSTMForecaster.fit` does, of the columns of the fit.

        Raises
        ------
        TypeError, ValueError
            As in `fit`; also if there are fewer rows than a window and a horizon.
        """
        like = fitted.dataset
        y, X, X_past, static = like.read_newer(y, X, X_past, static, "y")[0]
        observations = read_observations(y, missing=missing, like=like.observations)
        features = like.covariates.of(observations, X, X_past, static)
        dataset = replace(like, observations=observations, features=features, statistics=None)
        places = _spread(observations.lengths, fitted.window_size, fitted.horizon)
        return cls(fitted, dataset.with_statistics(like=like), *places)

    @property
    def truth(self) -> Array:
        """The values that came true: (n_origins, horizon, k), NaN where missing."""
        observations, horizon = self.dataset.observations, self.fitted.horizon
        found: Array = observations.truth[
            observations.row_of(self.which, self.origins)[:, np.newaxis] + np.arange(horizon)
        ]
        return found

    def forecast(self, n: int | None = None, n_threads: int | None = None) -> Array:
        """The forecasts from the first ``n`` origins, or all: (n, horizon, k)."""
        model, horizon = self.fitted.model, self.fitted.horizon
        which, origins = self.which[:n], self.origins[:n]
        parameters = forecast_origins(model, self.dataset, origins, horizon, which, n_threads)
        lowest = self.dataset.lowest(self.fitted.window_size, which, origins)
        return self.dataset.undo(mean(model.config["distribution"], parameters), lowest)


def _spread(lengths: NDArray[np.int64], size: int, horizon: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Series and rows of origins, evenly spread over those with a window before and a horizon after them."""
    counts = np.maximum(lengths - size - horizon + 1, 0)
    total = int(counts.sum())
    if not total:
        raise ValueError(f"expected y with at least {size + horizon} rows, a window and a horizon, got {lengths.max()}")
    numbers = np.linspace(0, total - 1, min(total, MOST_WINDOWS)).round().astype(np.int64)
    which = np.searchsorted(np.cumsum(counts), numbers, side="right")
    return which, size + numbers - (np.cumsum(counts) - counts)[which]
