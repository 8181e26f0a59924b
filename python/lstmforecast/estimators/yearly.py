"""Whether the day of the year becomes a feature: where the linear forecast of held-out rows errs less with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone

from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.yearly import LEAST_YEARS, YearlyProfile
from lstmforecast.fitting.held_out import HeldOut

# The profile counts where the mean absolute error is at most this part of that without it: less is chance.
MOST_OF_ERROR = 0.98

# An `LSTMForecaster`, and what fits one to a dataset.
Forecaster = Any
Fit = Callable[[Forecaster, Dataset], None]


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
        before = forecaster.fitted_.dataset.covariates.yearly
        return dataset if before is None else dataset.with_yearly(before)
    asked = any(parameters[name] is not None for name in ("calendar", "holidays", "pretrained"))
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
    return with_profile if yearly is True or _errs_less(forecaster, with_profile, dataset, fit) else dataset


def _errs_less(forecaster: Forecaster, with_profile: Dataset, dataset: Dataset, fit: Fit) -> bool:
    """Whether linear forecasts of the held-out rows err less with the profile, on average over the variables."""
    line = clone(forecaster).set_params(
        architecture="linear", loss="mse", n_estimators=1, augment=None, pretrained=None, warm_start=False, verbose=0,
        callbacks=None, checkpoint=None, device="cpu", random_state=0, calendar__yearly=False,
    )  # fmt: skip
    sizes = []
    for each in (with_profile, dataset):
        fit(line, each)
        if line.fitted_.calibration is None:
            return False
        sizes.append(np.abs(line.fitted_.calibration.errors).mean(axis=(0, 1)))
    error, without = sizes
    return bool(np.divide(error, without, out=np.ones(len(error)), where=without > 0).mean() <= MOST_OF_ERROR)
