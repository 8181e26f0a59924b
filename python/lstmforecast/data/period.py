"""Periods of a series whose rows have no times, or times that say nothing of a season."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


def candidate_periods(values: Array, above: int, most: int) -> list[int]:
    """The lags at which a series is most like itself: of its values less their trend, and of its changes.

    Autocorrelations alone can't say whether a lag helps a forecast that knows the rows before it.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        NaN where missing, which are interpolated; correlations are means over the variables.
    above, most : int
        The lags that are compared: those from ``above + 1`` to ``most``.

    Returns
    -------
    list of int
        None, one or two, where the autocorrelation is above 0.

    Examples
    --------
    >>> days = np.arange(700)
    >>> month = np.where(days % 30 == 0, 3.0, 0.0)
    >>> candidate_periods(month[:, np.newaxis], above=8, most=100)
    [30]
    """
    if most <= above:
        return []
    filled = pd.DataFrame(values).interpolate(limit_direction="both").fillna(0.0).to_numpy()
    at = np.arange(len(filled))
    trend = np.polynomial.polynomial.polyfit(at, filled, 1)
    without_trend = filled - trend[0] - at[:, np.newaxis] * trend[1]
    found, size = [], np.abs(filled).max(axis=0)
    for each in (without_trend, np.diff(filled, axis=0)):
        similar = _autocorrelation(each, size)[above + 1 : most + 1]
        if similar.max(initial=0.0) > 0:
            found.append(above + 1 + int(similar.argmax()))
    return list(dict.fromkeys(found))


def _autocorrelation(values: Array, size: Array) -> Array:
    """By lag, mean over the variables (n, k): (n,). Sums over pairs of rows, so that of two multiples of a period the
    smaller is more alike.
    """
    n = len(values)
    centred = values - values.mean(axis=0)
    spectrum = np.fft.rfft(centred, 2 * n, axis=0)
    sums = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[:n]
    square = sums[:1]
    # what is constant, or on a line, is left with rounding errors
    varies = square > n * (1e-12 * size) ** 2
    found: Array = (np.divide(sums, square, out=np.zeros(sums.shape), where=varies)).mean(axis=1)
    return found
