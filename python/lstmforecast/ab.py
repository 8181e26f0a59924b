"""A/B tests of models: divide keys between models, log forecasts and actual values, compare.

A `Split` sends each key to one model, always the same. A `ForecastLog` stores forecasts and, later, actual values;
`ForecastLog.compare` tests whether one model is better. Let both models forecast each request, return one forecast and
log both: comparing the same series at the same times is fair, comparing different series isn't.
"""

from __future__ import annotations

import hashlib
import json
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.contract.rules import Number
from lstmforecast.fitting.parameters import check_count
from lstmforecast.monitoring.ab_store import forecast_row, open_store, read_label, write_label

if TYPE_CHECKING:
    from types import TracebackType

    from lstmforecast.evaluation.comparison import Comparison

__all__ = ["ForecastLog", "Split"]


def __dir__() -> list[str]:
    return __all__


class Split:
    """Divide keys between models: a key gets the same model each time, in every process.

    Parameters
    ----------
    weights : dict of str to float
        The share of each model, in any unit; ``{"old": 9, "new": 1}`` sends a tenth of the keys to the new one. If the
        share of the last model grows, it keeps its keys.
    salt : str, default=""
        Another salt divides the keys differently.
    fixed : dict of key to str or None, default=None
        Models of some keys, chosen by you.

    Raises
    ------
    TypeError, ValueError
        If a weight is not a number or is negative, if all are zero, or if a key is fixed to a model without a weight.

    Examples
    --------
    >>> split = Split({"old": 9, "new": 1}, fixed={"headquarters": "old"})
    >>> split("headquarters"), split("shop 7") == split("shop 7")
    ('old', True)
    """

    def __init__(self, weights: Mapping[str, float], salt: str = "", fixed: Mapping[Any, str] | None = None) -> None:
        values = list(weights.values())
        if not all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in values):
            raise TypeError(f"expected weights to be numbers, got {dict(weights)!r}")
        if not all(0 <= value < np.inf for value in values) or not sum(values) > 0:
            raise ValueError(f"expected weights of at least 0, one of them above, got {dict(weights)!r}")
        self.weights, self.salt = dict(weights), salt
        self.fixed: dict[Any, str] = dict(fixed or {})
        unknown = set(self.fixed.values()) - set(self.weights)
        if unknown:
            raise ValueError(f"expected fixed models of {list(self.weights)}, got {sorted(unknown)[0]!r}")
        self._bounds = np.cumsum(values) / sum(values)

    def __call__(self, key: Any) -> str:
        """Get the model of a key: a str, a number, or any object whose ``str`` is always the same."""
        if key in self.fixed:
            return self.fixed[key]
        digest = hashlib.sha256(f"{self.salt}\0{key}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        name: str = list(self.weights)[int(np.searchsorted(self._bounds, place, side="right"))]
        return name


class ForecastLog:
    """Forecasts of models, and actual values, in a database.

    Methods may be called from several threads. A forecast or value that is logged twice replaces the first.

    Parameters
    ----------
    url : str, default="sqlite:///forecasts.db"
        ``"sqlite:///file"``, ``"sqlite://"`` for memory, or any other URL of SQLAlchemy, which is needed then (extra
        ``ab``). The tables ``lstmforecast_log``, with a row for each forecast, and ``lstmforecast_actuals`` are created
        if they are missing; rows of the table ``lstmforecast_forecasts`` of earlier versions are moved to the first.
    timeout : float, default=30.0
        Seconds to wait while another process locks the file of SQLite; then methods raise OSError, as for all errors of
        the database.
    keep_days : float or None, default=None
        Days for which forecasts and actual values are kept after they were logged; None: no limit.
    max_rows : int or None, default=None
        Most forecasts, and most actual values; the oldest are deleted, a hundredth of the limit at a time. None: no
        limit.

    Attributes
    ----------
    url : str
        As given.
    store : lstmforecast.monitoring.ab_store.Store
        The rows of the tables.

    Raises
    ------
    ImportError
        If SQLAlchemy is needed and missing.
    OSError
        If the database can't be opened.
    TypeError, ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> import pandas as pd
    >>> times = pd.date_range("2026-01-01 01:00", periods=2, freq="h")
    >>> with ForecastLog("sqlite://") as log:
    ...     log.add("old", "shop 7", pd.Timestamp("2026-01-01"), pd.Series([4.0, 5.0], times))
    ...     log.add_actuals("shop 7", pd.Series([4.5], times[:1]))
    ...     log.join()[["model", "step", "forecast", "actual"]]
      model  step  forecast  actual
    0   old     1       4.0     4.5
    1   old     2       5.0     NaN
    """

    def __init__(
        self,
        url: str = "sqlite:///forecasts.db",
        *,
        timeout: float = 30.0,
        keep_days: float | None = None,
        max_rows: int | None = None,
    ) -> None:
        Number(numbers.Real, 0).check("timeout", timeout)
        Number(numbers.Real, 0, low_included=False, none=True).check("keep_days", keep_days)
        self.url = url
        kept = None if max_rows is None else check_count("max_rows", max_rows)
        self.store = open_store(url, timeout, keep_days, kept)

    def add(self, model: str, key: Any, origin: Any, forecast: Any, times: Any = None) -> None:
        """Log one forecast.

        Parameters
        ----------
        model : str
            Name of the model.
        key : object
            Names the series; stored as a string.
        origin : Timestamp, datetime, str of a time, or int
            The last time before the forecast.
        forecast : Series or array-like of shape (horizon,)
            Of one variable, as `LSTMForecaster.predict` returns it.
        times : array-like of shape (horizon,) or None
            Times of the steps; None: the index of a Series, or the integers after ``origin``.

        Raises
        ------
        TypeError, ValueError
            If the forecast isn't one-dimensional or finite, or its times are missing, of another length or unreadable.
        """
        values, labels = _labelled(forecast, times, "forecast", origin)
        if not np.isfinite(values).all():
            wrong = ~np.isfinite(values)
            first = labels[int(np.argmax(wrong))]
            raise ValueError(f"expected finite forecasts, got {int(wrong.sum())} that are not, the first for {first}")
        if labels:
            start = write_label(origin)
            _check_zones(labels, start, "times of the forecast like its origin")
            self.store.put_forecasts([forecast_row(str(key), model, start, labels, values.tolist())])

    def add_actuals(self, key: Any, actuals: Any, times: Any = None) -> None:
        """Log actual values; missing ones are skipped.

        Parameters
        ----------
        key : object
            Names the series, as in `add`.
        actuals : Series or array-like of shape (n,)
            Actual values.
        times : array-like of shape (n,) or None
            Their times; None: the index of a Series.

        Raises
        ------
        TypeError, ValueError
            If they aren't one-dimensional, or their times are missing, of another length or unreadable.
        """
        values, labels = _labelled(actuals, times, "actuals")
        if forecast := self.store.a_time(str(key)):
            _check_zones(labels, forecast, f"times of the actuals like those of the forecasts of {str(key)!r}")
        rows = zip(labels, values, strict=True)
        self.store.put_actuals([(str(key), label, float(value)) for label, value in rows if np.isfinite(value)])

    def join(self, *models: str) -> pd.DataFrame:
        """Get all forecasts with the actual values.

        Parameters
        ----------
        *models : str
            Names of models; all, if none is given.

        Returns
        -------
        DataFrame with columns key, model, origin, step, time, forecast, actual
            Sorted by origin, key, model and step; ``actual`` is NaN where it isn't known.
        """
        found = self.store.forecasts(models)
        paths = [(json.loads(row.times), json.loads(row.forecast)) for row in found]
        rows = [
            (*row[:3], step, label, value)
            for row, path in zip(found, paths, strict=True)
            for step, (label, value) in enumerate(zip(*path, strict=True), 1)
        ]
        frame = pd.DataFrame(rows, columns=["key", "model", "origin", "step", "time", "forecast"])
        known = pd.DataFrame(self.store.actuals(), columns=["key", "time", "actual"])
        frame = frame.merge(known, how="left", on=["key", "time"])
        frame = frame.sort_values(["origin", "key", "model", "step"], ignore_index=True)
        labels = {name: [read_label(text) for text in frame[name]] for name in ("origin", "time")}
        return frame.assign(**labels).astype({"step": "int64", "forecast": "float64", "actual": "float64"})

    def compare(self, a: str, b: str, **options: Any) -> Comparison:
        """Compare two models by the steps with actual values that both forecast from the same origins.

        Parameters
        ----------
        a, b : str
            Their names.
        **options
            Those of `lstmforecast.compare`: ``loss``, ``alternative``, ``level``, ``random_state``, and ``horizon``, by
            default the number of origins that share steps.

        Returns
        -------
        Comparison
            Of the losses of the origins in time order, each the mean over keys and steps.

        Raises
        ------
        ValueError
            If there are too few origins from which both have forecasts with actual values.
        """
        from lstmforecast.evaluation.comparison import compare
        from lstmforecast.evaluation.losses import measure_of
        from lstmforecast.monitoring.ab_losses import OriginLosses

        losses = OriginLosses(measure_of(options.pop("loss", "squared")))
        for page in self.store.pairs(a, b):
            losses.add(page)
        if not len(losses):
            raise ValueError(
                f"expected steps that {a!r} and {b!r} both forecast from the same origins, with actual values, got none"
            )
        means, overlap = losses.means()
        options.setdefault("horizon", overlap)
        return compare(means["a"], means["b"], **{"names": (a, b)} | options)

    def close(self) -> None:
        """Close the database; the log can't be used any more."""
        self.store.close()

    def __enter__(self) -> ForecastLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _labelled(values: Any, times: Any, name: str, origin: Any = None) -> tuple[Any, list[str]]:
    """Numbers, and their times as labels."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1:
        raise ValueError(f"expected {name} of shape (n,), got {array.shape}")
    if times is None and isinstance(values, pd.Series):
        times = values.index
    elif times is None and isinstance(origin, numbers.Integral):
        times = range(int(origin) + 1, int(origin) + 1 + len(array))
    if times is None:
        raise ValueError(f"expected times of the {name}, as an array has none, got None")
    labels = [write_label(time) for time in times]
    if len(labels) != len(array):
        raise ValueError(f"expected {len(array)} times, one for each value of {name}, got {len(labels)}")
    return array, labels


def _check_zones(labels: list[str], like: str, expected: str) -> None:
    """Raise a TypeError if some times have a time zone and others have none: they can't be compared."""
    # the end of a label of a time with a zone
    utc = "+00:00"
    wrong = [label for label in labels if label.endswith(utc) != like.endswith(utc)]
    if wrong and like.endswith(utc):
        raise TypeError(f"expected {expected}, with a time zone, got {wrong[0]}; give them theirs with .tz_localize")
    if wrong:
        raise TypeError(f"expected {expected}, without a time zone, got {wrong[0]}; drop it with .tz_localize(None)")
