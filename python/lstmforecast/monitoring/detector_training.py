"""The fit of a detector: first the forecaster, then the monitor of its errors."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from lstmforecast import _core
from lstmforecast.contract.core_options import MonitorOptions
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.contract.rules import Number
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.fitting.architecture import LSTM
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.monitoring.scored_rows import network_of, transformed
from lstmforecast.thresholds import Threshold, resolve

Array = NDArray[np.float64]
# Steps ahead of the default forecaster, at most, and rows for each of them.
HORIZON, ROWS_PER_STEP = 24, 20
_RULES = {
    "smoothing": Number(numbers.Real, 1),
    "clip": Number(numbers.Real, 0, low_included=False, none=True),
    "min_gap": Number(numbers.Integral, 0),
    "refit_every": Number(numbers.Integral, 1, none=True),
    "memory": Number(numbers.Integral, 1),
    "contamination": Number(numbers.Real, 0, 0.5, low_included=False, high_included=True, word="auto"),
}
# Values of the forecaster's parameters that a detector can use.
_USABLE: dict[str, tuple[Any, ...]] = {
    "head": ("direct",),
    "n_estimators": (1,),
    "calendar": (None,),
    "holidays": (None,),
    "yearly": ("auto", False),
    "distributed": (False,),
    "loss": (None, "mse", "mae", "huber"),
    # errors are those of the network's forecasts, which may be negative
    "non_negative": ("auto", False),
}


@dataclass(frozen=True)
class DetectorTraining:
    """The parameters of `LSTMAnomalyDetector` for its fit and for refits.

    Attributes
    ----------
    forecaster : LSTMForecaster or None
        Cloned for each fit; None: the default.
    random_state
        Seed of the forecaster; None: its own.
    threshold : Threshold
    smoothing, clip, refit_every, memory
        As in `LSTMAnomalyDetector`.
    """

    forecaster: LSTMForecaster | None
    random_state: Any
    threshold: Threshold
    smoothing: float
    clip: float | None
    refit_every: int | None
    memory: int

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> DetectorTraining:
        """Select them from the parameters of a detector."""
        chosen = {name: parameters[name] for name in cls.__dataclass_fields__}
        return cls(**chosen | {"threshold": resolve(parameters["threshold"])})

    def new_forecaster(self, n_rows: int, horizon: int | None = None) -> LSTMForecaster:
        """An unfitted forecaster for ``n_rows`` rows; ``horizon`` is that of the default forecaster, if it is given."""
        if self.forecaster is None:
            steps = horizon or min(HORIZON, max(1, n_rows // ROWS_PER_STEP))
            # naive forecasts follow an anomaly, whose errors are then small
            forecaster = LSTMForecaster(steps, non_negative=False, architecture=LSTM(mix_naive=False))
        elif isinstance(self.forecaster, LSTMForecaster):
            forecaster = clone(self.forecaster)
        else:
            raise TypeError(f"expected forecaster to be an LSTMForecaster or None, got {self.forecaster!r}")
        if flat_parameters(forecaster)["yearly"] == "auto":
            # the monitor has no times
            forecaster.set_params(calendar__yearly=False)
        if forecaster.transform == "auto":
            # later rows of any size must have a score, and a logarithm shrinks the errors of large ones
            forecaster.set_params(transform=None)
        return forecaster if self.random_state is None else forecaster.set_params(random_state=self.random_state)

    def fit_forecaster(
        self, rows: Array, frequency: Any, names: Sequence[Any], horizon: int | None = None
    ) -> tuple[LSTMForecaster, Array]:
        """Fit a forecaster to rows (n, k) of columns called ``names``, gaps interpolated.

        Also returns the rows for the monitor: from the first row at which each column has had a value, with their gaps,
        but with the gaps in the first window filled.
        """
        whole = pd.DataFrame(rows).ffill()
        if whole.isna().all(axis=0).any():
            empty = names[int(whole.isna().all(axis=0).to_numpy().argmax())]
            raise ValueError(f"expected values in every column of X, got none in {empty!r}")
        rows = rows[int(whole.notna().all(axis=1).to_numpy().argmax()) :]
        forecaster = self.new_forecaster(len(rows), horizon)
        filled = pd.DataFrame(rows).interpolate().ffill().set_axis([str(i) for i in range(rows.shape[1])], axis=1)
        if frequency is not None:
            filled.index = pd.date_range("2000-01-01", periods=len(filled), freq=frequency)
        forecaster.fit(filled if frequency is not None else filled.to_numpy())
        if self.forecaster is not None:
            # its parameters stay the user's
            given = clone(self.forecaster)
            forecaster.set_params(calendar=given.calendar, transform=given.transform)
        # the first window is interpolated, as there are no forecasts for it
        rows = rows.copy()
        rows[: forecaster.window_size_] = filled.to_numpy()[: forecaster.window_size_]
        return forecaster, rows

    def fit_monitor(self, forecaster: LSTMForecaster, rows: Array) -> _core.Monitor:
        """Learn usual errors and the threshold from rows (n, k) that the forecaster was fitted to."""
        config: MonitorOptions = {
            "smoothing": float(self.smoothing),
            "threshold": self.threshold.config(),
            "clip": None if self.clip is None else float(self.clip),
        }
        n_train = HeldOut.of(forecaster).training_rows(len(rows))
        rows = transformed(forecaster, rows)
        return _core.Monitor.fit(network_of(forecaster), rows, config, n_train, forecaster.n_threads)[0]


def check_parameters(parameters: Mapping[str, Any], n_rows: int) -> None:
    """Raise a TypeError or ValueError for the first of a detector's parameters that is out of range."""
    for name, rule in _RULES.items():
        rule.check(name, parameters[name])
    training = DetectorTraining.of(parameters)
    training.threshold.config()
    forecaster = training.new_forecaster(n_rows)
    flat = flat_parameters(forecaster)
    for name, values in _USABLE.items():
        got = flat[name]
        if got not in values:
            words = " or ".join(map(repr, values))
            raise ValueError(f"expected a forecaster with {name}={words} to detect anomalies with, got {got!r}")
