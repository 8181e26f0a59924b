"""Sample paths of a forecaster: whole futures, whose neighbouring steps belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.contract.seeds import as_generator
from lstmforecast.data.units import Units
from lstmforecast.fitting.distribution import probability, quantile, whole
from lstmforecast.fitting.finite import require_finite_forecasts
from lstmforecast.fitting.parameters import MOST_STEPS, check_count
from lstmforecast.uncertainty.calibration import Calibration, quantile_columns
from lstmforecast.uncertainty.intervals import ConformalIntervals


class SamplePaths(ConformalIntervals):
    """What `LSTMForecaster` inherits for samples; not for use on its own."""

    def predict_samples(
        self,
        n_samples: int = 100,
        horizon: int | None = None,
        X: Any = None,
        context: Any = None,
        X_past: Any = None,
        static: Any = None,
        random_state: Any = None,
    ) -> pd.DataFrame:
        """Draw paths of the future, from which to read what quantiles of single steps can't tell: sums, peaks, runs.

        Each is the forecast plus the errors of a window that `fit` held out, of all its steps and variables, so that
        they belong together as they did then. Where a distribution is forecast, the window lends not its errors but how
        probable its truth was, step by step (an empirical copula: Clark et al. 2004, the Schaake shuffle), and the
        samples are at these quantiles of the new forecast; with ``loss="quantile"`` none lies beyond the outermost.

        Parameters
        ----------
        n_samples : int, default=100
            How many paths; they are drawn with replacement, in a panel the same windows for all series.
        horizon : int or None, default=None
            How many steps, at most as many as trained for; None: all of them.
        X, context, X_past, static
            As in `predict`.
        random_state : int, RandomState, Generator or None, default=None
            Same seed, same samples.

        Returns
        -------
        DataFrame of shape (horizon, k * n_samples)
            Columns: variable, sample (from 0). The index is that of `predict_interval`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `predict`; also if nothing was held out.

        Examples
        --------
        >>> from lstmforecast import LSTMForecaster
        >>> rng = np.random.default_rng(0)
        >>> model = LSTMForecaster(horizon=3, hidden_size=8, max_epochs=1, random_state=0).fit(rng.normal(size=500))
        >>> samples = model.predict_samples(200, random_state=0)
        >>> samples.shape
        (3, 200)
        >>> peaks = samples[0].max()
        >>> bool(peaks.quantile(0.5) > samples[0].median(axis=1).max())
        True
        """
        n_samples = check_count("n_samples", n_samples, most=MOST_STEPS)
        generator = as_generator(random_state)
        now = self._now()
        seen, forecast = now._predict(horizon, X, context, X_past, static)
        now._check_levels([], [], len(now._calibration or ()), forecast.shape[1], now._calibrated_horizon())
        assert now._calibration is not None
        drawn = generator.randint(len(now._calibration), size=n_samples)
        paths = seen.undo(draw_paths(now._calibration, drawn, forecast, seen.units, generator))
        paths = np.moveaxis(paths, 0, -1)
        require_finite_forecasts(paths, now.model_, seen)
        names = seen.observations.form.variables(paths.shape[2])
        columns = quantile_columns(names, list(range(n_samples))).set_names(["variable", "sample"])
        return now._frame(seen, paths, columns, context)


def draw_paths(
    calibration: Calibration,
    drawn: NDArray[np.int64],
    forecast: NDArray[np.float64],
    units: Units | None,
    generator: np.random.RandomState,
) -> NDArray[np.float64]:
    """Lend the errors, or probabilities, of the windows ``drawn`` to parameters (n, steps, k, p).

    Returns
    -------
    ndarray of shape (n_samples, n, steps, k)
    """
    steps = forecast.shape[1]
    unit = 1.0 if units is None else units.spreads[:, np.newaxis]
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
