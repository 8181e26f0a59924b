"""What a detector does with rows: reads them, brings them to even steps, asks the core, remembers where it stands."""

from __future__ import annotations

import copy
import numbers
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from lstmforecast import _core
from lstmforecast.contract.aside import aside
from lstmforecast.contract.core_options import MonitorOptions
from lstmforecast.contract.fit_tasks import CallbackSupportMixin
from lstmforecast.contract.html_repr import DocLinkMixin
from lstmforecast.contract.plain import PlainParameters, plain_parameters
from lstmforecast.contract.rules import Number
from lstmforecast.data.container import read_table, row_name
from lstmforecast.data.frames import localising, to_pandas
from lstmforecast.data.saved_labels import pack_frequency, pack_index, pack_label, unpack_frequency, unpack_label
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.export.saving import Saved
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.monitoring.row_times import Clock, Report, is_clock, spread
from lstmforecast.thresholds import NAMES, Threshold, resolve

if TYPE_CHECKING:
    from typing_extensions import Self

Array = NDArray[np.float64]
HORIZON = 24
ROWS_PER_STEP = 20
# Scores are in usual errors: a threshold below this part of one is that of a series without any.
LEAST_THRESHOLD = 1e-3
_RULES = {
    "smoothing": Number(numbers.Real, 1),
    "clip": Number(numbers.Real, 0, low_included=False, none=True),
    "min_gap": Number(numbers.Integral, 0),
    "refit_every": Number(numbers.Integral, 1, none=True),
    "memory": Number(numbers.Integral, 1),
    "contamination": Number(numbers.Real, 0, 0.5, low_included=False, high_included=True, word="auto"),
}


@dataclass(frozen=True)
class Found:
    """What the core found of rows: NaN where nothing is known.

    Attributes
    ----------
    scores, thresholds : ndarray of shape (n,)
    errors, forecasts : ndarray of shape (n, k)
    """

    scores: Array
    thresholds: Array
    errors: Array
    forecasts: Array

    @classmethod
    def of(cls, arrays: tuple[Array, Array, Array, Array], n_columns: int) -> Found:
        """Bring the core's flat arrays to their shapes."""
        scores, thresholds, errors, forecasts = arrays
        return cls(scores, thresholds, errors.reshape(-1, n_columns), forecasts.reshape(-1, n_columns))

    def take(self, there: NDArray[np.bool_]) -> Found:
        """Some of the rows."""
        return self if there.all() else Found(*(part[there] for part in vars(self).values()))

    def after(self, n: int) -> Found:
        """With ``n`` rows before of which nothing is known."""
        return Found(*(np.concatenate([np.full((n, *p.shape[1:]), np.nan), p]) for p in vars(self).values()))

    def severity(self) -> Array:
        """Scores as multiples of their thresholds; 0 where nothing is known."""
        return np.nan_to_num(self.scores / np.maximum(self.thresholds, LEAST_THRESHOLD), nan=0.0)


