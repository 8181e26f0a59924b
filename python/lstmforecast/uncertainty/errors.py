"""Chooses the forecasts that are compared with the truth, whose errors make intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.error_scale import scale_from_errors
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.season import season_length, seasons, steps_of
from lstmforecast.fitting.distribution import quantile
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.uncertainty.calibration import MOST_OF_PANEL, MOST_WINDOWS, Calibration

# The most windows that are added for one step: errors of many series at one time are similar, and must not replace all
# others.
MOST_OF_A_STEP = MOST_OF_PANEL // 20
GOLDEN = (5**0.5 - 1) / 2


def calibration_origins(n_train: int, n_rows: int, horizon: int, season: int = 1) -> NDArray[np.int64]:
    """Choose the first rows of the forecasts that are compared with the truth, evenly spaced over the held-out rows."""
    n_windows = n_rows - n_train - horizon + 1
    if n_windows < 1:
        return np.zeros(0, np.int64)
    return n_train + spread_places(n_windows, MOST_WINDOWS, season)


def spread_places(n: int, most: int, season: int = 1) -> NDArray[np.int64]:
    """At most ``most`` of ``n`` places, evenly spaced.

    With a season they are not at equal distances, which could be whole seasons, but one in each of as many equal parts,
    at multiples of the golden ratio.

    Examples
    --------
    >>> spread_places(100, 5).tolist(), spread_places(100, 5, season=20).tolist()
    ([0, 25, 50, 74, 99], [0, 32, 44, 77, 89])
    """
    if n <= most or season == 1:
        return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)
    parts = np.arange(most)
    return np.asarray((parts + parts * GOLDEN % 1) * (n / most), np.int64)


def steps_at(observations: Observations, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The numbers of the steps of some rows of all series; None without a season."""
    return None if observations.index is None else steps_of(observations.times(rows), observations.freq)


def calibrate(
    model: _core.Model | Ensemble, dataset: Dataset, held_out: HeldOut, rate: float, n_threads: int | None
) -> tuple[Calibration | None, Dataset]:
    """Errors of forecasts on the held-out rows, and the data with the error scale that they give."""
    which, origins = held_out_places(held_out, dataset.observations)
    if not len(origins):
        return None, dataset
    forecast = forecast_origins(model, dataset, origins, held_out.horizon, which, n_threads)
    rows = dataset.observations.row_of(which, origins)[:, np.newaxis] + np.arange(held_out.horizon)
    options: dict[str, Any] = {"distribution": model.config["distribution"], "rate": rate}
    when = steps_at(dataset.observations, rows[:, 0])
    if when is not None:
        season, *longer = seasons(dataset.observations.freq)
        options |= {"when": when, "season": season, "longer_seasons": tuple(longer)}
    if dataset.error_scale is None:
        return Calibration.of(dataset.values[rows], forecast, **options), dataset
    calibration, error_scale = Calibration.of_panel(
        dataset.values[rows], forecast, dataset.error_scale, which, **options
    )
    return calibration, dataset.with_error_scale(error_scale)


