"""A fitted forecaster as a server knows it: what it needs, and forecasts from many windows in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.roll import ends_of, roll
from lstmforecast.monitoring.ab_store import write_label
from lstmforecast.serve.timestamps import Clock, check_years
from lstmforecast.uncertainty.calibration import SIDES, check_probabilities, levels_of
from lstmforecast.uncertainty.intervals import corrected_quantiles

if TYPE_CHECKING:
    from lstmforecast.estimators.forecaster import LSTMForecaster

Array = NDArray[np.float64]
# Different coverages and horizons whose corrections are kept.
_REMEMBERED = 64


@dataclass(frozen=True)
class Window:
    """Rows to forecast from: values (n, k), NaN where missing, their times, and the name of a panel's series."""

    values: Array
    times: list[Any] | None = None
    series: str | None = None


@dataclass(frozen=True)
class Prepared:
    """Windows as the network reads them, features of the future, sizes of a panel's series, times ahead, and steps."""

    windows: Array
    future: Array
    scales: Array | None
    units: ErrorScale | None
    times: list[Any]
    steps: int

    @staticmethod
    def joined(parts: Sequence[Prepared]) -> Prepared:
        """All of them, below each other."""
        if len(parts) == 1:
            return parts[0]
        windows, future = (np.concatenate([getattr(part, name) for part in parts]) for name in ("windows", "future"))
        scales = None if parts[0].scales is None else np.concatenate([part.scales for part in parts])
        units = [part.units for part in parts if part.units is not None]
        joined = ErrorScale(*(np.concatenate(each) for each in zip(*units, strict=True))) if units else None
        times = [time for part in parts for time in part.times]
        return Prepared(windows, future, scales, joined, times, parts[0].steps)


