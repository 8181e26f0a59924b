"""The drift monitor: whether inputs and errors of a model in use still resemble a reference, in constant memory."""

from __future__ import annotations

import copy
import numbers
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from lstmforecast.contract.aside import aside
from lstmforecast.contract.html_repr import DocLinkMixin
from lstmforecast.contract.plain import PlainParameters
from lstmforecast.contract.rules import Number
from lstmforecast.data.container import read_table
from lstmforecast.data.observations import check_columns
from lstmforecast.monitoring.drift_errors import LEAST_BATCHES, ErrorTests
from lstmforecast.monitoring.drift_inputs import CHECKS, Reference

if TYPE_CHECKING:
    from typing_extensions import Self

    from lstmforecast.estimators.forecaster import LSTMForecaster

__all__ = ["DriftMonitor"]

Array = NDArray[np.float64]

STATES = ("ok", "warning", "drift")
# Expected false warnings for each false alarm.
WARNING = 5
KEPT_TESTS = 1000


class _Row(NamedTuple):
    """The result of a test, of a feature or of the errors."""

    feature: str
    test: str
    statistic: float
    threshold: float
    state: str

    def sentence(self) -> str:
        """The result in words, for a state that isn't ok."""
        if np.isnan(self.threshold):
            return f"{self.feature}: {self.test} found a rise by {self.statistic:.2f}"
        sign = ">" if self.state == "drift" else "near"
        return f"{self.feature}: {self.test} {self.statistic:.2f} {sign} {self.threshold:.2f}"


