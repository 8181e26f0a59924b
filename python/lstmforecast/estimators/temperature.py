"""Temperature scaling, which calibrates probabilities (Guo et al. 2017, On Calibration of Modern Neural Networks)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Array = NDArray[np.float64]


def fit_temperature(logits: Array, codes: NDArray[np.intp], weights: Array | None = None) -> float:
    """Find the divisor of the logits that maximises the likelihood of held-out labels.

    A normal prior with deviation 1 on its logarithm keeps it above 0 where a few rows are all classified correctly;
    with a hundred rows it has almost no effect.

    Parameters
    ----------
    logits : ndarray of shape (n, n_classes)
    codes : ndarray of int of shape (n,)
        The class of each row.
    weights : ndarray of shape (n,) or None, default=None
        Weights of the rows.

    Returns
    -------
    float
        Above 1 for an overconfident network; 1 without rows.

    Examples
    --------
    A network that predicts 88 percent and is right three times out of four is overconfident:

    >>> print(round(fit_temperature(np.array([[2.0, 0.0]] * 400), np.array([0, 0, 0, 1] * 100)), 2))
    1.81
    """
    rows = np.arange(len(codes))

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(logits / np.exp(log_temperature), axis=1)[rows, codes]
        return float(log_temperature**2 / 2 - np.dot(likelihood, np.ones(len(rows)) if weights is None else weights))

    # from 1/20 to 20: beyond, the network has learned nothing, or makes no errors
    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
