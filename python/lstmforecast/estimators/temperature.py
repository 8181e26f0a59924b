"""Temperature scaling: probabilities as sure as they are right (Guo et al. 2017, On Calibration of Modern Neural
Networks).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Array = NDArray[np.float64]


def fit_temperature(logits: Array, codes: NDArray[np.intp], weights: Array | None = None) -> float:
    """Find the number by which logits are divided that makes labels most likely which no weight was fitted to.

    Its logarithm is drawn to 0, by as much as a normal distribution of deviation 1 does: so that a few rows which are
    all classified rightly don't make it 0. Of a hundred rows it makes next to no difference.

    Parameters
    ----------
    logits : ndarray of shape (n, n_classes)
    codes : ndarray of int of shape (n,)
        The class of each row.
    weights : ndarray of shape (n,) or None, default=None
        What the rows weigh.

    Returns
    -------
    float
        Above 1 for a network that is too sure of itself; 1 without rows.

    Examples
    --------
    A network that says 88 percent and is right three times out of four is too sure:

    >>> print(round(fit_temperature(np.array([[2.0, 0.0]] * 400), np.array([0, 0, 0, 1] * 100)), 2))
    1.81
    """
    rows = np.arange(len(codes))

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(logits / np.exp(log_temperature), axis=1)[rows, codes]
        return float(log_temperature**2 / 2 - np.dot(likelihood, np.ones(len(rows)) if weights is None else weights))

    # from a twentieth to twenty: beyond, a network has learned nothing, or there is nothing to be unsure of
    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
