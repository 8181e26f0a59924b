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

# The profile counts where the mean absolute error is at most this part of that without it, and the difference is so
# many times its standard error over blocks of a horizon, of which there are at least so many.
MOST_OF_ERROR = 0.98
LEAST_EVIDENCE = 2.0
LEAST_BLOCKS = 4

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
        return dataset.with_yearly(forecaster.fitted_.dataset.covariates.yearly)
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
        sizes.append(np.abs(line.fitted_.calibration.errors.astype(np.float64)).mean(axis=1))
    scale = sizes[1].mean(axis=0)
    error, without = (np.divide(each, scale, out=np.ones(each.shape), where=scale > 0).mean(axis=1) for each in sizes)
    n_rows = len(dataset.observations)
    n_blocks = min((n_rows - HeldOut.of(line).training_rows(n_rows)) // line.horizon, len(error))
    if n_blocks < LEAST_BLOCKS or error.mean() > MOST_OF_ERROR * without.mean():
        return False
    gains = np.array([block.mean() for block in np.array_split(without - error, n_blocks)])
    return bool(gains.mean() > LEAST_EVIDENCE * gains.std(ddof=1) / np.sqrt(n_blocks))
