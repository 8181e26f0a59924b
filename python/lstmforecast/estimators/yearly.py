"""Whether the day of the year becomes a feature: where the linear forecast of held-out rows errs less with it."""

from __future__ import annotations

import numpy as np

from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.yearly import LEAST_YEARS, YearlyProfile
from lstmforecast.estimators.linear_trial import Fit, Forecaster, errs_less, linear_errors
from lstmforecast.fitting.held_out import HeldOut

# The profile counts where the mean absolute error is at most this part of that without it.
MOST_OF_ERROR = 0.98


def with_yearly(forecaster: Forecaster, dataset: Dataset, held_out: HeldOut, fit: Fit) -> Dataset:
    """Add the profile of the year to the features, by the parameter ``yearly`` of `lstmforecast.calendar.Calendar`.

    The profile is estimated from the rows that are not held out. With ``"auto"``, linear forecasts of the held-out rows
    decide; a network that goes on from other weights has the features of these.

    Raises
    ------
    ValueError
        For ``yearly=True`` with several series, without times, for steps longer than a day, or less than two years.
    """
    parameters = flat_parameters(forecaster)
    yearly, observations = parameters["yearly"], dataset.observations
    if forecaster.warm_start and hasattr(forecaster, "fitted_"):
        return dataset.with_yearly(forecaster.fitted_.dataset.covariates.yearly)
    asked = any(parameters[name] is not None for name in ("calendar", "holidays", "pretrained"))
    # no step of such a network may see what is known of later ones
    asked = asked or parameters["supervision"] == "every"
    if yearly is False or (yearly == "auto" and (asked or observations.is_panel)):
        return dataset
    n_train = held_out.training_rows(len(observations))
    profile = None
    if observations.index is not None and not observations.is_panel:
        times = observations.times(np.arange(n_train))
        profile = YearlyProfile.of(dataset.values[:n_train], times, observations.freq)
    if profile is None:
        if yearly == "auto":
            return dataset
        raise ValueError(
            f"expected one series with {LEAST_YEARS} years of steps of a day or less before the held-out rows for "
            f"yearly=True, got {'several' if observations.is_panel else f'{n_train} rows'} of frequency "
            f"{observations.freq!r}"
        )
    with_profile = dataset.with_yearly(profile)
    if yearly is True:
        return with_profile
    window_size = parameters["window_size"]
    errors, before = (linear_errors(forecaster, each, fit, window_size) for each in (with_profile, dataset))
    is_less = errs_less(errors, before, held_out, len(observations), MOST_OF_ERROR)
    return with_profile if is_less else dataset
