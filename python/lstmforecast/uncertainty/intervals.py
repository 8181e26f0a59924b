"""Quantiles of forecasts, corrected by the errors of earlier forecasts; a check that there are enough errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.fitting.distribution import possible, quantile
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.uncertainty.calibration import Calibration, check_level


def corrected_quantiles(
    calibration: Calibration,
    forecast: NDArray[np.float64],
    levels: Sequence[float],
    error_scale: ErrorScale | None = None,
) -> NDArray[np.float64]:
    """Quantiles (n_levels, n, steps, k) of forecasts' parameters (n, steps, k, p); they ascend with the levels.

    Parameters
    ----------
    error_scale : ErrorScale or None, default=None
        Of the series of a panel.
    """
    each = [_corrected_quantile(calibration, forecast, level, error_scale) for level in levels]
    order = np.argsort(levels)
    values = np.empty((len(levels), *forecast.shape[:3]))
    # separate corrections may have made neighbouring quantiles cross
    values[order] = np.maximum.accumulate(np.stack([each[i] for i in order]), axis=0)
    return possible(calibration.distribution, values)


def _corrected_quantile(
    calibration: Calibration, forecast: NDArray[np.float64], level: float, error_scale: ErrorScale | None
) -> NDArray[np.float64]:
    """One quantile: (n, steps, k)."""
    distribution, steps = calibration.distribution, forecast.shape[1]
    scale = 1.0 if error_scale is None else error_scale.scale[:, np.newaxis]
    found = quantile(distribution, forecast, level) + scale * calibration.quantile(level, f"{level:g}")[:steps]
    if error_scale is None or distribution is None or error_scale.pooled.all():
        return found
    # errors that are not pooled have another scale than the network: distances from the median, in that scale
    errors = calibration.of_middles.quantile(level, f"{level:g}")[:steps]
    own = quantile(distribution, forecast, 0.5) + scale * errors
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
) -> None:
    """Raise a ValueError unless there are enough errors for these levels and for all steps of the horizon.

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
    for level, words in zip(levels, wanted, strict=True):
        check_level(level, n_errors, words, of_panel=of_panel)
