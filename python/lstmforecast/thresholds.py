"""Thresholds for the scores of `lstmforecast.LSTMAnomalyDetector`, which adapt to the scores.

Each threshold is computed from the scores before; it learns one score at a time, in constant time and memory.
"""

from __future__ import annotations

import numbers
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from lstmforecast import _core
from lstmforecast.contract.core_options import ThresholdOptions
from lstmforecast.contract.plain import PlainParameters, plain_parameters
from lstmforecast.contract.rules import Number

__all__ = ["DynamicThreshold", "EWMAThreshold", "POTThreshold", "QuantileThreshold"]


def __dir__() -> list[str]:
    return __all__


class Threshold(PlainParameters, BaseEstimator):
    """The methods of all thresholds; not for use on its own."""

    _name: ClassVar[str]
    _rules: ClassVar[dict[str, Number]]

    def config(self) -> ThresholdOptions:
        """Get name and parameters in the form that the Rust core takes.

        Returns
        -------
        dict of str to dict
            The name of the threshold, and its parameters.

        Raises
        ------
        TypeError, ValueError
            For a parameter out of range.
        """
        parameters = plain_parameters(self)
        for name, value in parameters.items():
            self._rules[name].check(name, value)
        kinds = {name: int if rule.kind is numbers.Integral else float for name, rule in self._rules.items()}
        options = {self._name: {name: kinds[name](value) for name, value in parameters.items()}}
        return cast("ThresholdOptions", options)

    def follow(self, scores: ArrayLike, first: ArrayLike) -> NDArray[np.float64]:
        """Compute the threshold of each score.

        Parameters
        ----------
        scores : array-like of shape (n,)
            In time order; a missing score (NaN) doesn't change the threshold.
        first : array-like of shape (m,)
            Earlier scores, for the first threshold; at least one that is not missing.

        Returns
        -------
        ndarray of shape (n,)
            Scores above their thresholds are anomalies.

        Raises
        ------
        TypeError, ValueError
            For a parameter out of range, or no first score.
        """
        return _core.follow_scores(self.config(), np.asarray(first, np.float64), np.asarray(scores, np.float64))


class DynamicThreshold(Threshold):
    """The nonparametric dynamic threshold, with error pruning (Hundman et al. 2018).

    Candidates are the mean of the newest scores plus a multiple of their standard deviation. The chosen one reduces
    mean and standard deviation of the scores below it the most, relative to the number of scores and of runs above it.
    Pruning raises the threshold: an anomalous peak must be higher than the normal scores by a share of its height.

    Parameters
    ----------
    window : int, default=2100
        Number of the newest scores that it is computed from.
    every : int, default=70
        Number of scores after which it is computed again.
    pruning : float, default=0.13
        The share by which a peak must be higher than normal scores; 0: no pruning.

    References
    ----------
    K. Hundman, V. Constantinou, C. Laporte, I. Colwell, T. Soderstrom. Detecting Spacecraft Anomalies Using LSTMs and
    Nonparametric Dynamic Thresholding. KDD 2018.

    Examples
    --------
    >>> DynamicThreshold().follow([1.0, 9.0], first=[1.0, 1.2, 0.8, 1.0, 1.1] * 20).round(2)
    array([2.61, 2.61])
    """

    _name = "dynamic"
    _rules: ClassVar[dict[str, Number]] = {
        "window": Number(numbers.Integral, 1),
        "every": Number(numbers.Integral, 1),
        "pruning": Number(numbers.Real, 0, 1),
    }

    def __init__(self, window: int = 2100, every: int = 70, pruning: float = 0.13) -> None:
        self.window = window
        self.every = every
        self.pruning = pruning


