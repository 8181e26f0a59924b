"""How far a forecast trusts the network: shares of network, line, seasonal naive and repeat-last, from held-out rows.

The line reads windows whose last value is subtracted, so repeat-last is 0 there, and the seasonal naive forecast is one
weight of 1 for each step. The shares therefore become part of the weights of the output layer and of the linear skip
connection: files, other formats and all forecasts have them without a case of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.error_scale import has_variation
from lstmforecast.data.observations import Observations
from lstmforecast.fitting.distribution import FROM_ZERO, n_parameters, name_of, quantile
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.uncertainty.errors import calibration_origins, held_out_places

Array = NDArray[np.float64]
Network = _core.Model | Ensemble
NAMES = ("network", "line", "seasonal_naive", "repeat_last")
# What the shares are without held-out windows, and shrunk to with few: the line itself is near smoothed values then.
PRIOR = {"network": 0.0, "line": 1.0, "seasonal_naive": 0.0, "repeat_last": 0.0}
# The weight of the distance from there, in errors of the best of the four, divided by the number of horizons held out.
STRENGTH = 1.0
# Shares are multiples of a tenth.
PARTS = 10
# Numbers that the candidates are compared by: more would take longer and tell no more.
_MOST_NUMBERS = 1 << 19


def with_shares(
    model: Network, dataset: Dataset, held_out: HeldOut, season: int, *, squared: bool, n_threads: int | None
) -> tuple[Network, dict[str, float] | None]:
    """A network whose forecasts are mixed with its line, the seasonal naive forecast and the last value.

    Parameters
    ----------
    model : Model or Ensemble
        A trained network; it stays as it is.
    dataset : Dataset
        The data of the fit.
    held_out : HeldOut
        The split of the fit.
    season : int
        Steps of a season; 1: none is known.
    squared : bool
        Whether the shares of the least mean squared error are chosen, for means; else those of the least mean absolute
        error, for medians.
    n_threads : int or None
        For forecasts.

    Returns
    -------
    model : Model or Ensemble
        With other weights, or the same one where shares can't be part of them.
    shares : dict of str to float, or None
        By the names in `NAMES`; they sum to 1. None: the forecast is the network's alone.
    """
    config = model.config
    if not _can_mix(config, held_out):
        return model, None
    names = [name for name in NAMES if name != "seasonal_naive" or 1 < season <= config["window_size"]]
    prior = np.array([PRIOR[name] for name in names])
    prior /= prior.sum()
    places = _places(held_out, dataset.observations, config)
    if places is None:
        return model, None
    shares = prior
    if len(places[0]):
        errors, n_horizons = _candidates(model, names, season, dataset, places, n_threads)
        shares = _chosen(errors, n_horizons, prior, 2 if squared else 1)
    found = dict(zip(names, shares.round(6).tolist(), strict=True))
    return mixed(model, found, season), {name: found.get(name, 0.0) for name in NAMES}


def check_shares(shares: Any) -> dict[str, float] | None:
    """Check shares from a file; a ValueError for others."""
    if shares is None:
        return None
    is_mapping = isinstance(shares, Mapping) and set(shares) == set(NAMES)
    if not is_mapping or not all(isinstance(share, float | int) and 0 <= share <= 1 for share in shares.values()):
        raise ValueError(f"shares {shares!r}")
    return {name: float(shares[name]) for name in NAMES}


def _can_mix(config: Mapping[str, Any], held_out: HeldOut) -> bool:
    """Whether weights can hold the shares: a line on windows less their last value, and locations that add up."""
    adds_up = name_of(config["distribution"]) not in FROM_ZERO
    has_both = config["architecture"] != "linear" and config["linear_skip"]
    return bool(has_both and config["normalize"] == "last" and adds_up and held_out.patience is not None)


def _places(
    held_out: HeldOut, observations: Observations, config: Mapping[str, Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Series and first row of the forecasts to compare; those near the end of one series have fewer steps of truth.

    None where the user wanted nothing held out.
    """
    if observations.is_panel:
        # where some steps of truth are known, the others don't count
        which, origins = held_out_places(held_out, observations, whole=False)
        return which, origins
    n_rows = len(observations)
    n_train = held_out.training_rows(n_rows)
    if n_train == n_rows and held_out.validation_fraction is not None:
        return None
    reach = config["horizon"] if config["n_known"] else 1
    origins = calibration_origins(max(n_train, config["window_size"]), n_rows, reach)
    return np.zeros(len(origins), np.int64), origins


