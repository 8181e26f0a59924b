"""What ``transform="auto"`` and ``normalize="auto"`` stand for, by the errors of linear forecasts on the held-out rows.

A linear forecast is solved in a fraction of the time of a training, and transform and normalisation help or harm it as
they do the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.error_scale import seasonal_scale
from lstmforecast.data.season import season_length
from lstmforecast.fitting.distribution import name_of
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.objective import core_loss, distribution_of
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.uncertainty.errors import held_out_places

Array = NDArray[np.float64]
# An `LSTMForecaster`. Its module imports this one, so an import here, for type checkers too, would be circular.
Forecaster = Any
Fit = Callable[[Forecaster, Dataset], None]
# Each choice other than no transform and the last value must reduce the error by this part, and by more where few
# horizons are held out.
LEAST_GAIN = 0.02
# Series of a panel from which on normalisations are compared: the level of a few may wander in the held-out rows as it
# does at no other time.
LEAST_SERIES = 100
# Series of a panel that are compared: more would take longer and tell no more.
MOST_SERIES = 500


class Choice(NamedTuple):
    """A transform and a normalisation, as the parameters of the forecaster."""

    transform: str | None
    normalize: str | None


def resolve(forecaster: Forecaster, dataset: Dataset, fit: Fit) -> tuple[Dataset, str | None]:
    """The data of a fit with the transform, and the normalisation, that ``"auto"`` stands for.

    Parameters
    ----------
    forecaster : LSTMForecaster
        The one that will be fitted.
    dataset : Dataset
        Its data.
    fit : callable
        Fits a forecaster to a dataset.
    """
    given = Choice(dataset.transform, forecaster.normalize)
    if "auto" not in given:
        return dataset, given.normalize
    if forecaster.warm_start and hasattr(forecaster, "fitted_"):
        # the weights have learned from values that were changed in this way
        fitted = forecaster.fitted_
        before = Choice(fitted.dataset.transform, fitted.model.config["normalize"])
        chosen = Choice(*(old if each == "auto" else each for each, old in zip(given, before, strict=True)))
    else:
        chosen = _best(forecaster, dataset, _candidates(forecaster, dataset, given), fit)
    return replace(dataset, transform=chosen.transform), chosen.normalize


def _candidates(forecaster: Forecaster, dataset: Dataset, given: Choice) -> list[Choice]:
    """What is compared; the first is taken unless another one is better."""
    parameters, observations = flat_parameters(forecaster), dataset.observations
    transforms, normalizations = [given.transform], [given.normalize]
    if given.transform == "auto":
        # a missing value compares as false; of other distributions than quantiles, only the location has an inverse
        is_free = name_of(distribution_of(parameters)) in (None, "quantiles") and not (observations.values < 0).any()
        transforms = [None, "log"] if is_free else [None]
    if given.normalize == "auto":
        # windows that have a scale each have none for the weight of what is known in advance
        is_free = not dataset.covariates.n_known and parameters["supervision"] != "every"
        is_free = is_free and observations.is_panel and observations.n_series >= LEAST_SERIES
        normalizations = ["last", "window"] if is_free else ["last"]
    return [Choice(transform, normalize) for transform in transforms for normalize in normalizations]


def _best(forecaster: Forecaster, dataset: Dataset, candidates: list[Choice], fit: Fit) -> Choice:
    first = candidates[0]
    if len(candidates) == 1:
        return first
    plain = replace(_some_series(dataset), transform=None)
    # the choice must not depend on parameters that a search changes: losses of its trials are compared
    options = {name: getattr(forecaster, name) for name in ("early_stopping", "missing", "n_threads")}
    line = type(forecaster)(forecaster.horizon, architecture="linear", **options)
    held_out = HeldOut.of(line)
    which, origins = held_out_places(held_out, plain.observations)
    if not len(origins):
        return first
    scale = _usual_errors(held_out, plain, which, origins)
    if np.isnan(scale).all():
        return first
    power = 2 if core_loss(flat_parameters(forecaster), plain.observations) == "mse" else 1
    gain = 1 - LEAST_GAIN * (1 + held_out.horizon / len(origins))
    costs = []
    for candidate in candidates:
        line.set_params(normalize=candidate.normalize)
        try:
            errors = _errors(line, replace(plain, transform=candidate.transform), which, origins, fit)
        except ValueError:
            # too few rows for the window of a line, or numbers too large for it
            return first
        changes = sum(each != usual for each, usual in zip(candidate, first, strict=True))
        costs.append(np.nanmean((errors / scale) ** power) / gain**changes)
    return candidates[int(np.argmin(costs))]


def _some_series(dataset: Dataset) -> Dataset:
    """At most so many series of a panel, evenly spread."""
    lengths = dataset.observations.lengths
    if len(lengths) <= MOST_SERIES:
        return dataset
    chosen = np.zeros(len(lengths), bool)
    chosen[np.linspace(0, len(lengths) - 1, MOST_SERIES).round().astype(np.int64)] = True
    return dataset.take(np.flatnonzero(np.repeat(chosen, lengths)))


def _errors(
    line: Forecaster, dataset: Dataset, which: NDArray[np.int64], origins: NDArray[np.int64], fit: Fit
) -> Array:
    """Absolute errors (n_origins, horizon, k) of a line that is fitted now, in the data's units."""
    fit(line, dataset)
    observations = dataset.observations
    dataset = replace(dataset, statistics=line.fitted_.dataset.statistics)
    forecast = forecast_origins(line.model_, dataset, origins, line.horizon, which, line.n_threads)[..., 0]
    rows = observations.row_of(which, origins)[:, np.newaxis] + np.arange(line.horizon)
    errors: Array = np.abs(dataset.undo(forecast) - observations.values[rows])
    return errors


def _usual_errors(held_out: HeldOut, plain: Dataset, which: NDArray[np.int64], origins: NDArray[np.int64]) -> Array:
    """Errors of the seasonal naive forecast before the held-out rows: (n_origins, 1, k); NaN for constant variables."""
    if plain.observations.is_panel:
        error_scale = plain.with_statistics(held_out.training_lengths(plain.observations)).error_scale
        assert error_scale is not None
        scale = np.where(error_scale.pooled, error_scale.scale, np.nan)[which]
    else:
        rows = plain.observations.values[: origins.min()]
        scale = seasonal_scale(rows, season_length(plain.observations.freq))[np.newaxis]
    return np.where(scale > 0, scale, np.nan)[:, np.newaxis]


def saved_transform(transform: str | None, values: Mapping[str, Any]) -> str | None:
    """The transform of the fit that a file has the ``values`` of; a ValueError for an unknown one."""
    if transform != "auto":
        return transform
    found: str | None = values.get("transform", "nothing")
    if found not in (None, "log"):
        raise ValueError(f"a transform of {found!r}")
    return found