class DriftMonitor(PlainParameters, DocLinkMixin, BaseEstimator):
    """Detect drift of a model's inputs and errors, one row at a time.

    The newest ``window`` rows are compared with a reference, four times in each window, by two tests of each feature:
    Kolmogorov-Smirnov (KS), the greatest difference of the distribution functions, and the population stability index
    (PSI) of ten bins. Errors are tested by Page-Hinkley and ADWIN, only for a rise.

    ``false_alarms`` is divided between all tests, so that many features don't raise more alarms than one. How much
    windows differ from the reference by chance is learned from the reference, with its autocorrelation and seasons;
    correlated errors are averaged in batches. A reference should therefore have at least ten windows, and a window
    whole seasons: a week of hourly rows if weekends differ.

    Parameters
    ----------
    window : int or None, default=None
        Number of rows compared with the reference; None: a tenth of it, at least 30.
    false_alarms : float, default=0.01
        Greatest expected number of false alarms in a window of rows without drift. Warnings have five times as many.

    Attributes
    ----------
    state_ : {"ok", "warning", "drift"}
        The most severe result of the last tests.
    reason_ : str
        The tests with this result, with statistic and threshold; empty for ``"ok"``.
    n_seen_ : int
        Number of rows since `fit`.
    window_ : int
        Number of rows in a window.
    feature_names_in_ : ndarray of str
        Columns of a DataFrame, or x0, x1, ...

    References
    ----------
    Siddiqi (2006), Credit risk scorecards: PSI. Page (1954). Bifet and Gavaldà (2007), Learning from time-changing data
    with adaptive windowing. Siegmund (1985), Sequential analysis: how long Page's test runs.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> monitor = DriftMonitor(window=100).fit(rng.normal(size=(2000, 2)))
    >>> monitor.update(rng.normal(size=(300, 2)))
    'ok'
    >>> monitor.update(rng.normal([0, 1], 1, size=(100, 2)))
    'drift'
    >>> print(monitor.reason_)
    x1: KS 0.48 > 0.24; x1: PSI 1.21 > 0.36
    """

    _doc_page = "monitoring"

    def __init__(self, window: int | None = None, false_alarms: float = 0.01) -> None:
        self.window = window
        self.false_alarms = false_alarms

    def fit(self, X: ArrayLike | pd.DataFrame, errors: ArrayLike | pd.Series | None = None) -> DriftMonitor:
        """Learn the reference.

        Parameters
        ----------
        X : array-like, Series or DataFrame of shape (n,) or (n, k)
            Inputs in time order, NaN where missing; a change in the share of missing values is drift, too.
        errors : array-like or Series of shape (m,), default=None
            Errors of the model's forecasts on data that it wasn't fitted to, in time order. Their absolute values are
            used, missing ones are left out. None: only inputs are tested.

        Returns
        -------
        DriftMonitor

        Raises
        ------
        TypeError, ValueError
            If a parameter is out of range, there are fewer than four windows, a column has no value, or there are fewer
            than 40 errors.
        """
        Number(numbers.Integral, 8, none=True).check("window", self.window)
        Number(numbers.Real, 0, 1, low_included=False).check("false_alarms", self.false_alarms)
        with aside(self) as fitted:
            fitted._learn(X, errors)
        return self

    def _learn(self, X: Any, errors: Any) -> None:
        values = _table(X)
        n, self.n_features_in_ = values.shape
        self.window_ = int(self.window or max(n // 10, 30))
        if n < 4 * self.window_:
            raise ValueError(f"expected at least 4 windows of {self.window_} rows, got {n} rows")
        names = list(X.columns) if isinstance(X, pd.DataFrame) else [f"x{i}" for i in range(self.n_features_in_)]
        self.feature_names_in_ = np.array([str(name) for name in names], dtype=object)
        empty = np.isnan(values).all(axis=0)
        if empty.any():
            raise ValueError(f"expected a value in each column, got none in {self.feature_names_in_[empty][0]!r}")
        self._inputs = Reference(values, self.window_)
        self._errors = None if errors is None else self._error_tests(errors)
        self._share(1 if self._errors is None else 2)
        self._tests: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=KEPT_TESTS)
        self._input_ratios = np.zeros((2, self.n_features_in_))
        self.n_seen_, self.state_, self.reason_ = 0, "ok", ""

    @classmethod
    def from_forecaster(
        cls, forecaster: LSTMForecaster, y: Any, *, window: int | None = None, false_alarms: float = 0.01
    ) -> DriftMonitor:
        """Make a monitor of the rows and the errors of a forecaster.

        Parameters
        ----------
        forecaster : LSTMForecaster
            Fitted to one series.
        y : array-like, Series or DataFrame of shape (n,) or (n, k)
            The reference: the data of the fit, or others that are normal, in time order.
        window, false_alarms
            As in the class.

        Returns
        -------
        DriftMonitor
            Fitted to ``y``, and to the mean absolute error over steps and variables of each forecast of the rows that
            `fit` held out. With a ``transform``, or with too few rows held out, fitted to ``y`` alone.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            If the forecaster isn't fitted or was fitted to a panel, or ``y`` has other columns; also as in `fit`.
        """
        check_is_fitted(forecaster)
        observations, calibration = forecaster.fitted_.dataset.observations, forecaster.fitted_.calibration
        if observations.is_panel:
            raise ValueError("expected a forecaster of one series, got one of a panel")
        table, form = read_table(y)
        check_columns(observations.form, observations.n_columns, form, table.shape[1])
        names = [str(name) for name in observations.form.variables(observations.n_columns)]
        errors = None
        if forecaster.transform_ is None and calibration is not None and len(calibration) >= 2 * LEAST_BATCHES:
            errors = np.abs(calibration.errors).mean(axis=(1, 2))
        return cls(window, false_alarms).fit(pd.DataFrame(table, columns=names), errors)

    def __copy__(self) -> Self:
        # a shallow copy would share what `update` changes in place
        return copy.deepcopy(self)

    @property
    def tests_errors(self) -> bool:
        """Whether `fit` was given errors."""
        check_is_fitted(self, "state_")
        return self._errors is not None

    def update(self, X: ArrayLike | pd.DataFrame, error: Any = None) -> str:
        """Learn new rows, and test.

        Parameters
        ----------
        X : array-like, Series or DataFrame of shape (k,) or (n, k)
            Rows of inputs, with the columns of `fit`; for one feature a number or (n,).
        error : float, array-like of shape (n,) or None, default=None
            Errors that are newly known, of these rows or of earlier ones; NaN or None: none.

        Returns
        -------
        {"ok", "warning", "drift"}
            The state after the last row.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If the columns aren't those of `fit`, a value is infinite, or an error is given and `fit` had none.
        """
        check_is_fitted(self, "state_")
        rows = self._read_rows(X)
        errors = self._read_errors(error)
        cells = self._inputs.cells(rows)
        for i in range(max(len(rows), len(errors))):
            self._push(cells[i] if i < len(rows) else None, errors[i] if i < len(errors) else np.nan)
        return self.state_

    def report(self) -> pd.DataFrame:
        """Get the results of the tests.

        Returns
        -------
        DataFrame with columns statistic, threshold, state, indexed by feature and test
            ``"KS"`` and ``"PSI"`` of each feature at the last test. With errors, also ``"Page-Hinkley"`` of
            ``"errors"``, in standard deviations of a batch, and ``"ADWIN"``: the rise of the mean rank within the last
            window, without a threshold. Statistics are NaN until the first window is full.
        """
        check_is_fitted(self, "state_")
        rows = self._rows()
        index = pd.MultiIndex.from_tuples([(row.feature, row.test) for row in rows], names=["feature", "test"])
        table = [(row.statistic, row.threshold, row.state) for row in rows]
        return pd.DataFrame(table, index, columns=["statistic", "threshold", "state"])

    def trace(self) -> pd.DataFrame:
        """Get the last 1,000 tests: statistics divided by their thresholds; above 1 is an alarm.

        Returns
        -------
        DataFrame indexed by the row, counted from 1, with a column (feature, test) for each test
            As `lstmforecast.plot.drift` draws it.
        """
        check_is_fitted(self, "state_")
        columns: list[tuple[Hashable, str]] = [(f, test) for test in ("KS", "PSI") for f in self.feature_names_in_]
        if self._errors is not None:
            columns += [("errors", "Page-Hinkley"), ("errors", "ADWIN")]
        index = pd.Index([n for n, _ in self._tests], name="row")
        values = np.array([ratios for _, ratios in self._tests]).reshape(len(index), len(columns))
        return pd.DataFrame(values, index, pd.MultiIndex.from_tuples(columns, names=["feature", "test"]))

    def _share(self, n_kinds: int) -> None:
        """Set thresholds of alarms and warnings, so that all tests of a window together have few false alarms."""
        chance = self.false_alarms / n_kinds / (2 * self.n_features_in_ * CHECKS)
        self._thresholds = self._inputs.thresholds(chance)
        warnings = self._inputs.thresholds(min(WARNING * chance, 0.5))
        self._warnings = [low / high for low, high in zip(warnings, self._thresholds, strict=True)]

    def _error_tests(self, errors: Any) -> ErrorTests:
        sizes = _sizes(errors)
        sizes = sizes[~np.isnan(sizes)]
        if len(sizes) < 2 * LEAST_BATCHES:
            raise ValueError(f"expected at least {2 * LEAST_BATCHES} known errors, got {len(sizes)}")
        return ErrorTests(sizes, self.window_, self.false_alarms / 2)

    def _push(self, row: NDArray[np.uint8] | None, error: float) -> None:
        tested = False
        if row is not None:
            self._inputs.push(row)
            self.n_seen_ += 1
            if self._inputs.is_due:
                distances = self._inputs.distances()
                self._input_ratios = np.array([distances.ks, distances.psi]) / np.array(self._thresholds)
                tested = True
        if self._errors is not None and not np.isnan(error):
            tested |= self._errors.push(error)
        if tested:
            self._decide()

    def _decide(self) -> None:
        """Set state and reason from all tests, and remember their statistics."""
        ratios = self._input_ratios.ravel()
        if self._errors is not None:
            test = self._errors.page_hinkley
            ratios = np.r_[ratios, test.statistic / test.threshold, float(self._errors.has_risen)]
        self._tests.append((self.n_seen_, ratios))
        rows = self._rows()
        self.state_ = STATES[max(STATES.index(row.state) for row in rows)]
        self.reason_ = "; ".join(row.sentence() for row in rows if row.state != "ok")

    def _rows(self) -> list[_Row]:
        """The result of each test."""
        known, rows = self._inputs.n_seen >= self.window_, []
        for test, name in enumerate(("KS", "PSI")):
            for i, feature in enumerate(self.feature_names_in_):
                threshold, ratio = float(self._thresholds[test][i]), float(self._input_ratios[test, i])
                state = STATES[int(ratio > self._warnings[test][i]) + int(ratio > 1)]
                rows.append(_Row(feature, name, ratio * threshold if known else np.nan, threshold, state))
        return rows if self._errors is None else rows + _error_rows(self._errors)

    def _read_rows(self, X: Any) -> Array:
        names = [str(name) for name in X.columns] if isinstance(X, pd.DataFrame) else None
        if names is not None and names != list(self.feature_names_in_):
            raise ValueError(f"expected the columns of fit, {list(self.feature_names_in_)}, got {names}")
        array = np.asarray(X, dtype=float)
        if array.ndim == 1 and self.n_features_in_ > 1:
            array = array[np.newaxis]
        rows = _table(array)
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(f"expected {self.n_features_in_} features, got {rows.shape[1]}")
        return rows

    def _read_errors(self, error: Any) -> Array:
        if error is None:
            return np.zeros(0)
        if self._errors is None:
            raise ValueError("expected no error, as fit was given none, got one: call fit(X, errors) first")
        return _sizes(error)


def _error_rows(tests: ErrorTests) -> list[_Row]:
    sums = tests.page_hinkley
    # false alarms grow by a factor e for each 1 / (2 * allowance) by which the threshold is lower
    warning = max(sums.threshold - np.log(WARNING) / (2 * sums.allowance), sums.threshold / 2)
    state = STATES[int(sums.statistic > warning) + int(sums.statistic > sums.threshold)]
    change = tests.adwin.change if tests.has_risen else 0.0
    return [
        _Row("errors", "Page-Hinkley", sums.statistic, sums.threshold, state),
        _Row("errors", "ADWIN", change, np.nan, "drift" if tests.has_risen else "ok"),
    ]


def _table(values: Any) -> Array:
    array = np.asarray(values, dtype=float)
    array = array.reshape(-1, 1) if array.ndim < 2 else array
    if array.ndim > 2:
        raise ValueError(f"expected inputs of shape (n,) or (n, k), got {array.shape}")
    if np.isinf(array).any():
        row, column = np.argwhere(np.isinf(array))[0]
        where = f", the first in row {row}" + (f" of column {column}" if array.shape[1] > 1 else "")
        raise ValueError(f"expected finite or missing inputs, got {int(np.isinf(array).sum())} infinite ones{where}")
    return array


def _sizes(errors: Any) -> Array:
    sizes: Array = np.abs(np.asarray(errors, dtype=float)).reshape(-1)
    if np.ndim(errors) > 1:
        raise ValueError(f"expected errors of shape (n,), got {np.shape(errors)}")
    if np.isinf(sizes).any():
        got = f"{int(np.isinf(sizes).sum())} infinite ones, the first in row {int(np.argmax(np.isinf(sizes)))}"
        raise ValueError(f"expected finite or missing errors, got {got}")
    return sizes
