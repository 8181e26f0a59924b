"""Quantiles of forecasts, corrected by the errors of earlier forecasts; a check that there are enough errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.fitting.distribution import possible, quantile
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.uncertainty.calibration import Calibration
from lstmforecast.uncertainty.levels import check_level, reach_of, too_few

# A level whose quantile is the lower one of two errors in the middle.
BELOW_HALF = 0.5 - 1e-13


def corrected_quantiles(
    calibration: Calibration,
    forecast: NDArray[np.float64],
    levels: Sequence[float],
    error_scale: ErrorScale | None = None,
    when: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Quantiles (n_levels, n, steps, k) of forecasts' parameters (n, steps, k, p); they ascend with the levels.

    Parameters
    ----------
    error_scale : ErrorScale or None, default=None
        Of the series of a panel.
    when : ndarray of shape (n,) or None, default=None
        The number of the first step, as in `Calibration`; None: unknown.
    """
    middle = quantile(calibration.distribution, forecast, 0.5)
    distances = [_distance(calibration, forecast, middle, level, error_scale) for level in levels]
    by_phase = None if when is None else calibration.by_phase
    if by_phase is not None and when is not None:
        alike, spread = by_phase
        factor = spread.at(when, forecast.shape[1])
        scaled = [factor * _distance(alike, forecast, middle, level, error_scale) for level in levels]
        # the phases of the other series say nothing of one that is not pooled
        pooled = True if error_scale is None else error_scale.pooled[:, np.newaxis]
        distances = [np.where(pooled, *each) for each in zip(scaled, distances, strict=True)]
    order = np.argsort(levels)
    values = np.empty((len(levels), *forecast.shape[:3]))
    # separate corrections may have made neighbouring quantiles cross
    values[order] = np.maximum.accumulate(np.stack([middle + distances[i] for i in order]), axis=0)
    return possible(calibration.distribution, values)


def _distance(
    calibration: Calibration,
    forecast: NDArray[np.float64],
    middle: NDArray[np.float64],
    level: float,
    error_scale: ErrorScale | None,
) -> NDArray[np.float64]:
    """How far a quantile is from the middle of the forecast: (n, steps, k).

    Beyond the levels that the errors can promise, it goes on from the nearest.
    """
    nearest, factor = reach_of(level, len(calibration), of_panel=calibration.spreads is not None)
    found = _corrected_distance(calibration, forecast, middle, nearest, error_scale)
    if factor == 1:
        return found
    # of an even number of errors, the median is the mean of the two in the middle
    halves = [_corrected_distance(calibration, forecast, middle, each, error_scale) for each in (0.5, BELOW_HALF)]
    median = (halves[0] + halves[1]) / 2
    return median + factor * (found - median)


def _corrected_distance(
    calibration: Calibration,
    forecast: NDArray[np.float64],
    middle: NDArray[np.float64],
    level: float,
    error_scale: ErrorScale | None,
) -> NDArray[np.float64]:
    distribution, steps = calibration.distribution, forecast.shape[1]
    scale = 1.0 if error_scale is None else error_scale.scale[:, np.newaxis]
    found = quantile(distribution, forecast, level) - middle + scale * calibration.quantile(level, f"{level:g}")[:steps]
    if error_scale is None or distribution is None or error_scale.pooled.all():
        return found
    # errors that are not pooled have another scale than the network: distances from the median, in that scale
    own = scale * calibration.of_middles.quantile(level, f"{level:g}")[:steps]
    return np.where(error_scale.pooled[:, np.newaxis], found, own)


def require_errors(
    levels: Sequence[float],
    wanted: Sequence[str],
    *,
    n_errors: int,
    steps: int,
    trained: int,
    held_out: HeldOut,
    n_rows: int,
    of_panel: bool,
    exact: bool,
) -> str | None:
    """Raise a ValueError unless there are enough errors for these levels and for all steps of the horizon.

    Returns what a warning should say where, without ``exact``, quantiles go on beyond what the errors can promise.

    Parameters
    ----------
    levels, wanted : sequence of float, of str
        Levels of quantiles, and the argument that asks for each, for messages.
    n_errors : int
        Windows whose errors are known.
    steps, trained : int
        Steps to forecast, and steps with known errors.
    held_out : HeldOut
        What the fit held out.
    n_rows : int
        Rows that the fit had; 0 before a fit.
    of_panel : bool
        Whether errors are those of a panel.
    exact : bool
        Whether a level that the errors can't promise is an error.
    """
    if n_errors == 0 and held_out.training_rows(n_rows) < n_rows:
        raise ValueError(
            f"expected {held_out.horizon} rows in a row without missing values among those held out by fit, for the "
            "errors of intervals, got none"
        )
    if n_errors == 0:
        way = "early_stopping" if held_out.patience is None else "another validation_fraction of EarlyStopping"
        raise ValueError(f"expected rows held out by fit for the errors of intervals, got none: set {way}")
    if steps > trained:
        raise ValueError(f"expected a horizon of at most {trained}, as trained for, got {steps}")
    if not exact:
        return too_few(levels, n_errors, wanted, of_panel=of_panel)
    for level, words in zip(levels, wanted, strict=True):
        check_level(level, n_errors, words, of_panel=of_panel)
    return None
