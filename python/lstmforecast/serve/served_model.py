"""A fitted forecaster in a server: the checks of its requests, and forecasts from many windows in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.data.frames import SERIES, TIME
from lstmforecast.data.season import steps_of
from lstmforecast.fitting.distribution import FROM_ZERO, mean, name_of
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.roll import Seen, ends_of, roll
from lstmforecast.monitoring.ab_store import write_label
from lstmforecast.serve.covariates import GivenCovariates, ServedCovariates
from lstmforecast.serve.telemetry import LOGGER
from lstmforecast.serve.timestamps import TimeFormat, check_years
from lstmforecast.uncertainty.calibration import SIDES, check_probabilities, levels_of
from lstmforecast.uncertainty.intervals import corrected_quantiles

if TYPE_CHECKING:
    from lstmforecast.estimators.forecaster import LSTMForecaster

Array = NDArray[np.float64]
# Coverages and horizons that are cached, and corrections for these and the phases of the season.
_REMEMBERED, _MOST_CORRECTIONS = 64, 1024


@dataclass(frozen=True)
class Window:
    """Rows to forecast from: values (n, k), NaN where missing, their times, a panel's series, and covariates."""

    values: Array
    times: list[Any] | None = None
    series: str | None = None
    covariates: GivenCovariates | None = None


@dataclass(frozen=True)
class Prepared:
    """What the network reads, scales and error scales of series, times, steps, the place of the first step in the
    season, -1 where unknown, and the lowest forecasts (n, k).
    """

    seen: Seen
    scales: Array | None
    error_scale: ErrorScale | None
    times: list[Any]
    steps: int
    phases: NDArray[np.int64]
    lowest: Array | None = None

    @staticmethod
    def joined(parts: Sequence[Prepared]) -> Prepared:
        """Join the windows of several."""
        if len(parts) == 1:
            return parts[0]
        seen = Seen.joined([part.seen for part in parts])
        scales, lowest = (
            None if getattr(parts[0], name) is None else np.concatenate([getattr(part, name) for part in parts])
            for name in ("scales", "lowest")
        )
        each = [part.error_scale for part in parts if part.error_scale is not None]
        joined = ErrorScale(*(np.concatenate(column) for column in zip(*each, strict=True))) if each else None
        times = [time for part in parts for time in part.times]
        phases = np.concatenate([part.phases for part in parts])
        return Prepared(seen, scales, joined, times, parts[0].steps, phases, lowest)


