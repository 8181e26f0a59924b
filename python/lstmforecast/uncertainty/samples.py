"""Sample paths of the future, whose steps depend on each other as the errors of held-out windows do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.fitting.distribution import possible, probabilities, quantile
from lstmforecast.uncertainty.calibration import Calibration


def draw_paths(
    calibration: Calibration,
    drawn: NDArray[np.int64],
    forecast: NDArray[np.float64],
    error_scale: ErrorScale | None,
    generator: np.random.RandomState,
    when: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Add the errors, or apply the probabilities, of the windows ``drawn`` to forecast parameters (n, steps, k, p).

    With the numbers of the first steps, ``when`` (n,), errors have the size that is usual at the phase of each step.

    Returns
    -------
    ndarray of shape (n_samples, n, steps, k)
    """
    by_phase = None if when is None else calibration.by_phase
    if by_phase is not None and when is not None:
        middles = quantile(calibration.distribution, forecast, 0.5)
        paths = draw_paths(by_phase[0], drawn, forecast, error_scale, generator)
        scaled = middles + by_phase[1].at(when, forecast.shape[1]) * (paths - middles)
        if error_scale is None or error_scale.pooled.all():
            return scaled
        # the phases of the other series say nothing of one that is not pooled
        plain = draw_paths(calibration, drawn, forecast, error_scale, generator)
        return np.where(error_scale.pooled[:, np.newaxis], scaled, plain)
    steps = forecast.shape[1]
    scale = 1.0 if error_scale is None else error_scale.scale[:, np.newaxis]
    middles = quantile(calibration.distribution, forecast, 0.5)
    around = middles + scale * calibration.errors[drawn, np.newaxis, :steps].astype(np.float64)
    if calibration.parameters is None:
        return around
    distribution = calibration.distribution
    truth, parameters = calibration.truth[drawn, :steps], calibration.parameters[drawn, :steps]
    below, levels = probabilities(distribution, parameters, truth)
    if below is not levels:
        # uniform within the step of the distribution function (Smith 1985): its middle would vary too little
        levels = below + generator.uniform(size=levels.shape) * (levels - below)
    # values of probability 0 or 1 are as extreme as single precision can represent
    levels = np.clip(levels, 1e-7, 1 - 1e-7)
    paths = quantile(distribution, forecast, levels[:, np.newaxis])
    if error_scale is None or error_scale.pooled.all():
        return paths
    # errors that are not pooled have another scale than the network
    return np.where(error_scale.pooled[:, np.newaxis], paths, possible(distribution, around))


def raised_to_zero(paths: NDArray[np.float64], lowest: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Paths (n_samples, n, steps, k) of which none is below 0 where the ``lowest`` forecast (n, k) is 0.

    They are the nearest ones of the same mean, or of mean 0 where it is negative: the mean of sums stays right, which
    paths that are cut off at 0 would raise. All values of a step are lowered alike, then cut off (the projection onto a
    simplex: Duchi et al. 2008).

    Examples
    --------
    >>> paths = np.array([-2.0, 1.0, 4.0]).reshape(3, 1, 1, 1)
    >>> raised_to_zero(paths, np.array([[0.0]])).ravel()
    array([0., 0., 3.])
    """
    if lowest is None:
        return paths
    chosen = (paths < lowest[:, np.newaxis]).any(axis=0)
    if not chosen.any():
        return paths
    values = paths[:, chosen]
    mean = np.maximum(values.mean(axis=0), 0)
    # the mean of the largest so many, less what these may have together
    ranks = np.arange(1, len(values) + 1)[:, np.newaxis]
    descending = -np.sort(-values, axis=0)
    lowered_by = (np.cumsum(descending, axis=0) - len(values) * mean) / ranks
    n_above = np.maximum((descending > lowered_by).sum(axis=0), 1)
    raised = paths.copy()
    raised[:, chosen] = np.maximum(values - np.take_along_axis(lowered_by, n_above[np.newaxis] - 1, axis=0), 0)
    return raised
