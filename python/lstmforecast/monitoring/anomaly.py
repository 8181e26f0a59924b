"""Anomalies in time-ordered data: forecast errors, smoothed scores, a threshold that follows them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from lstmforecast import _core
from lstmforecast.contract.aside import aside
from lstmforecast.contract.fit_tasks import CallbackSupportMixin, FitTasks, with_callbacks
from lstmforecast.contract.html_repr import DocLinkMixin
from lstmforecast.contract.plain import PlainParameters
from lstmforecast.monitoring import detector_file
from lstmforecast.monitoring.detector_rows import Rows, read_at_fit, read_newest, read_rows
from lstmforecast.monitoring.detector_training import DetectorTraining, check_parameters
from lstmforecast.monitoring.events import events_frame, find_runs
from lstmforecast.monitoring.online_detector import OnlineDetector
from lstmforecast.monitoring.row_times import Irregularities
from lstmforecast.monitoring.scored_rows import ON_THRESHOLD

if TYPE_CHECKING:
    from typing_extensions import Self

    from lstmforecast.estimators.forecaster import LSTMForecaster
    from lstmforecast.thresholds import Threshold

# The severity of rows without a score.
NORMAL = 0.0
# Attributes of version 0.1, in the order of those of `OnlineDetector`.
_STREAM_OF_0_1 = ("forecaster_", "_monitor", "_labels", "_clock", "_frequency", "_report", "_recent", "_ahead")
# From `warnings.warn` to the caller of `fit`, which scikit-learn's callbacks wrap.
_FIT_LEVEL = 4 if CallbackSupportMixin.__module__.startswith("sklearn") else 3


class LSTMAnomalyDetector(PlainParameters, DocLinkMixin, CallbackSupportMixin, OutlierMixin, BaseEstimator):
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

    _doc_page = "anomalies"
    n_features_in_: int
    stream_: OnlineDetector

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
            rows, parameters = read_at_fit(fitted, X), self._plain_parameters()
            check_parameters(parameters, len(rows.table))
            detector_file.check_savable(rows.index, rows.labels)
            tasks = FitTasks(self, X, y)
            fitted.stream_ = OnlineDetector.fitted(rows, DetectorTraining.of(parameters))
            _warn(fitted.stream_.irregularities, stacklevel=_FIT_LEVEL)
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
        rows = self._read(X)
        return self.stream_.score(rows)[0].frame(rows, self.offset_)

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
        rows = self._read(X)
        scored, irregularities = self.stream_.score(rows)
        _warn(irregularities, stacklevel=3)
        severity = scored.severity() / abs(self.offset_)
        runs = find_runs(severity, ON_THRESHOLD, self.min_gap)
        return events_frame(runs, severity, scored.errors, rows.row_labels, rows.names)

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
        rows = read_newest(self, X, self.stream_.times, self.stream_.labels)
        if self.refit_every is None:
            scored = self.stream_.update(rows)
        else:
            stream = self.stream_.copied()
            scored = stream.update(rows, DetectorTraining.of(self._plain_parameters()))
            self.stream_ = stream
        # as `decision_function` computes it, to the bit
        return -(scored.severity() / abs(self.offset_)) * abs(self.offset_) - self.offset_

    def save(self, path: str | Path) -> None:
        """Write the fitted detector to one safetensors file, so that it goes on where it stands.

        Parameters
        ----------
        path : str or Path
            Where to; a file that is there is replaced.

        Raises
        ------
        OSError
            If the file can't be written; a file that was there before is left as it was.
        """
        from lstmforecast.export.persistence import save_detector

        self._check_is_fitted()
        save_detector(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a detector that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        LSTMAnomalyDetector
            Fitted, of the class that `load` is called on.

        Raises
        ------
        FormatError
            If the file is damaged, foreign, newer than this version, or holds another kind of estimator.
        OSError
            If it can't be read.
        """
        from lstmforecast.export.persistence import load

        detector = load(path)
        if not isinstance(detector, cls):
            raise _core.FormatError(f"{path}: expected a file of {cls.__name__}, got one of {type(detector).__name__}")
        return detector

    @property
    def forecaster_(self) -> LSTMForecaster:
        """The fitted forecaster."""
        return self.stream_.forecaster

    @property
    def window_size_(self) -> int:
        """Rows before the first that can be scored."""
        check_is_fitted(self)
        return self.forecaster_.window_size_

    @property
    def report_(self) -> pd.DataFrame:
        """What was irregular in the rows so far: a row for each kind, with how often, in how many rows, where first."""
        check_is_fitted(self)
        return self.stream_.irregularities.frame()

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

    def _read(self, X: Any) -> Rows:
        return read_rows(self, X, self.stream_.times, self.stream_.labels)

    def _score_samples(self, X: Any) -> NDArray[np.float64]:
        return NORMAL - self.stream_.score(self._read(X))[0].severity()

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any], dict[str, Any]]:
        """Arrays, parameters and values from which `_unpacked` makes the same detector."""
        parameters = self._plain_parameters()
        arrays, values = detector_file.pack(self.stream_, parameters, self.offset_, hasattr(self, "feature_names_in_"))
        return arrays, detector_file.pack_parameters(parameters), values

    @classmethod
    def _unpacked(
        cls, forecaster: Any, arrays: dict[str, NDArray[Any]], parameters: dict[str, Any], values: dict[str, Any]
    ) -> Self:
        """The inverse of `_packed`; a ValueError or KeyError for contents that don't fit together."""
        detector = cls(**detector_file.unpack_parameters(parameters))
        if values["own_forecaster"]:
            detector.set_params(forecaster=clone(forecaster))
        check_parameters(detector._plain_parameters(), 2)
        detector.stream_ = detector_file.unpack(forecaster, arrays, values)
        detector.n_features_in_, detector.offset_ = int(values["n_features"]), float(values["offset"])
        if values["named"]:
            detector.feature_names_in_ = np.array(detector.stream_.labels, dtype=object)
        detector_file.check(detector.stream_, detector.n_features_in_, detector.offset_, detector.refit_every)
        return detector

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read a pickle; in those of version 0.1 the parts of the stream are attributes of the detector."""
        if "_monitor" in state:
            state = dict(state)
            state["stream_"] = OnlineDetector(*(state.pop(name) for name in _STREAM_OF_0_1))
        super().__setstate__(state)


def _warn(irregularities: Irregularities, *, stacklevel: int) -> None:
    text = str(irregularities)
    if text:
        warnings.warn(
            f"X has {text}; rows are read in their order, and missing ones are filled by forecasts",
            UserWarning,
            stacklevel=stacklevel,
        )