class ServedModel:
    """A fitted forecaster under a name.

    Parameters
    ----------
    name : str
        The name that requests use.
    forecaster : LSTMForecaster
        Fitted.
    n_threads : int or None, default=None
        Threads for a forecast; None: ``n_threads`` of the forecaster.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        If the forecaster isn't fitted, or can't be served.
    """

    def __init__(self, name: str, forecaster: LSTMForecaster, n_threads: int | None = None) -> None:
        from lstmforecast.estimators.forecaster import LSTMForecaster

        if not isinstance(forecaster, LSTMForecaster):
            raise TypeError(f"expected LSTMForecaster for the model {name!r}, got {type(forecaster).__name__}")
        check_is_fitted(forecaster)
        dataset = forecaster.fitted_.dataset
        self.covariates = ServedCovariates.of(dataset, forecaster.model_.config["horizon"])
        # windows are arrays or have an index, whatever the columns of fit were
        self._dataset = replace(dataset, columns=None, covariates=dataset.covariates.named())
        self.name, self.forecaster = name, forecaster
        self._n_threads = forecaster.n_threads if n_threads is None else n_threads
        observations = self._dataset.observations
        named, is_long = dataset.columns, observations.form.kind == "long"
        self._names: tuple[str | None, str | None] = (SERIES, TIME) if is_long else (None, None)
        if named is not None:
            self._names = (None if named.series is None else str(named.series), str(named.time))
        self.is_panel, self.n_variables = observations.is_panel, observations.n_columns
        self.variables = [str(name) for name in observations.form.variables(self.n_variables)]
        self.window_fields = ("values", "times", "series", *self.covariates.roles)
        self._time_format = TimeFormat.of(observations)
        self._keys = {str(key): key for key in observations.series_keys} if self.is_panel else {}
        self._distribution = forecaster.model_.config["distribution"]
        self._plain = not (
            self._dataset.covariates.n_features or self.is_panel or name_of(self._distribution) in FROM_ZERO
        )
        # the greatest value that a plain window doesn't have
        self._below = -1.0 if forecaster.transform_ == "log" else -np.inf
        if self._dataset.non_negative is True:
            self._below = -np.finfo(np.float64).smallest_subnormal
        self.checked_coverages = lru_cache(_REMEMBERED)(self._check_coverages)
        self.corrections = lru_cache(_MOST_CORRECTIONS)(self._make_corrections)
        # an estimate of the time for one window, until it is measured
        self.seconds = 1.0

    @property
    def horizon(self) -> int:
        """Steps that the network was trained for."""
        return self.forecaster.horizon

    @property
    def least_rows(self) -> int:
        """Fewest rows of a window."""
        return 1 if self.is_panel else self.forecaster.window_size_

    @property
    def time_kind(self) -> str:
        """Kind of the times: ``"datetime"``, ``"period"``, ``"integer"`` or ``"none"``."""
        return self._time_format.kind

    @property
    def needs_times(self) -> bool:
        """Whether windows must have times: for calendar features, or in a panel."""
        return self.is_panel or self._dataset.covariates.reads_times

    def has_series(self, series: str) -> bool:
        """Whether `fit` had a series of this name."""
        return series in self._keys

    @property
    def is_flat(self) -> bool:
        """Whether values have no inner arrays, as those of a vector or Series."""
        return self._dataset.observations.form.kind in ("vector", "series")

    @property
    def greatest_coverage(self) -> float:
        """Greatest coverage of intervals that the number of held-out errors can promise; 0 without errors."""
        n = self.forecaster.fitted_.n_errors
        return max(0.0, n / (n + 1) if self.is_panel or n == 1 else (n - 1) / (n + 1))

    @property
    def is_exact(self) -> bool:
        """Whether a greater coverage is refused; otherwise it goes on as the forecaster says."""
        return self.forecaster.calibration == "exact"

    def description(self) -> dict[str, Any]:
        """The properties of the model for clients, for JSON."""
        observations = self._dataset.observations
        freq = observations.freq
        return {
            "name": self.name,
            "window_size": self.forecaster.window_size_,
            "least_rows": self.least_rows,
            "horizon": self.horizon,
            "variables": self.variables,
            "times": self.time_kind,
            "time_name": self._names[1],
            "series_name": self._names[0],
            "needs_times": self.needs_times,
            "freq": None if freq is None else str(freq if isinstance(freq, str | int) else freq.freqstr),
            "missing": self.forecaster.missing,
            "greatest_coverage": self.greatest_coverage,
            "is_panel": self.is_panel,
            "covariates": self.covariates.description(),
            "known_steps": self.covariates.at_once if self.covariates.known else None,
            "architecture": flat_parameters(self.forecaster)["architecture"],
        }

    def example(self, steps: int) -> Window:
        """The last rows of the data that the model was fitted to, to forecast so many steps."""
        observations = self._dataset.observations
        length = int(observations.lengths[0])
        rows = np.arange(max(0, length - self.forecaster.window_size_), length)
        part = observations.take(rows)
        times = None if part.index is None else self._time_format.written(part.index)
        series = str(part.series_keys[0]) if self.is_panel else None
        return Window(part.values, times, series, self.covariates.example(self._dataset, rows, steps))

    def labels(self, times: Any) -> list[str]:
        """Times of requests or answers as labels of `lstmforecast.ab`; a ValueError if one can't be read."""
        plain = times if isinstance(times, np.ndarray) else self._time_format.plain(times)
        if plain is not None:
            check_years(plain)
            labels: list[str] = np.datetime_as_string(plain, unit="s").tolist()
            return labels
        return [write_label(time) for time in self._time_format.read(list(times))]

    def series_labels(self, key: str | None, series: str | None) -> list[str]:
        """The label of each variable in a log: key, series of a panel and name of the variable, if there are such."""
        names = self.variables
        parts = [part for part in (key, series) if part]
        return ["/".join([*parts, *([name] if len(names) > 1 else [])]) for name in names]

    def _check_coverages(self, given: tuple[float, ...], steps: int) -> tuple[float, ...]:
        """Coverages as floats; a ValueError if there are no errors for so many steps, or too few for the coverages of a
        model with ``calibration="exact"``. Otherwise the log has the warning, once.
        """
        model, coverages = self.forecaster, check_probabilities("coverage", list(given))
        levels = _levels(coverages)
        wanted = [f"coverage={coverage:g}" for coverage in coverages for _ in SIDES]
        told = model.fitted_.require_errors(levels, wanted, steps, HeldOut.of(model), model.calibration)
        if told is not None:
            LOGGER.warning(told, extra={"fields": {"model": self.name}})
        return tuple(coverages)

    def prepare(self, window: Window, steps: int) -> Prepared:
        """Convert a window to the network's input; a ValueError or TypeError for unusable data."""
        return self._prepare_plain(window, steps) or self._prepare_any(window, steps)

    def _prepare_plain(self, window: Window, steps: int) -> Prepared | None:
        """The common case without gaps and features, without pandas, which would take longer than the network."""
        if not self._plain:
            return None
        times = None if window.times is None else self._time_format.after(window.times, steps)
        # a missing value compares as false
        if (window.times is not None and times is None) or not (window.values > self._below).all():
            return None
        values = window.values[-self.forecaster.window_size_ :]
        rows = (np.log1p(values) if self.forecaster.transform_ == "log" else values)[np.newaxis]
        phases = self._phases(1, None if times is None else pd.DatetimeIndex(times[:1]))
        never = self._dataset.never_negative
        lowest = None if never is None else np.where(never & (values >= 0).all(axis=0), 0.0, -np.inf)
        return Prepared(Seen(rows, np.zeros((1, steps, 0))), None, None, [times], steps, phases, lowest)

    def _prepare_any(self, window: Window, steps: int) -> Prepared:
        model, given = self.forecaster, window.covariates
        fitted = replace(model.fitted_, dataset=self._dataset)
        context = self._container(window)
        X = X_past = static = ahead = None
        if given is not None:
            index = context.index if isinstance(context, pd.DataFrame) else None
            covariates, n_rows = self._dataset.covariates, len(window.values)
            # gaps are filled from rows before the window, too
            n_more = self._dataset.rows_put_back if index is not None else 0
            n_read = n_rows if covariates.reads_earlier_rows else min(n_rows, model.window_size_ + n_more)
            read = (covariates, n_rows, n_read, index)
            X, X_past, ahead = self.covariates.tables(given, *read)
            static = self.covariates.static_table(given, self._key_of(window))
        dataset = fitted.with_context(context, model.missing, X, X_past, static)[0].dataset
        seen = ends_of(model.model_, dataset, steps, ahead)
        index = dataset.observations.future_index(steps)
        times = None if index is None else self._time_format.written(index)
        first = None if index is None else index.get_level_values(-1)[:1]
        phases = self._phases(len(seen.windows), first)
        lowest = dataset.lowest(self.forecaster.window_size_)
        return Prepared(seen, dataset.scales, dataset.error_scale, [times], steps, phases, lowest)

    def _phases(self, n: int, times: pd.Index | None) -> NDArray[np.int64]:
        """The place in the season of the first step of ``n`` windows that end together, if intervals depend on it."""
        calibration = self.forecaster.fitted_.calibration
        found = None
        if times is not None and calibration is not None and calibration.by_phase is not None:
            found = steps_of(times, self._dataset.observations.freq)
        return np.full(n, -1 if found is None or calibration is None else found[0] % calibration.seasons[-1])

    def _key_of(self, window: Window) -> Any:
        """The name of a series of a panel, as at fit."""
        series = window.series or ""
        return self._keys.get(series, series)

    def _container(self, window: Window) -> Any:
        if window.times is None:
            return window.values
        index = self._time_format.read(window.times)
        columns = self._dataset.observations.form.columns
        if self.is_panel:
            keys = pd.Index([self._key_of(window)] * len(index), dtype=object)
            index = pd.MultiIndex.from_arrays([keys, index])
        return pd.DataFrame(window.values, index=index, columns=columns)

    def forecast(self, prepared: Prepared, coverages: tuple[float, ...]) -> tuple[Array, Array]:
        """Forecasts (n, steps, k), and bounds (n_coverages * 2, n, steps, k): lower and upper of each coverage."""
        given = (prepared.seen, self._n_threads, prepared.scales, prepared.lowest)
        parameters = roll(self.forecaster.model_, *given)
        parameters = parameters[:, : prepared.steps]
        points = parameters[..., 0] if self._distribution is None else mean(self._distribution, parameters)
        bounds = self._bounds(parameters, coverages, prepared)
        points, bounds = (self._dataset.undo(each, prepared.lowest) for each in (points, bounds))
        return points.astype(self._dataset.observations.form.dtype, copy=False), bounds

    def _bounds(self, parameters: Array, coverages: tuple[float, ...], prepared: Prepared) -> Array:
        if not coverages:
            return np.empty((0, *parameters.shape[:3]))
        bounds = np.empty((2 * len(coverages), *parameters.shape[:3]))
        for phase in np.unique(prepared.phases).tolist():
            of_phase = prepared.phases == phase
            if self._distribution is None and prepared.error_scale is None:
                # rounding keeps the order, so corrections can be sorted before they are added
                added = self.corrections(coverages, parameters.shape[1], phase)
                bounds[:, of_phase] = parameters[of_phase, ..., 0] + added
            else:
                scale = None if prepared.error_scale is None else prepared.error_scale.take(np.flatnonzero(of_phase))
                bounds[:, of_phase] = self._quantiles(parameters[of_phase], coverages, phase, scale)
        return bounds

    def _make_corrections(self, coverages: tuple[float, ...], steps: int, phase: int) -> Array:
        """The corrections from point forecasts to their bounds: (n_levels, 1, steps, k)."""
        zero = np.zeros((1, steps, self.n_variables, 1))
        return self._quantiles(zero, coverages, phase)

    def _quantiles(
        self, parameters: Array, coverages: tuple[float, ...], phase: int, error_scale: ErrorScale | None = None
    ) -> Array:
        calibration = self.forecaster.fitted_.calibration
        assert calibration is not None
        when = None if phase < 0 else np.full(len(parameters), phase)
        return corrected_quantiles(calibration, parameters, _levels(coverages), error_scale, when)


def _levels(coverages: Sequence[float]) -> list[float]:
    return [level for coverage in coverages for level in levels_of(coverage)]