def held_out_places(
    held_out: HeldOut, observations: Observations, *, whole: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Series and first row of the forecasts that calibrate a fit, those farthest from the end of their series first.

    With ``whole``, those of which all steps are known, else all.
    """
    horizon = held_out.horizon
    if not isinstance(observations, Panel):
        n_rows = len(observations)
        season = season_length(observations.freq)
        origins = calibration_origins(held_out.training_rows(n_rows), n_rows, horizon, season)
        which = np.zeros(len(origins), np.int64)
        return _where_known(observations, which, origins, horizon) if whole else (which, origins)
    origins_of = [
        np.arange(start, length - horizon + 1)
        for start, length in zip(held_out.first_rows(observations), observations.lengths, strict=True)
    ]
    which = np.repeat(np.arange(len(origins_of)), [len(origins) for origins in origins_of])
    origins = np.concatenate(origins_of)
    chosen = spread_places(len(origins), MOST_OF_PANEL, season_length(observations.freq))
    which, origins = which[chosen], origins[chosen]
    order = np.argsort(origins - observations.lengths[which], kind="stable")
    which, origins = which[order], origins[order]
    return _where_known(observations, which, origins, horizon) if whole else (which, origins)


def _where_known(
    observations: Observations, which: NDArray[np.int64], origins: NDArray[np.int64], horizon: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The forecasts of which all ``horizon`` rows are known; filled values don't count."""
    if observations.filled is None:
        return which, origins
    rows = observations.row_of(which, origins)[:, np.newaxis] + np.arange(horizon)
    known = ~observations.filled[rows].any(axis=(1, 2))
    return which[known], origins[known]


def with_newer_errors(
    calibration: Calibration,
    model: _core.Model | Ensemble,
    before: Observations,
    dataset: Dataset,
    newer: NDArray[np.int64],
    n_threads: int | None,
) -> tuple[Calibration, Dataset]:
    """Add the errors of the forecasts whose last step is among the ``newer`` rows, in the order in
    which single rows would add them.

    A series of a panel whose errors are out of all range, as those of a dead sensor that wakes up, gets another error
    scale, and its errors don't count among those of the others.
    """
    observations, horizon = dataset.observations, calibration.truth.shape[1]
    # a window may begin before the first row of a short series of a panel
    least = 1 if observations.is_panel else model.config["window_size"]
    which, origins = _judged_places(before, observations, newer, horizon, least)
    if dataset.error_scale is not None:
        which, origins = (each[dataset.error_scale.are_pooled(which)] for each in (which, origins))
    which, origins = (each[-calibration.most :] for each in (which, origins))
    if not len(origins):
        return calibration, dataset
    forecast = forecast_origins(model, dataset, origins, horizon, which, n_threads)
    rows = observations.row_of(which, origins)[:, np.newaxis] + np.arange(horizon)
    truth, when = dataset.values[rows], None if calibration.when is None else steps_at(observations, rows[:, 0])
    if dataset.error_scale is None:
        return calibration.extended(truth, forecast, None, when), dataset
    sizes = np.abs(truth - quantile(calibration.distribution, forecast, 0.5)).mean(axis=1)
    error_scale = scale_from_errors(dataset.error_scale, sizes, which, least=len(origins) + 1)
    pooled = error_scale.are_pooled(which)
    dataset = dataset.with_error_scale(error_scale)
    if not pooled.any():
        return calibration, dataset
    spreads = error_scale.divisors(which[pooled])
    newer_when = None if when is None else when[pooled]
    return calibration.extended(truth[pooled], forecast[pooled], spreads, newer_when), dataset


def _judged_places(
    before: Observations, observations: Observations, newer: NDArray[np.int64], horizon: int, least: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Series and first row of the forecasts that can now be compared with the truth, with at least ``least`` rows
    before them. Missing values don't count, and new series have had no forecasts.
    """
    ends = np.cumsum(observations.lengths)
    which = np.searchsorted(ends, newer, side="right")
    origins = newer - (ends - observations.lengths)[which] - horizon + 1
    known = before.series_keys.get_indexer(observations.series_keys)
    n_before = np.where(known < 0, 0, before.lengths[known])[which]
    judged = (n_before > 0) & (origins >= least)
    if observations.filled is not None:
        steps = newer[judged, np.newaxis] - np.arange(horizon)
        judged[judged] = ~observations.filled[steps].any(axis=(1, 2))
    places = np.flatnonzero(judged)
    places = places[_some_of_each((origins - n_before)[places])]
    return which[places], origins[places]


def _some_of_each(steps: NDArray[np.int64]) -> NDArray[np.intp]:
    """The positions of the windows of each step, in order, at most `MOST_OF_A_STEP` of one, evenly spaced."""
    order = np.argsort(steps, kind="stable")
    counts = np.unique(steps, return_counts=True)[1]
    if counts.max(initial=0) <= MOST_OF_A_STEP:
        return order
    parts = np.split(order, np.cumsum(counts)[:-1])
    places = [np.linspace(0, n - 1, min(n, MOST_OF_A_STEP)).round().astype(np.intp) for n in counts.tolist()]
    return np.concatenate([part[place] for part, place in zip(parts, places, strict=True)])
