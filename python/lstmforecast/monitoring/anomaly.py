"""Anomalies in time-ordered data: forecast errors, smoothed scores, a threshold that follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.contract.aside import aside
from lstmforecast.contract.fit_tasks import FitTasks, with_callbacks
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.export.file_checks import is_count, require, require_array
from lstmforecast.export.persistence import ModelFile
from lstmforecast.monitoring.detector import Found, Watcher
from lstmforecast.monitoring.events import events_frame, find_runs

if TYPE_CHECKING:
    from typing_extensions import Self

    from lstmforecast.thresholds import Threshold

# What a score has as its severity before anything can be said of it, and on its threshold.
NORMAL, ON_THRESHOLD = 0.0, 1.0


class LSTMAnomalyDetector(Watcher):
    """Detect anomalies in a time-ordered series, of one variable or many, by how wrong an LSTM's forecasts were.

    Each row is held against all forecasts that were made of it, one step ahead to the forecaster's horizon. Their
    absolute errors, in units of the usual error of each step and variable, are averaged over the steps, smoothed
    over time, and joined over the variables by their root mean square; the score is held against a threshold that
    follows the scores before it.

    Parameters
    ----------
    forecaster : LSTMForecaster or None, default=None
        What forecasts: a forecaster of points, without covariates, calendar and ensemble. None: the defaults, 24 steps
        ahead or a twentieth of the rows, if that is less.
    smoothing : float, default=24
        Span, in rows, of the exponentially weighted mean of errors, as in `pandas.Series.ewm`; 1: none. Spikes are
        found soonest with little, long shifts with more.
    threshold : {"ewma", "dynamic", "quantile", "pot"} or an object of `lstmforecast.thresholds`, default="ewma"
        What a score is held against.
    clip : float or None, default=None
        For short anomalies: a row is forecast from as if it lay at most so many usual errors (4, say) from its own
        forecast, so that an anomaly spoils no forecast of the rows after it, and events end when it ends; a new level
        is followed as slowly. None: rows are forecast from as they are.
    contamination : "auto" or float, default="auto"
        ``"auto"``: an anomaly is what lies above its threshold. A part of the rows, above 0 and at most 0.5: thresholds
        are multiplied so that this part of the rows of `fit` lies above.
    min_gap : int, default=48
        Anomalies with at most so many rows between them are one event of `detect`.
    refit_every : int or None, default=None
        After so many rows of `update` the forecaster is fitted anew, while `update` waits; None: never.
    memory : int, default=10000
        The newest rows, to which it is fitted then.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the forecaster; None: that of ``forecaster``.

    Attributes
    ----------
    forecaster_ : LSTMForecaster
        Fitted.
    offset_ : float
        ``decision_function`` is ``score_samples`` less this; -1 with ``contamination="auto"``.
    window_size_ : int
        Rows before the first that can be judged.
    n_features_in_ : int
        How many variables.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Column names, if all of them are strings.
    report_ : DataFrame
        What was irregular in the rows seen by `fit` and `update`: gaps, duplicate and backward time stamps, missing
        values; how often, how many rows, where first.

    Notes
    -----
    Rows are taken in the order in which they stand, each as the next step; a time stamp that stands twice, or that lies
    before the one of the row before, is that of a row as any other. Rows that are missing between two stamps, at most
    336 of them, and missing values are filled by their forecasts and have no score. `fit` and `detect` warn where there
    were such, and ``report_`` counts them.

    A variable that never moved in the rows of `fit` is forecast to stay what it is, and raises no alarm until it moves.

    Without ``clip``, an anomaly stays in the windows for as many rows as they have, and spoils forecasts for so long:
    events end late, and a season later there may be an echo.

    References
    ----------
    K. Hundman, V. Constantinou, C. Laporte, I. Colwell, T. Soderstrom. Detecting Spacecraft Anomalies Using LSTMs and
    Nonparametric Dynamic Thresholding. KDD 2018.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> hours = pd.date_range("2026-01-01", periods=600, freq="h")
    >>> noise = np.random.default_rng(0).normal(0, 0.05, 600)
    >>> load = pd.Series(np.sin(np.arange(600) * np.pi / 12) + noise, index=hours, name="load")
    >>> load.iloc[500:506] += 2
    >>> detector = LSTMAnomalyDetector(smoothing=6, random_state=0).fit(load[:400])
    >>> events = detector.detect(load[400:])
    >>> print(events["start"][0], events["variables"][0], len(events))
    2026-01-21 20:00:00 ['load'] 1
    """

    def __init__(
        self,
        forecaster: LSTMForecaster | None = None,
        *,
        smoothing: float = 24,
        threshold: str | Threshold = "ewma",
        clip: float | None = None,
        contamination: str | float = "auto",
        min_gap: int = 48,
        refit_every: int | None = None,
        memory: int = 10_000,
        random_state: Any = None,
    ) -> None:
        self.forecaster = forecaster
        self.smoothing = smoothing
        self.threshold = threshold
        self.clip = clip
        self.contamination = contamination
        self.min_gap = min_gap
        self.refit_every = refit_every
        self.memory = memory
        self.random_state = random_state

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is normal.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            Observations in time order, mostly normal ones; NaN is a missing value. A time index tells where rows are
            missing and how long a season is.
        y : None
            Ignored, for scikit-learn.

        Returns
        -------
        LSTMAnomalyDetector
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter is out of range, a column holds no numbers or no values, or the data are too short or in no
            order. After any error the detector is what it was before.
        """
        with aside(self) as fitted:
            table, index = fitted._read(X, reset=True)
            self._check_parameters(len(table))
            fitted._check_savable(index)
            tasks = FitTasks(self, X, y)
            fitted._start(table, index)
            fitted.offset_ = -ON_THRESHOLD
            if self.contamination != "auto":
                fitted.offset_ = float(np.percentile(fitted._score_samples(X), 100 * float(self.contamination)))
        tasks.end()
        return self

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """How normal each row is: minus its score, as a multiple of its threshold.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            Rows in time order, with the columns of `fit`. If their time index goes on after the rows seen by `fit` and
            `update`, those are the rows before them; else they are a series of their own, of whose first
            ``window_size_`` rows nothing can be said. What is learned of thresholds on the way is forgotten.

        Returns
        -------
        ndarray of shape (n,)
            0 is as normal as can be, and what rows have of which nothing is known; an anomaly is below ``offset_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also for other columns.
        """
        self._check_is_fitted()
        return self._score_samples(X)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """How far each row is from being an anomaly: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            As in `score_samples`, errors too.

        Returns
        -------
        ndarray of shape (n,)
            Below 0 for anomalies.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Tell anomalies from all other rows.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            As in `score_samples`, errors too.

        Returns
        -------
        ndarray of shape (n,)
            -1 for anomalies, 1 for all other rows.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def trace(self, X: Any) -> pd.DataFrame:
        """All that is known of each row: for pictures, and for those who ask why.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            As in `score_samples`.

        Returns
        -------
        DataFrame of shape (n, 3 * k + 4)
            With the index of ``X``, in the time zone of `fit`. Columns of two levels: ``("value", name)``,
            ``("forecast", name)`` a step ahead and ``("error", name)``, smoothed and in usual errors, of each variable;
            ``score``, ``threshold`` (after ``contamination``), ``severity`` (their ratio) and ``anomaly``. NaN where
            nothing is known.
        """
        self._check_is_fitted()
        table, index = self._read(X)
        found, _ = self._look(table, index)
        return self._frame(table, index, found)

    def detect(self, X: Any) -> pd.DataFrame:
        """Find events: runs of anomalies.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            As in `score_samples`.

        Returns
        -------
        DataFrame of shape (n_events, 5)
            ``start``, ``end`` (the last anomaly) and ``peak`` by the labels of the rows, or their numbers;
            ``severity``, the score at the peak as a multiple of its threshold; ``variables``, a list of those whose
            error at the peak is at least half of the greatest.

        Warns
        -----
        UserWarning
            Once, if ``X`` has gaps, duplicate or backward time stamps, or missing values.
        """
        self._check_is_fitted()
        table, index = self._read(X)
        found, report = self._look(table, index)
        self._warn(report)
        severity = self._severity(found)
        runs = find_runs(severity, ON_THRESHOLD, self.min_gap)
        labels = pd.RangeIndex(len(table)) if index is None else index
        return events_frame(runs, severity, found.errors, labels, self._names())

    def update(self, X: Any) -> NDArray[np.float64]:
        """Take in the newest rows of a stream, and judge them, in constant time and memory for each.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            Rows that follow the last ones seen; an array of shape (k,) is one row of several variables. A time index
            may leave gaps. Fastest are arrays.

        Returns
        -------
        ndarray of shape (n,)
            As `decision_function`: below 0 for anomalies. Each row is judged by what was known before it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `fit`; also for other columns.
        """
        self._check_is_fitted()
        table, index = self._read_newest(X)
        return -self._severity(self._go_on(table, index)) * abs(self.offset_) - self.offset_

    def _pack(self) -> ModelFile:
        return self.forecaster_._pack().with_detector(*self._packed())

    @classmethod
    def _unpack(cls, file: ModelFile) -> Self:
        require(file.words["estimator"] == LSTMForecaster.__name__, "a detector without a forecaster")
        detector = cls._unpacked(LSTMForecaster._unpack(file), *file.detector())
        detector._check_restored()
        return detector

    def _check_restored(self) -> None:
        """Raise a ValueError if what was read besides forecaster and monitor doesn't go together."""
        k, labels, clock = self.forecaster_.n_features_in_, self._labels, self._clock
        require(self.n_features_in_ == k, f"{self.n_features_in_} columns")
        require(labels is None or len(labels) == k, "other names of columns")
        require(-np.inf < self.offset_ < 0, f"an offset of {self.offset_}")
        if clock.newest is None:
            require(clock.step == 0, "steps without times")
        else:
            require(len(clock.newest) == 1 and not clock.newest.hasnans and clock.step > 0, "a clock that stands still")
        recent, every = self._recent, self.refit_every
        require(self._ahead in range(every or 1), f"{self._ahead} rows since the last fit")
        require(len(recent) == (0 if every is None else 1), "other rows to be fitted to")
        for rows in recent:
            require_array("rows", rows, np.float64, (None, k), finite=False)
            require(not np.isinf(rows).any(), "rows that are infinite")
        counts = [*self._report.counts.values(), *self._report.rows.values()]
        named = all(isinstance(label, str) for label in self._report.first.values())
        require(all(map(is_count, counts)) and named, "a report of nothing")
        repr(self.report_)

    def _score_samples(self, X: Any) -> NDArray[np.float64]:
        table, index = self._read(X)
        found, _ = self._look(table, index)
        return NORMAL - found.severity()

    def _severity(self, found: Found) -> NDArray[np.float64]:
        """Scores as multiples of the thresholds that ``contamination`` makes."""
        return found.severity() / abs(self.offset_)

    def _frame(self, table: NDArray[np.float64], index: pd.Index | None, found: Found) -> pd.DataFrame:
        names = self._names()
        blocks = {"value": table, "forecast": found.forecasts, "error": found.errors}
        columns: dict[tuple[Any, Any], Any] = {
            (kind, name): block[:, i] for kind, block in blocks.items() for i, name in enumerate(names)
        }
        severity = self._severity(found)
        columns |= {("score", ""): found.scores, ("threshold", ""): found.thresholds * abs(self.offset_)}
        columns |= {("severity", ""): np.where(np.isnan(found.scores), np.nan, severity)}
        columns |= {("anomaly", ""): severity > ON_THRESHOLD}
        frame = pd.DataFrame(columns, index=pd.RangeIndex(len(table)) if index is None else index)
        frame.columns = pd.MultiIndex.from_tuples(list(columns))
        return frame
