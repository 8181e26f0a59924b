"""Intervals and quantiles of a forecaster: its forecasts, and how far they have been off before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.calibration import (
    SIDES,
    Calibration,
    calibration_origins,
    check_probabilities,
    interval_columns,
    levels_of,
    place_of,
    quantile_columns,
)
from lstmforecast.container import Observations
from lstmforecast.ensemble import Ensemble
from lstmforecast.index import continue_index


class ConformalIntervals:
    """What `LSTMForecaster` inherits for intervals; not for use on its own."""

    horizon: int
    n_threads: int | None
    model_: _core.Model | Ensemble
    _n_rows: int
    _calibration: Calibration | None
    # The rows from which the forecasts that end in the newest rows were made.
    _recent: NDArray[np.float64]

    def _predict(self, horizon: int | None, context: Any) -> tuple[Observations, NDArray[np.float64]]:
        """What is forecast from, and the forecast (steps, k)."""
        raise NotImplementedError

    def _training_rows(self, n_rows: int) -> int:
        """The number of rows trained on, of those given to `fit`."""
        raise NotImplementedError

    def _forecast_origins(
        self, values: NDArray[np.float64], origins: NDArray[np.int64], steps: int
    ) -> NDArray[np.float64]:
        """Forecast ``steps`` from the rows of ``values`` (n, k) before each origin: (n_origins, steps, k)."""
        raise NotImplementedError

    def predict_interval(
        self, coverage: float | Sequence[float] = 0.9, horizon: int | None = None, context: Any = None
    ) -> pd.DataFrame:
        """Forecast intervals that hold the truth with a given probability.

        Split conformal prediction: as far to both sides of the forecast as forecasts were off on the rows that `fit`
        held out, for each step and variable. They hold as often as promised if the future is like those rows, whatever
        the distribution. The rows also chose the best epoch, which makes intervals from few rows a little too narrow.

        Parameters
        ----------
        coverage : float or list of float, default=0.9
            Probability that a value lies between lower and upper bound.
        horizon : int or None, default=None
            How many steps, at most as many as trained for; None: all of them.
        context : array-like, Series, DataFrame or None, default=None
            As in `predict`.

        Returns
        -------
        DataFrame of shape (horizon, k * n_coverages * 2)
            Columns as in sktime: variable, coverage, ``"lower"`` or ``"upper"``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also if nothing was held out, or too little for the coverage.

        Examples
        --------
        >>> from lstmforecast import LSTMForecaster
        >>> rng = np.random.default_rng(0)
        >>> model = LSTMForecaster(horizon=3, hidden_size=8, max_epochs=1, random_state=0).fit(rng.normal(size=500))
        >>> interval = model.predict_interval(coverage=0.8)
        >>> list(interval.columns)
        [(0, 0.8, 'lower'), (0, 0.8, 'upper')]
        >>> bool((interval[0, 0.8, "lower"] < interval[0, 0.8, "upper"]).all())
        True
        """
        coverages = check_probabilities("coverage", coverage)
        levels = [level for each in coverages for level in levels_of(each)]
        wanted = [f"coverage={each:g}" for each in coverages for _ in SIDES]
        return self._predict_levels(levels, wanted, lambda names: interval_columns(names, coverages), horizon, context)

    def predict_quantiles(
        self,
        alpha: float | Sequence[float] = (0.1, 0.5, 0.9),
        horizon: int | None = None,
        context: Any = None,
    ) -> pd.DataFrame:
        """Forecast quantiles, from the same errors as `predict_interval`; they never cross.

        Parameters
        ----------
        alpha : float or list of float, default=(0.1, 0.5, 0.9)
            Probabilities that a value is at most as high.
        horizon, context
            As in `predict_interval`.

        Returns
        -------
        DataFrame of shape (horizon, k * n_levels)
            Columns as in sktime: variable, alpha.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict_interval`.
        """
        levels = check_probabilities("alpha", alpha)
        wanted = [f"alpha={level:g}" for level in levels]
        return self._predict_levels(levels, wanted, lambda names: quantile_columns(names, levels), horizon, context)

    def _predict_levels(
        self,
        levels: list[float],
        wanted: list[str],
        columns: Callable[[pd.Index], pd.MultiIndex],
        horizon: int | None,
        context: Any,
    ) -> pd.DataFrame:
        """Quantiles of these levels, those of one variable side by side; messages say what each is wanted for."""
        seen, forecast = self._predict(horizon, context)
        n_errors = 0 if self._calibration is None else len(self._calibration.errors)
        self._check_levels(levels, wanted, n_errors, len(forecast), self.model_.config["horizon"])
        values = np.moveaxis(forecast + self._error_quantiles(len(forecast), levels), 0, -1)
        start = self._n_rows if context is None else len(seen)
        index: pd.Index = pd.RangeIndex(start, start + len(forecast))
        if seen.index is not None:
            index = continue_index(seen.index, seen.freq, len(forecast))
        return pd.DataFrame(
            values.reshape(len(forecast), -1), index=index, columns=columns(seen.form.variables(seen.n_columns))
        )

    def _quantiles_at(
        self, values: NDArray[np.float64], origins: NDArray[np.int64], horizon: int, levels: Sequence[float]
    ) -> NDArray[np.float64]:
        """Quantiles of the rows of ``values`` (n, k) from each origin on: (n_levels, n_origins, horizon, k)."""
        errors = self._error_quantiles(horizon, levels)
        return self._forecast_origins(values, origins, horizon) + errors[:, np.newaxis]

    def _check_levels(
        self, levels: Sequence[float], wanted: Sequence[str], n_errors: int, horizon: int, trained: int
    ) -> None:
        """Raise a ValueError unless there are errors enough for these levels, and for all steps of the horizon."""
        if n_errors == 0:
            raise ValueError(
                "expected rows held out by fit for the errors that intervals are made of, got none: set patience and "
                "validation_fraction"
            )
        if horizon > trained:
            raise ValueError(f"expected a horizon of at most {trained}, as trained for, got {horizon}")
        for level, words in zip(levels, wanted, strict=True):
            place_of(level, n_errors, words)

    def _error_quantiles(self, horizon: int, levels: Sequence[float]) -> NDArray[np.float64]:
        """What to add to a forecast for each level: (n_levels, horizon, k); for levels that `_check_levels` passed."""
        assert self._calibration is not None
        return np.stack([self._calibration.quantile(level, f"{level:g}")[:horizon] for level in levels])

    def _held_out_origins(self, n_rows: int, filled: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Where the forecasts begin that a fit on so many rows is calibrated with; ``filled`` values are no truth."""
        origins = calibration_origins(self._training_rows(n_rows), n_rows, self.horizon)
        if filled is None:
            return origins
        known: NDArray[np.bool_] = ~filled[origins[:, np.newaxis] + np.arange(self.horizon)].any(axis=(1, 2))
        return origins[known]

    def _calibrate(self, model: _core.Model | Ensemble, observations: Observations) -> None:
        """Forecast the rows that `fit` held out. Made-up values are no truth."""
        values = observations.values
        origins = self._held_out_origins(len(values), observations.filled)
        self._calibration = None
        if len(origins):
            steps = origins[:, np.newaxis] + np.arange(self.horizon)
            forecasts = model.forecast_series(values, origins, self.n_threads)
            self._calibration = Calibration.of(values[steps], forecasts)
        self._recent = _last_rows(model, values)

    def _learn_errors(self, newer: Observations) -> None:
        """Judge the forecasts whose last step is among the newer rows; made-up values are no truth."""
        if self._calibration is None:
            return
        horizon = self.model_.config["horizon"]
        made_up = np.zeros(newer.values.shape, bool) if newer.filled is None else newer.filled
        values = np.concatenate([self._recent, newer.values])
        made_up = np.concatenate([np.zeros(self._recent.shape, bool), made_up])
        origins = np.arange(len(self._recent) - horizon + 1, len(values) - horizon + 1)
        steps = origins[:, np.newaxis] + np.arange(horizon)
        known = ~made_up[steps].any(axis=(1, 2)) & (origins >= self.model_.config["window_size"])
        if known.any():
            forecasts = self.model_.forecast_series(values, origins[known], self.n_threads)
            self._calibration = self._calibration.extended(values[steps[known]], forecasts)
        self._recent = _last_rows(self.model_, values)

    def _interval_tensors(self) -> dict[str, NDArray[Any]]:
        """What a file keeps of it."""
        return {} if self._calibration is None else {"errors": self._calibration.errors, "recent": self._recent}

    def _restore_interval_tensors(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of `_interval_tensors`."""
        self._calibration = None
        if "errors" in tensors:
            self._calibration, self._recent = Calibration(tensors["errors"]), tensors["recent"]


def _last_rows(model: _core.Model | Ensemble, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[-(model.config["window_size"] + model.config["horizon"] - 1) :].copy()
