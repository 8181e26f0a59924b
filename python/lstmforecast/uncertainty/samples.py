"""Sample paths: whole futures, whose neighbouring steps belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.fitting.distribution import probability, quantile, whole
from lstmforecast.uncertainty.calibration import Calibration


def draw_paths(
    calibration: Calibration,
    drawn: NDArray[np.int64],
    forecast: NDArray[np.float64],
    units: ErrorScale | None,
    generator: np.random.RandomState,
) -> NDArray[np.float64]:
    """Lend the errors, or probabilities, of the windows ``drawn`` to parameters (n, steps, k, p).

    Returns
    -------
    ndarray of shape (n_samples, n, steps, k)
    """
    steps = forecast.shape[1]
    unit = 1.0 if units is None else units.scale[:, np.newaxis]
    middles = quantile(calibration.distribution, forecast, 0.5)
    around = middles + unit * calibration.errors[drawn, np.newaxis, :steps].astype(np.float64)
    if calibration.parameters is None:
        return around
    distribution = calibration.distribution
    truth, parameters = calibration.truth[drawn, :steps], calibration.parameters[drawn, :steps]
    levels = probability(distribution, parameters, truth)
    if distribution == "negative_binomial":
        # anywhere in the step of the distribution function (Smith 1985): its middle would be too little spread
        below = 2 * levels - probability(distribution, parameters, truth + 0.5)
        levels = below + generator.uniform(size=levels.shape) * 2 * (levels - below)
    # a truth that was thought impossible is as far out as single precision can tell
    levels = np.clip(levels, 1e-7, 1 - 1e-7)
    paths = quantile(distribution, forecast, levels[:, np.newaxis])
    if units is None or units.pooled.all():
        return paths
    # the network knows nothing of a unit of their own
    around = whole(around) if distribution == "negative_binomial" else around
    return np.where(units.pooled[:, np.newaxis], paths, around)