class Watcher(Saved, PlainParameters, DocLinkMixin, CallbackSupportMixin, OutlierMixin, BaseEstimator):
    """The inner works of `LSTMAnomalyDetector`; not for use on its own."""

    _doc_page = "anomalies"
    forecaster: LSTMForecaster | None
    smoothing: float
    clip: float | None
    threshold: str | Threshold
    contamination: str | float
    min_gap: int
    refit_every: int | None
    memory: int
    random_state: Any
    feature_names_in_: NDArray[Any]
    n_features_in_: int
    offset_: float
    _monitor: _core.Monitor
    _clock: Clock
    _report: Report
    _ahead: int
    _recent: list[Array]
    _labels: list[Any] | None
    _frequency: Any

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "offset_")

    def _check_is_fitted(self) -> None:
        # scikit-learn's takes as long as a forecast
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)

    @property
    def window_size_(self) -> int:
        """Rows before the first that can be judged."""
        check_is_fitted(self)
        return self.forecaster_.window_size_

    @property
    def report_(self) -> pd.DataFrame:
        """What was irregular in the rows seen: one row for each kind, with how often, how many rows and where first."""
        check_is_fitted(self)
        return self._report.frame()

    def _check_parameters(self, n_rows: int) -> None:
        """Raise TypeError or ValueError, with one sentence, for the first parameter that makes no sense."""
        parameters = plain_parameters(self)
        for name, rule in _RULES.items():
            rule.check(name, parameters[name])
        resolve(self.threshold)._config()
        _check_forecaster(self._new_forecaster(n_rows))

    def _new_forecaster(self, n_rows: int, horizon: int | None = None) -> LSTMForecaster:
        if self.forecaster is None:
            forecaster = LSTMForecaster(horizon or min(HORIZON, max(1, n_rows // ROWS_PER_STEP)))
        elif isinstance(self.forecaster, LSTMForecaster):
            forecaster = clone(self.forecaster)
        else:
            raise TypeError(f"expected forecaster to be an LSTMForecaster or None, got {self.forecaster!r}")
        return forecaster if self.random_state is None else forecaster.set_params(random_state=self.random_state)

    def _read(self, X: Any, *, reset: bool = False) -> tuple[Array, pd.Index | None]:
        """Numbers (n, k), and the index that tells time."""
        X, origin = to_pandas(X, "X")
        index = X.index if isinstance(X, pd.Series | pd.DataFrame) and is_clock(X.index) else None
        if origin is not None and origin.time is None:
            index = None
        if not reset:
            index = self._clock.alike(index, localising(origin))
        if isinstance(X, pd.Series):
            named = X.name is None and not reset and self._labels is not None and self.n_features_in_ == 1
            X = X.to_frame(self._names()[0]) if named else X.to_frame()
        elif isinstance(X, list | tuple | np.ndarray) and np.ndim(X) == 1 and (reset or self.n_features_in_ == 1):
            X = np.reshape(X, (-1, 1))
        if isinstance(X, pd.DataFrame) and not all(isinstance(name, str) for name in X.columns):
            self._labels = list(X.columns) if reset else self._labels
            X = X.set_axis(range(X.shape[1]), axis=1) if X.shape[1] else X
        elif reset:
            self._labels = list(X.columns) if isinstance(X, pd.DataFrame) else None
        if isinstance(X, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
            read_table(X, "X")  # which names what is no number
        table = validate_data(
            self, X, reset=reset, dtype=np.float64, order="C", ensure_all_finite=False,
            ensure_min_samples=2 if reset else 1,
        )  # fmt: skip
        if (infinite := np.isinf(table)).any():
            row, column = (int(i) for i in np.argwhere(infinite)[0])
            at = f"column {self._names()[column]!r} at {row_name(index, row)}"
            raise ValueError(f"expected no infinity in X, got {int(infinite.sum())}, the first in {at}")
        return table, index

    def _read_newest(self, X: Any) -> tuple[Array, pd.Index | None]:
        """The rows of a stream, quickly where they come as an array."""
        if isinstance(X, pd.Series | pd.DataFrame) or hasattr(X, "toarray") or to_pandas(X, "X")[1] is not None:
            return self._read(X)
        table = np.asarray(X, np.float64)
        if table.ndim < 2:
            table = table.reshape((-1, 1) if self.n_features_in_ == 1 else (1, -1))
        if table.ndim != 2 or table.shape[1] != self.n_features_in_ or np.isinf(table).any():
            return self._read(table)  # which finds words for it
        return np.ascontiguousarray(table), None

    def _names(self) -> list[Any]:
        return list(range(self.n_features_in_)) if self._labels is None else self._labels

    def _start(self, table: Array, index: pd.Index | None) -> None:
        """Fit forecaster and monitor, and stand at the end of the rows."""
        clock = Clock.of(index)
        missing, report = clock.read(index)
        rows, _ = spread(table, missing) if index is not None else (table, None)
        self._count_missing(table, index, report)
        forecaster, rows = self._fit_forecaster(rows, clock.frequency(index))
        self._monitor, _ = self._fit_monitor(forecaster, rows)
        self.forecaster_, self._clock, self._report, self._ahead = forecaster, clock, report, 0
        self._recent = [] if self.refit_every is None else [rows[-self.memory :]]
        self._frequency = clock.frequency(index)
        self._warn(report)

    def _check_savable(self, index: pd.Index | None) -> None:
        """Raise a ValueError for names, times and frequencies that no file could keep, before anything is trained."""
        for label in self._labels or ():
            pack_label(label)
        if index is not None:
            pack_index(index[-1:])
            pack_frequency(Clock.of(index).frequency(index))

    def _fit_forecaster(self, rows: Array, frequency: Any, horizon: int | None = None) -> tuple[LSTMForecaster, Array]:
        """A forecaster fitted to rows whose gaps were mended, and the rows from the first whole one, gaps left open."""
        whole = pd.DataFrame(rows).ffill()
        first = int(whole.notna().all(axis=1).to_numpy().argmax())
        if whole.isna().all(axis=0).any():
            empty = self._names()[int(whole.isna().all(axis=0).to_numpy().argmax())]
            raise ValueError(f"expected values in every column of X, got none in {empty!r}")
        rows = rows[first:]
        forecaster = self._new_forecaster(len(rows), horizon)
        mended = pd.DataFrame(rows).interpolate().ffill().set_axis([str(i) for i in range(rows.shape[1])], axis=1)
        if frequency is not None:
            mended.index = pd.date_range("2000-01-01", periods=len(mended), freq=frequency)
        forecaster.fit(mended if frequency is not None else mended.to_numpy())
        # the first window has nothing before it to be forecast from
        rows = rows.copy()
        rows[: forecaster.window_size_] = mended.to_numpy()[: forecaster.window_size_]
        return forecaster, rows

    def _fit_monitor(self, forecaster: LSTMForecaster, rows: Array) -> tuple[_core.Monitor, Found]:
        config: MonitorOptions = {
            "smoothing": float(self.smoothing),
            "threshold": resolve(self.threshold)._config(),
            "clip": None if self.clip is None else float(self.clip),
        }
        n_train = HeldOut.of(forecaster).training_rows(len(rows))
        seen = _transformed(forecaster, rows)
        monitor, arrays = _core.Monitor.fit(_model_of(forecaster), seen, config, n_train, forecaster.n_threads)
        return monitor, Found.of(arrays, rows.shape[1])

    def _look(self, table: Array, index: pd.Index | None) -> tuple[Found, Report]:
        """Judge rows without learning from them: as what comes next where their index says so, else by themselves."""
        if self._clock.follows(index):
            clock = Clock(self._clock.step, self._clock.newest)
            missing, report = clock.read(index)
            self._count_missing(table, index, report)
            rows, there = spread(table, missing)
            return self._ask(self._monitor.copy(), rows).take(there), report
        clock = Clock.of(index)
        missing, report = clock.read(index)
        self._count_missing(table, index, report)
        rows, there = spread(table, missing if index is not None else np.zeros(len(table), np.int64))
        n = min(self.forecaster_.window_size_, len(rows))
        window = pd.DataFrame(rows[:n]).interpolate(limit_direction="both").fillna(0.0).to_numpy()
        nothing = Found.of((np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)), table.shape[1])
        if len(rows) <= n:
            return nothing.after(n).take(there), report
        window = np.ascontiguousarray(_transformed(self.forecaster_, window))
        monitor = self._monitor.moved(_model_of(self.forecaster_), window)
        return self._ask(monitor, rows[n:]).after(n).take(there), report

    def _ask(self, monitor: _core.Monitor, rows: Array) -> Found:
        forecaster = self.forecaster_
        found = monitor.run(_model_of(forecaster), _transformed(forecaster, rows), forecaster.n_threads)
        scores, thresholds, errors, forecasts = found
        if forecaster.transform == "log":
            forecasts = np.expm1(forecasts)
        return Found.of((scores, thresholds, errors, forecasts), rows.shape[1])

    def _go_on(self, table: Array, index: pd.Index | None) -> Found:
        """Judge rows, learn from them, and fit anew where it is time."""
        there, report = None, Report()
        clock, rows = self._clock, table
        if index is not None:
            clock = copy.copy(clock)
            missing, report = clock.read(index)
            rows, there = spread(table, missing)
        if index is not None or np.isnan(table).any():
            self._count_missing(table, index, report)
        if self.refit_every is None:
            found = self._ask(self._monitor, rows)
        else:
            with aside(self) as refitted:
                refitted._monitor = self._monitor.copy()
                found = refitted._ask_and_refit(rows)
        # nothing can fail from here on: a detector has taken in all rows, or none
        self._clock = clock
        self._report.merge(report)
        return found if there is None else found.take(there)

    def _ask_and_refit(self, rows: Array) -> Found:
        assert self.refit_every is not None
        parts, start = [], 0
        while start < len(rows):
            part = rows[start : start + self.refit_every - self._ahead]
            parts.append(self._ask(self._monitor, part))
            self._recent = [*self._recent, part.copy()]
            self._ahead += len(part)
            start += len(part)
            if self._ahead >= self.refit_every:
                self._refit()
        return (
            parts[0]
            if len(parts) == 1
            else Found(*(np.concatenate(each) for each in zip(*map(_parts, parts), strict=True)))
        )

    def _refit(self) -> None:
        rows = np.concatenate(self._recent)[-self.memory :]
        # as many steps ahead as before: the usual errors of each are known
        forecaster, rows = self._fit_forecaster(rows, self._frequency, self.forecaster_.horizon)
        monitor, _ = self._fit_monitor(forecaster, rows)
        # scores are in usual errors, of whatever forecaster: what is known of them goes on
        self._monitor = monitor.with_scores_of(self._monitor)
        self.forecaster_, self._recent, self._ahead = forecaster, [rows], 0

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any], dict[str, Any]]:
        """Arrays, parameters and values from which `_unpacked` makes the same detector."""
        stamps, clock = self._clock.pack()
        arrays: dict[str, NDArray[Any]] = {"newest": stamps}
        if self.refit_every is not None:
            arrays["recent"] = np.concatenate(self._recent)[-self.memory - self.refit_every :]
        parameters = plain_parameters(self)
        parameters["forecaster"] = None
        if not isinstance(self.threshold, str):
            parameters["threshold"] = resolve(self.threshold)._config()
        if not isinstance(self.random_state, numbers.Integral):
            parameters["random_state"] = None
        values = {
            "monitor": self._monitor.state(),
            "offset": self.offset_,
            "n_features": self.n_features_in_,
            "labels": None if self._labels is None else [pack_label(label) for label in self._labels],
            "named": hasattr(self, "feature_names_in_"),
            "clock": clock,
            "frequency": pack_frequency(self._frequency),
            "report": vars(self._report),
            "ahead": self._ahead,
            "own_forecaster": self.forecaster is not None,
        }
        return arrays, parameters, values

    @classmethod
    def _unpacked(
        cls, forecaster: Any, arrays: dict[str, NDArray[Any]], parameters: dict[str, Any], values: dict[str, Any]
    ) -> Self:
        """The inverse of `_packed`; a ValueError or KeyError for what makes no detector."""
        threshold = parameters["threshold"]
        if not isinstance(threshold, str):
            ((name, options),) = threshold.items()
            threshold = NAMES[name](**options)
        detector = cls(**parameters | {"threshold": threshold})
        if values["own_forecaster"]:
            detector.set_params(forecaster=clone(forecaster))
        detector._check_parameters(2)
        detector.forecaster_, detector.n_features_in_ = forecaster, int(values["n_features"])
        detector._monitor = _core.Monitor(values["monitor"])
        detector._monitor.check(_model_of(forecaster))
        detector._labels = None if values["labels"] is None else [unpack_label(label) for label in values["labels"]]
        if values["named"]:
            detector.feature_names_in_ = np.array(detector._labels, dtype=object)
        detector._clock = Clock.unpack(arrays["newest"], values["clock"])
        detector._report = Report(**values["report"])
        detector._frequency, detector._ahead = unpack_frequency(values["frequency"]), int(values["ahead"])
        detector._recent = [arrays["recent"]] if "recent" in arrays else []
        detector.offset_ = float(values["offset"])
        return detector

    def _count_missing(self, table: Array, index: pd.Index | None, report: Report) -> None:
        gone = np.isnan(table)
        rows = np.flatnonzero(gone.any(axis=1))
        if len(rows):
            report.add("missing value", int(gone.sum()), len(rows), rows[0] if index is None else index[rows[0]])

    def _warn(self, report: Report) -> None:
        text = str(report)
        if text:
            warnings.warn(
                f"X has {text}; rows are read in their order, and what is missing is filled by forecasts",
                UserWarning,
                stacklevel=4,
            )


def _model_of(forecaster: LSTMForecaster) -> _core.Model:
    """Its network: one, as `_check_forecaster` saw to."""
    assert isinstance(forecaster.model_, _core.Model)
    return forecaster.model_


def _parts(found: Found) -> tuple[Array, Array, Array, Array]:
    return found.scores, found.thresholds, found.errors, found.forecasts


def _transformed(forecaster: LSTMForecaster, rows: Array) -> Array:
    """Rows as the network's units begin from them."""
    if forecaster.transform != "log":
        return rows
    if (rows <= -1).any():
        row, column = (int(i) for i in np.argwhere(rows <= -1)[0])
        got = f"{rows[row, column]:g} in row {row}" + (f", column {column}" if rows.shape[1] > 1 else "")
        raise ValueError(f"expected values above -1 for transform='log', got {got}")
    logs: Array = np.log1p(rows)
    return logs


def _check_forecaster(forecaster: LSTMForecaster) -> None:
    wanted = {
        "head": ("direct",),
        "n_estimators": (1,),
        "calendar": (None,),
        "holidays": (None,),
        "distributed": (False,),
        "loss": (None, "mse", "mae", "huber"),
    }
    for name, values in wanted.items():
        got = getattr(forecaster, name)
        if got not in values:
            words = " or ".join(map(repr, values))
            raise ValueError(f"expected a forecaster with {name}={words} to watch a series with, got {got!r}")