class ServedModel:
    """A fitted forecaster under a name.

    Parameters
    ----------
    name : str
        By which requests ask for it.
    forecaster : LSTMForecaster
        Fitted, without ``X`` and ``X_past``, which requests can't bring.
    n_threads : int or None, default=None
        Threads for a forecast; None: as the forecaster says.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        If it is something else.
    """

    def __init__(self, name: str, forecaster: LSTMForecaster, n_threads: int | None = None) -> None:
        from lstmforecast.estimators.forecaster import LSTMForecaster

        if not isinstance(forecaster, LSTMForecaster):
            raise TypeError(f"expected LSTMForecaster for the model {name!r}, got {type(forecaster).__name__}")
        check_is_fitted(forecaster)
        self._seen = forecaster.fitted_.seen
        tables = {"X": self._seen.covariates.known, "X_past": self._seen.covariates.past}
        given = [each for each, table in tables.items() if table is not None]
        if given:
            raise ValueError(f"expected the model {name!r} without {given[0]}, which can't be served, got one with it")
        self.name, self.forecaster = name, forecaster
        self._n_threads = forecaster.n_threads if n_threads is None else n_threads
        observations = self._seen.observations
        self.is_panel, self.n_variables = observations.is_panel, observations.n_columns
        self.variables = [str(name) for name in observations.form.variables(self.n_variables)]
        self._clock = Clock.of(observations)
        self._keys = {str(key): key for key in observations.series_keys} if self.is_panel else {}
        self._plain = not (self._seen.covariates.n_features or self.is_panel or forecaster.loss == "negative_binomial")
        self._lowest = -1.0 if forecaster.transform == "log" else -np.inf
        self._distribution = forecaster.model_.config["distribution"]
        self.checked_coverages = lru_cache(_REMEMBERED)(self._check_coverages)
        self.corrections = lru_cache(_REMEMBERED)(self._make_corrections)
        # for a forecast from one window, until it is measured
        self.seconds = 1.0

    @property
    def horizon(self) -> int:
        """Steps that it was trained for."""
        return self.forecaster.horizon

    @property
    def least_rows(self) -> int:
        """Rows that a window has at least."""
        return 1 if self.is_panel else self.forecaster.window_size_

    @property
    def time_kind(self) -> str:
        """What times are: ``"datetime"``, ``"period"``, ``"integer"`` or ``"none"``."""
        return self._clock.kind

    @property
    def needs_times(self) -> bool:
        """Whether the network reads the calendar, or its rows are found by series and time."""
        return self.is_panel or bool(self._seen.covariates.n_features)

    def knows(self, series: str) -> bool:
        """Whether a panel's series was among those of the fit."""
        return series in self._keys

    @property
    def is_flat(self) -> bool:
        """Whether values come without inner arrays, as those of a vector or Series."""
        return self._seen.observations.form.kind in ("vector", "series")

    @property
    def greatest_coverage(self) -> float:
        """Of intervals, for which there are errors enough; 0 if there are none."""
        n = self.forecaster.fitted_.n_errors
        return max(0.0, n / (n + 1) if self.is_panel else (n - 1) / (n + 1))

    def description(self) -> dict[str, Any]:
        """What a client needs to know, in plain values."""
        observations = self._seen.observations
        freq = observations.freq
        return {
            "name": self.name,
            "window_size": self.forecaster.window_size_,
            "least_rows": self.least_rows,
            "horizon": self.horizon,
            "variables": self.variables,
            "times": self.time_kind,
            "needs_times": self.needs_times,
            "freq": None if freq is None else str(freq if isinstance(freq, str | int) else freq.freqstr),
            "missing": self.forecaster.missing,
            "greatest_coverage": self.greatest_coverage,
            "is_panel": self.is_panel,
            "architecture": self.forecaster.architecture,
        }

    def example(self) -> Window:
        """The rows at the end of the data that it was fitted to, from which it can forecast."""
        observations = self._seen.observations
        part = observations.take(np.arange(int(observations.lengths[0])))
        rows = slice(max(0, len(part) - self.forecaster.window_size_), None)
        times = None if part.index is None else self._clock.written(part.index[rows])
        return Window(part.values[rows], times, str(part.series_keys[0]) if self.is_panel else None)

    def labels(self, times: Any) -> list[str]:
        """Times of requests or answers as `lstmforecast.ab` keeps them; a ValueError if one can't be read."""
        plain = times if isinstance(times, np.ndarray) else self._clock.plain(times)
        if plain is not None:
            check_years(plain)
            labels: list[str] = np.datetime_as_string(plain, unit="s").tolist()
            return labels
        return [write_label(time) for time in self._clock.read(list(times))]

    def series_labels(self, key: str | None, series: str | None) -> list[str]:
        """What a log calls each variable: key, series of a panel and name of one of several, where there are such."""
        names = self.variables
        parts = [part for part in (key, series) if part]
        return ["/".join([*parts, *([name] if len(names) > 1 else [])]) for name in names]

    def _check_coverages(self, given: tuple[float, ...], steps: int) -> tuple[float, ...]:
        """Read coverages; a ValueError unless there are errors enough for intervals of them and of so many steps."""
        model, coverages = self.forecaster, check_probabilities("coverage", list(given))
        levels = _levels(coverages)
        wanted = [f"coverage={coverage:g}" for coverage in coverages for _ in SIDES]
        model.fitted_.require_errors(levels, wanted, steps, HeldOut.of(model))
        return tuple(coverages)

    def prepare(self, window: Window, steps: int) -> Prepared:
        """Bring a window into the form that the network reads; a ValueError or TypeError if that can't be."""
        return self._prepare_plain(window, steps) or self._prepare_any(window, steps)

    def _prepare_plain(self, window: Window, steps: int) -> Prepared | None:
        """The common case, in which pandas would take longer than the network: no gaps, no features."""
        if not self._plain:
            return None
        times = None if window.times is None else self._clock.after(window.times, steps)
        # a missing value compares as false
        if (window.times is not None and times is None) or not (window.values > self._lowest).all():
            return None
        values = window.values[-self.forecaster.window_size_ :]
        rows = (np.log1p(values) if self.forecaster.transform == "log" else values)[np.newaxis]
        return Prepared(rows, np.zeros((1, steps, 0)), None, None, [times], steps)

    def _prepare_any(self, window: Window, steps: int) -> Prepared:
        model = self.forecaster
        seen = model.fitted_.on(self._container(window), None, None, None, model.missing)[0].seen
        windows, future = ends_of(model.model_, seen, steps, None)
        index = seen.observations.future_index(steps)
        times = None if index is None else self._clock.written(index)
        return Prepared(windows, future, seen.scales, seen.error_scale, [times], steps)

    def _container(self, window: Window) -> Any:
        if window.times is None:
            return window.values
        index = self._clock.read(window.times)
        columns = self._seen.observations.form.columns
        if self.is_panel:
            series = window.series or ""
            keys = pd.Index([self._keys.get(series, series)] * len(index), dtype=object)
            index = pd.MultiIndex.from_arrays([keys, index])
        return pd.DataFrame(window.values, index=index, columns=columns)

    def forecast(self, prepared: Prepared, coverages: tuple[float, ...]) -> tuple[Array, Array]:
        """Forecasts (n, steps, k), and bounds (n_coverages * 2, n, steps, k), lower and upper by turns."""
        parameters = roll(self.forecaster.model_, prepared.windows, prepared.future, self._n_threads, prepared.scales)
        parameters = parameters[:, : prepared.steps]
        points = parameters[..., 0] if self._distribution is None else mean(self._distribution, parameters)
        bounds = self._bounds(parameters, coverages, prepared.units)
        points, bounds = self._seen.undo(points), self._seen.undo(bounds)
        return points.astype(self._seen.observations.form.dtype, copy=False), bounds

    def _bounds(self, parameters: Array, coverages: tuple[float, ...], units: ErrorScale | None) -> Array:
        if not coverages:
            return np.empty((0, *parameters.shape[:3]))
        if self._distribution is None and units is None:
            # rounding keeps order, so that corrections may be put in order before they are added
            return parameters[..., 0] + self.corrections(coverages, parameters.shape[1])
        return self._quantiles(parameters, coverages, units)

    def _make_corrections(self, coverages: tuple[float, ...], steps: int) -> Array:
        """What is added to points for their bounds: (n_levels, 1, steps, k)."""
        zero = np.zeros((1, steps, self.n_variables, 1))
        return self._quantiles(zero, coverages)

    def _quantiles(self, parameters: Array, coverages: tuple[float, ...], units: ErrorScale | None = None) -> Array:
        calibration = self.forecaster.fitted_.calibration
        assert calibration is not None
        return corrected_quantiles(calibration, parameters, _levels(coverages), units)


def _levels(coverages: Sequence[float]) -> list[float]:
    return [level for coverage in coverages for level in levels_of(coverage)]
