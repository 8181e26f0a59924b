"""A window that reaches back to a season which only the data tell of, where linear forecasts err less with it."""

from __future__ import annotations

from typing import NamedTuple

from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.period import candidate_periods
from lstmforecast.data.season import season_length
from lstmforecast.estimators.linear_trial import Fit, Forecaster, errs_less, linear_errors
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.sizing import LONGEST, STEPS, default_window_size

# The longer window counts where the mean absolute error is at most this part: it takes more time.
MOST_OF_ERROR = 0.95
# Windows are at most so long, and the training rows at least so many windows.
MOST_ROWS = 2 * LONGEST
LEAST_WINDOWS = 4
# Rows beyond the period, so that a forecast sees the neighbours of the row one period before too.
MARGIN = 7


class LongSeason(NamedTuple):
    """A window, and the steps of the season that it reaches back to; 1: none is known."""

    window_size: int | None
    season: int = 1


def long_season(forecaster: Forecaster, dataset: Dataset, held_out: HeldOut, fit: Fit) -> LongSeason:
    """Choose the window of one series whose frequency says nothing of a season, such as an array.

    The lags beyond the default window at which the training rows are most alike are tried: linear forecasts of the
    held-out rows decide between the windows. A window that the user gave stays; so does that of a fit before, where
    this one goes on from it.
    """
    parameters, observations = flat_parameters(forecaster), dataset.observations
    given = LongSeason(parameters["window_size"])
    season = season_length(observations.freq)
    if given.window_size is not None or parameters["pretrained"] is not None or observations.is_panel or season > 1:
        return given
    if forecaster.warm_start and hasattr(forecaster, "fitted_"):
        return LongSeason(forecaster.fitted_.window_size)
    n_rows = len(observations)
    n_train = held_out.training_rows(n_rows)
    usual, length = default_window_size(n_train, held_out.horizon), parameters["segment_length"] or STEPS
    most = min(MOST_ROWS, n_train // LEAST_WINDOWS) - length - MARGIN
    periods = candidate_periods(dataset.values[:n_train], usual, most)
    if not periods:
        return given
    best, least = given, linear_errors(forecaster, dataset, fit, usual)
    for period in periods:
        window_size = -(-(period + MARGIN) // length) * length
        errors = linear_errors(forecaster, dataset, fit, window_size)
        if errs_less(errors, least, held_out, n_rows, MOST_OF_ERROR):
            best, least = LongSeason(window_size, period), errors
    return best