class QuantileThreshold(Threshold):
    """A quantile of the newest scores, interpolated as in `numpy.quantile`, times a factor.

    Parameters
    ----------
    window : int, default=2000
        Number of the newest scores.
    level : float, default=0.99
        The share of them below the quantile.
    factor : float, default=1.5
        Factor of the quantile.

    Examples
    --------
    >>> QuantileThreshold(window=3, level=0.5, factor=1.0).follow([5.0, 6.0], first=[1.0, 2.0, 3.0])
    array([2., 3.])
    """

    _name = "quantile"
    _rules: ClassVar[dict[str, Number]] = {
        "window": Number(numbers.Integral, 1),
        "level": Number(numbers.Real, 0, 1, low_included=False),
        "factor": Number(numbers.Real, 0, low_included=False),
    }

    def __init__(self, window: int = 2000, level: float = 0.99, factor: float = 1.5) -> None:
        self.window = window
        self.level = level
        self.factor = factor


class EWMAThreshold(Threshold):
    """The exponentially weighted mean of scores plus a multiple of their weighted standard deviation (Roberts 1959).

    A score above the threshold is learned as if it were equal to it: a spike raises the threshold only a little, and a
    new level is normal after a while.

    Parameters
    ----------
    span : float, default=2000
        The newest score weighs ``2 / (span + 1)``, as in `pandas.Series.ewm`.
    n_sigmas : float, default=3.5
        Number of standard deviations from the mean to the threshold.

    References
    ----------
    S. W. Roberts. Control Chart Tests Based on Geometric Moving Averages. Technometrics 1959.
    T. Finch. Incremental calculation of weighted mean and variance. University of Cambridge 2009.

    Examples
    --------
    >>> EWMAThreshold(span=3, n_sigmas=2).follow([1.0, 2.0], first=[1.0, 3.0]).round(3)
    array([4.   , 3.232])
    """

    _name = "ewma"
    _rules: ClassVar[dict[str, Number]] = {
        "span": Number(numbers.Real, 1),
        "n_sigmas": Number(numbers.Real, 0, low_included=False),
    }

    def __init__(self, span: float = 2000, n_sigmas: float = 3.5) -> None:
        self.span = span
        self.n_sigmas = n_sigmas


class POTThreshold(Threshold):
    """Peaks over threshold for streams (SPOT: Siffer et al. 2017).

    The scores above a high quantile, called peaks, are modelled by a generalised Pareto distribution, fitted by maximum
    likelihood (Grimshaw 1993). The threshold is exceeded with the probability ``risk``. Anomalies aren't learned.

    Parameters
    ----------
    risk : float, default=1e-4
        Probability that a normal score is above the threshold.
    level : float, default=0.98
        The share of the first scores that aren't peaks.
    n_peaks : int, default=200
        Number of the newest peaks, which the distribution is fitted to.

    References
    ----------
    A. Siffer, P.-A. Fouque, A. Termier, C. Largouet. Anomaly Detection in Streams with Extreme Value Theory. KDD 2017.

    Examples
    --------
    >>> POTThreshold(risk=0.01, level=0.5).follow([1.0], first=[1.0, 2.0, 3.0, 4.0, 5.0]).round(2)
    array([8.53])
    """

    _name = "pot"
    _rules: ClassVar[dict[str, Number]] = {
        "risk": Number(numbers.Real, 0, 1, low_included=False),
        "level": Number(numbers.Real, 0, 1, low_included=False),
        "n_peaks": Number(numbers.Integral, 1),
    }

    def __init__(self, risk: float = 1e-4, level: float = 0.98, n_peaks: int = 200) -> None:
        self.risk = risk
        self.level = level
        self.n_peaks = n_peaks


NAMES: dict[str, type[Threshold]] = {
    kind._name: kind for kind in (DynamicThreshold, EWMAThreshold, POTThreshold, QuantileThreshold)
}


def resolve(threshold: Any) -> Threshold:
    """The threshold of a name, or the one given; a TypeError or ValueError for anything else."""
    if isinstance(threshold, Threshold):
        return threshold
    if not isinstance(threshold, str):
        raise TypeError(f"expected threshold to be a name or an object of lstmforecast.thresholds, got {threshold!r}")
    if threshold not in NAMES:
        raise ValueError(f"expected threshold to be one of {', '.join(map(repr, NAMES))}, got {threshold!r}")
    return NAMES[threshold]()