def _candidates(
    model: Network,
    names: list[str],
    season: int,
    dataset: Dataset,
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
    n_threads: int | None,
) -> tuple[Array, float]:
    """Errors (n_candidates, n_numbers) of each candidate where the truth is known, in units of each variable's usual
    change, and the number of horizons held out.
    """
    which, origins = places
    config, observations = model.config, dataset.observations
    horizon, k = config["horizon"], observations.n_columns
    stride = -(-len(origins) * horizon * k // _MOST_NUMBERS)
    which, origins = which[::stride], origins[::stride]
    rows = observations.row_of(which, origins)[:, np.newaxis] + np.arange(horizon)
    is_there = rows < len(dataset.values)
    rows = np.minimum(rows, len(dataset.values) - 1)
    truth = np.where(is_there[..., np.newaxis], dataset.values[rows], np.nan)
    if observations.filled is not None:
        truth = np.where(observations.filled[rows], np.nan, truth)
    scale = _scale(dataset, which, origins[0])[:, np.newaxis]
    known = ~np.isnan(truth) & (scale > 0)
    errors = []
    for name in names:
        candidate = mixed(model, {name: 1.0}, season)
        found = forecast_origins(candidate, dataset, origins, horizon, which, n_threads)
        middle = quantile(config["distribution"], found, 0.5)
        errors.append(((middle - truth) / np.where(scale > 0, scale, 1.0))[known])
    # variables that don't vary say nothing
    n_horizons = len(places[1]) / horizon * np.sqrt((scale > 0).any(axis=(0, 1)).sum())
    return np.array(errors), float(n_horizons)


def _scale(dataset: Dataset, which: NDArray[np.int64], first: int) -> Array:
    """The usual change of each variable, (n, k), for errors of different series and variables; 0: it has none."""
    if dataset.error_scale is not None:
        return np.where(dataset.error_scale.pooled, dataset.error_scale.scale, 0.0)[which]
    rows = dataset.values[:first]
    # from one known value to the next: with gaps, neighbours may never be known both
    changes = [np.abs(np.diff(column[~np.isnan(column)])) for column in rows.T]
    mean = np.array([each.mean() if len(each) else 0.0 for each in changes])
    # what is left of a constant by rounding is no change
    mean = np.where(has_variation(rows), mean, 0.0)
    return np.broadcast_to(mean, (len(which), len(mean)))


def _chosen(errors: Array, n_horizons: float, prior: Array, power: int) -> Array:
    """The shares whose errors have the least mean of this power, shrunk to the prior ones."""
    if not errors.shape[1]:
        return prior
    weight = STRENGTH * (np.abs(errors) ** power).mean(axis=1).min() / n_horizons

    def cost(shares: Array) -> float:
        return float((np.abs(shares @ errors) ** power).mean() + weight * ((shares - prior) ** 2).sum())

    return min(_all_shares(len(prior)), key=cost)


def _all_shares(n: int) -> list[Array]:
    """All shares of ``n`` that are multiples of a tenth and sum to 1."""
    counts = itertools.product(range(PARTS + 1), repeat=n - 1)
    return [np.array([*each, PARTS - sum(each)]) / PARTS for each in counts if sum(each) <= PARTS]


def mixed(model: Network, shares: Mapping[str, float], season: int) -> Network:
    """A network whose location is the sum of these shares of network, line and seasonal naive; the rest is the last
    value.
    """
    config = model.config
    step, size = n_parameters(config["distribution"]), config["window_size"]
    network, line = shares.get("network", 0.0), shares.get("network", 0.0) + shares.get("line", 0.0)
    seasonal = shares.get("seasonal_naive", 0.0)
    weights = model.parameters()
    for name, array in weights.items():
        last = name.removeprefix("members.").lstrip("0123456789.")
        if last in ("fc.weight", "fc.bias"):
            array[::step] *= np.float32(network)
        elif last in ("skip.weight", "skip.bias"):
            array *= np.float32(line)
            if last == "skip.weight" and seasonal:
                ahead = np.arange(config["horizon"])
                array[ahead, size - season + ahead % season] += np.float32(seasonal)
    restore = Ensemble.restore if isinstance(model, Ensemble) else _core.Model.restore
    restored: Network = restore(config, weights, model.scalers())
    return restored
