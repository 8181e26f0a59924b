"""The anomaly detector: scores of forecast errors, and a threshold that adapts to them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from lstmforecast.contract.aside import aside
from lstmforecast.contract.fit_tasks import CallbackSupportMixin, FitTasks, with_callbacks
from lstmforecast.contract.html_repr import DocLinkMixin
from lstmforecast.contract.plain import PlainParameters, plain_parameters
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.export.file_checks import require
from lstmforecast.export.persistence import ModelFile
from lstmforecast.export.saving import Saved
from lstmforecast.monitoring import detector_file
from lstmforecast.monitoring.detector_rows import Rows, read_at_fit, read_newest, read_rows
from lstmforecast.monitoring.detector_training import DetectorTraining, check_parameters
from lstmforecast.monitoring.events import events_frame, find_runs
from lstmforecast.monitoring.online_detector import OnlineDetector
from lstmforecast.monitoring.row_times import Irregularities
from lstmforecast.monitoring.scored_rows import ON_THRESHOLD

if TYPE_CHECKING:
    from typing_extensions import Self

    from lstmforecast.thresholds import Threshold

# The severity of rows without a score.
NORMAL = 0.0
# Attributes of version 0.1, in the order of those of `OnlineDetector`.
_STREAM_OF_0_1 = ("forecaster_", "_monitor", "_labels", "_clock", "_frequency", "_report", "_recent", "_ahead")
# From `warnings.warn` to the caller of `fit`, which scikit-learn's callbacks wrap.
_FIT_LEVEL = 4 if CallbackSupportMixin.__module__.startswith("sklearn") else 3


class LSTMAnomalyDetector(Saved, PlainParameters, DocLinkMixin, CallbackSupportMixin, OutlierMixin, BaseEstimator):
    """Detect anomalies in a time series, of one variable or many, by the errors of an LSTM's forecasts.

    Each row is compared with all forecasts of it, from one step ahead to the forecaster's horizon. Their absolute
    errors, divided by the usual error of each step and variable, are averaged over the steps and smoothed over time.
    The score of a row is their root mean square over the variables; it is compared with a threshold that adapts to the
    scores before it.

    Parameters
    ----------
    forecaster : LSTMForecaster or None, default=None
        The forecaster to fit: of points, without covariates, calendar and ensemble. None: the defaults, with a horizon
        of 24 steps, or of a twentieth of the rows if that is less, and without naive forecasts, which follow an anomaly
        (``LSTM(mix_naive=False)``). ``transform="auto"`` is None here: later rows of any size must have a score. Errors
        are those of the network's forecasts, also where these are negative; ``non_negative=True`` is refused.
    smoothing : float, default=24
        Span, in rows, of the exponentially weighted mean of errors, as in `pandas.Series.ewm`; 1: none. Small values
        find spikes sooner, large ones find long shifts.
    threshold : {"ewma", "dynamic", "quantile", "pot"} or an object of `lstmforecast.thresholds`, default="ewma"
        The threshold of the scores.
    clip : float or None, default=None
        For short anomalies: later forecasts read each row as at most so many usual errors (4, say) away from its own
        forecast. An anomaly then has little effect on forecasts of the rows after it, and its event ends when it ends;
        but the forecasts also follow a new level more slowly. None: forecasts read the rows as they are.
    contamination : "auto" or float, default="auto"
        ``"auto"``: a row is an anomaly if its score is above its threshold. A share of the rows, above 0 and at most
        0.5: thresholds are multiplied so that this share of the rows of `fit` is above them.
    min_gap : int, default=48
        Anomalies with at most so many rows between them are one event of `detect`.
    refit_every : int or None, default=None
        Number of rows of `update` after which the forecaster is fitted again, within `update`; None: never.
    memory : int, default=10000
        Number of the newest rows that later fits use.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the forecaster; None: that of ``forecaster``.

    Attributes
    ----------
    forecaster_ : LSTMForecaster
        Fitted.
    offset_ : float
        ``decision_function`` is ``score_samples`` less this; -1 with ``contamination="auto"``.
    window_size_ : int
        Number of rows before the first that can be scored.
    n_features_in_ : int
        Number of variables.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Column names, if all of them are strings.
    report_ : DataFrame
        What was irregular in the rows of `fit` and `update`: gaps, duplicate time stamps, steps back in time, missing
        values; how often, in how many rows, where first.
    stream_ : OnlineDetector
        The fitted forecaster with the state of the scores and of the threshold.

    Notes
    -----
    Rows are read in their order, each as the next step, also a row whose time stamp is a duplicate or earlier than the
    one before. Missing rows between two time stamps, at most 336, and missing values are filled by their forecasts and
    have no score. `fit` and `detect` warn about them, and ``report_`` counts them.

    A variable that is constant in the rows of `fit` is forecast to stay constant: its first change is an anomaly.

    Without ``clip``, an anomaly disturbs forecasts for as long as it is in the window: events end late, and a second
    one may follow a season later.

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
    offset_: float
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
            Observations in time order, most of them normal; NaN is a missing value. From a time index, missing rows and
            the length of a season are found.
        y : None
            Ignored, for scikit-learn.

        Returns
        -------
        LSTMAnomalyDetector
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter is out of range, a column has no numbers or no values, or the data are too short or unsorted.
            After an error the detector is unchanged.
        """
        with aside(self) as fitted:
            rows, parameters = read_at_fit(fitted, X), plain_parameters(self)
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
        """Score how normal each row is: minus its score, divided by its threshold.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            Rows in time order, with the columns of `fit`. If their time index continues after the rows of `fit` and
            `update`, they are taken as the continuation of these; else as a series of their own, whose first
            ``window_size_`` rows have no score. The detector itself doesn't change.

        Returns
        -------
        ndarray of shape (n,)
            At most 0; rows without a score have 0. Anomalies are below ``offset_``.

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
        """Compute the distance of each row from being an anomaly: ``score_samples(X) - offset_``.

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
        """Classify rows as anomalies or normal.

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
        """Get the forecast, errors, score and threshold of each row, for plots and explanations.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            As in `score_samples`.

        Returns
        -------
        DataFrame of shape (n, 3 * k + 4)
            With the index of ``X``, in the time zone of `fit`. Columns of two levels: ``("value", name)``,
            ``("forecast", name)`` one step ahead and ``("error", name)``, smoothed and in usual errors, of each
            variable; ``score``, ``threshold`` (after ``contamination``), ``severity`` (their ratio) and ``anomaly``.
            NaN where unknown.
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
            ``start``, ``end`` (the last anomaly) and ``peak``: labels or numbers of rows. ``severity``: the score at
            the peak divided by its threshold. ``variables``: a list of those whose error at the peak is at least half
            of the greatest.

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
        """Score the newest rows of a stream and learn from them, in constant time and memory for each row.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, k), Series or DataFrame
            Rows that follow the last ones; an array of shape (k,) is one row of several variables. A time index may
            have gaps. Arrays are fastest.

        Returns
        -------
        ndarray of shape (n,)
            As `decision_function`: below 0 for anomalies. Each row is scored by what was known before it.

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
            scored = stream.update(rows, DetectorTraining.of(plain_parameters(self)))
            self.stream_ = stream
        # the same operations as in `decision_function`, for the same bits
        return -(scored.severity() / abs(self.offset_)) * abs(self.offset_) - self.offset_

    @property
    def forecaster_(self) -> LSTMForecaster:
        """The fitted forecaster."""
        if not hasattr(self, "stream_"):
            check_is_fitted(self)
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
        # scikit-learn's check takes as long as a forecast
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)

    def _read(self, X: Any) -> Rows:
        return read_rows(self, X, self.stream_.times, self.stream_.labels)

    def _score_samples(self, X: Any) -> NDArray[np.float64]:
        return NORMAL - self.stream_.score(self._read(X))[0].severity()

    def _pack(self) -> ModelFile:
        parameters = plain_parameters(self)
        arrays, values = detector_file.pack(self.stream_, parameters, self.offset_, hasattr(self, "feature_names_in_"))
        file = self.forecaster_._pack()
        return file.with_detector(arrays, detector_file.pack_parameters(parameters), values)

    @classmethod
    def _unpack(cls, file: ModelFile) -> Self:
        require(file.metadata["estimator"] == LSTMForecaster.__name__, "a detector without a forecaster")
        forecaster = LSTMForecaster._unpack(file)
        arrays, parameters, values = file.detector()
        detector = cls(**detector_file.unpack_parameters(parameters))
        if values["own_forecaster"]:
            detector.set_params(forecaster=clone(forecaster))
        check_parameters(plain_parameters(detector), 2)
        detector.stream_ = detector_file.unpack(forecaster, arrays, values)
        detector.n_features_in_, detector.offset_ = int(values["n_features"]), float(values["offset"])
        if values["named"]:
            detector.feature_names_in_ = np.array(detector.stream_.labels, dtype=object)
        detector_file.check(detector.stream_, detector.n_features_in_, detector.offset_, detector.refit_every)
        return detector

    def __copy__(self) -> Self:
        """A shallow copy, except that `update` of either doesn't change the other."""
        copied = type(self).__new__(type(self))
        state = self.__getstate__()
        copied.__setstate__(state | {"stream_": self.stream_.copied()} if "stream_" in state else state)
        return copied

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
