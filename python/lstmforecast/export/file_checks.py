"""Checks of what was read from a model file: sizes, types and numbers must fit together before `load` returns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset

from lstmforecast import _core
from lstmforecast.calendar import calendar_names
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.season import seasons
from lstmforecast.fitting.distribution import n_parameters
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.uncertainty.calibration import Calibration
from lstmforecast.uncertainty.fitted_series import FittedSeries

_KINDS = ("vector", "matrix", "series", "frame", "long")
_DEVICE = re.compile(r"cpu|cuda(:\d{1,3})?")


def read_json(text: str, *, nan: bool = False) -> dict[str, Any]:
    """Read an object of JSON; a ValueError for anything else, and for NaN and infinities unless ``nan``."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"the number {word} in JSON")

    found = json.loads(text, parse_constant=None if nan else refuse)
    require(isinstance(found, dict), "JSON that isn't an object")
    values: dict[str, Any] = found
    return values


def require(holds: bool, got: str) -> None:
    """Raise a ValueError with what was got, unless a condition holds."""
    if not holds:
        raise ValueError(got)


def require_array(name: str, array: Any, dtype: type, shape: tuple[int | None, ...], *, finite: bool = True) -> None:
    """Check the type and shape (None: any size) of an array, and whether its numbers are finite.

    Raises
    ------
    ValueError
        For another type or shape, or numbers that aren't finite.
    """
    fits = array.ndim == len(shape) and all(n in (None, got) for n, got in zip(shape, array.shape, strict=True))
    require(array.dtype == dtype and fits, f"{name} of {array.dtype} and shape {array.shape}")
    require(not finite or bool(np.isfinite(array).all()), f"{name} that are not finite")


def is_count(value: Any, least: int = 0, most: int = 2**62) -> bool:
    """Whether a value is an integer within bounds."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value <= most)


def read_config(text: str) -> dict[str, Any]:
    """Read the configuration of a network, and check the names of its devices."""
    config = read_json(text)
    devices = [config.get("device", "cpu"), *(config.get("layer_devices") or ())]
    require(all(_DEVICE.fullmatch(device) for device in devices), "an unknown device")
    return config


def check_config(given: Mapping[str, Any], used: Mapping[str, Any]) -> None:
    """Check that the network has all keys of a configuration."""
    unknown = sorted(set(given) - set(used))
    require(not unknown, f"a network with the unknown key {''.join(unknown[:1])!r}")


def check_training(training: Mapping[str, Any], history: Mapping[str, NDArray[Any]]) -> None:
    """Check the record of the training: numbers of epochs, the reason of its end, names of weights."""
    n_epochs = training["n_epochs"]
    require(is_count(n_epochs) and is_count(training["best_epoch"]), "invalid numbers of epochs")
    require(training["best_epoch"] <= n_epochs, f"epoch {training['best_epoch']} as the best of {n_epochs}")
    require(isinstance(training["stop_reason"], str), "an invalid stop_reason")
    for name, column in history.items():
        require_array(f"the history's {name}", column, column.dtype.type, (n_epochs,), finite=False)
    taken = training.get("pretrained") or {"taken": [], "left": []}
    for names in (training.get("frozen", []), taken["taken"], taken["left"]):
        require(isinstance(names, list) and all(isinstance(name, str) for name in names), "invalid names of weights")


def check_series(
    fitted: FittedSeries, distribution: Any, *, head: str, calendar: str | Sequence[str] | None, holidays: str | None
) -> None:
    """Check the rows and errors of a forecaster against its network and its parameters."""
    config, dataset = fitted.model.config, fitted.dataset
    observations, covariates, features = dataset.observations, dataset.covariates, dataset.features
    k = config["n_targets"]
    check_observations(observations, k)
    tables = [table for table in (covariates.past, covariates.known) if table is not None]
    is_whole = not any(table.marked for table in tables)
    require_array("features", features, np.float64, (len(observations), config["n_features"] - k), finite=is_whole)
    require(not np.isinf(features).any(), "features that are not finite")
    counts = (covariates.n_features, covariates.n_known)
    require(counts == (features.shape[1], config["n_known"]), f"covariates of {counts} columns")
    for table in tables:
        _check_columns(table.form, table.n_columns)
    window_size = fitted.window_size
    require(is_count(window_size) and window_size == config["window_size"], f"a window of {window_size!r} rows")
    require(is_count(fitted.n_rows, 1), "an invalid n_rows")
    enough = isinstance(observations, Panel) or len(observations) >= config["window_size"]
    require(enough, f"a context of {len(observations)} rows")
    if head == "recursive":
        require(fitted.horizon <= len(observations), f"a horizon of {fitted.horizon}")
    if isinstance(observations, Panel):
        assert dataset.statistics is not None
        _check_panel(dataset.statistics, observations, k)
    if dataset.never_negative is not None:
        shape = (observations.n_series, k)
        require(dataset.never_negative.shape == shape, f"signs of shape {dataset.never_negative.shape}")
    if covariates.static is not None:
        _check_static(covariates.static, observations)
    calendar_names(observations.freq or "D", calendar, holidays)
    require(distribution == config["distribution"], "a loss with another distribution than the network's")
    if fitted.calibration is not None:
        steps = fitted.steps_of_errors
        require(head == "recursive" or steps == config["horizon"], f"errors of {steps} steps")
        _check_calibration(fitted.calibration, distribution, k, observations)
    # forecasts need a frequency at which the times continue
    observations.future_index(1)
    covariates.calendar_rows(observations.index, features[:, : covariates.n_static])


def _check_panel(statistics: NDArray[np.float64], observations: Panel, k: int) -> None:
    """Check the scales and error scales of the series of a panel."""
    # files of version 1 have no flags for pooled errors
    width = 3 * k if statistics.shape[-1] == 3 * k else 4 * k
    require_array("statistics", statistics, np.float64, (observations.n_series, width))
    require(bool((statistics[:, k : 2 * k] != 0).all()), "series with a scale of 0")
    require(bool((statistics[:, 2 * k :] >= 0).all()), "series with an error scale below 0")


def _check_static(static: pd.DataFrame, observations: Observations) -> None:
    require(static.index.is_unique, "two rows of static features for one series")
    require(bool(np.isfinite(static.to_numpy()).all()), "static features that are not finite")
    require(bool(observations.series_keys.isin(static.index).all()), "series without static features")


def check_observations(observations: Observations, k: int) -> None:
    """Check a table of observations with its index and form."""
    values, index, form = observations.values, observations.index, observations.form
    require_array("a context", values, np.float64, (None, k), finite=False)
    require(len(values) > 0, "a context without rows")
    filled = observations.filled
    if filled is not None:
        require(filled.shape == values.shape, f"flags of missing values of shape {filled.shape}")
    known = np.isfinite(values) if filled is None else np.isfinite(values) | (np.isnan(values) & filled)
    require(bool(known.all()), "a context that is not finite")
    _check_columns(form, k)
    if index is None:
        # series of other libraries have no index
        kinds = ("vector", "matrix", "frame", *(("series",) if form.origin is not None else ()))
        require(form.kind in kinds, f"a {form.kind} without an index")
        return
    require(len(index) == len(values), f"{len(index)} labels of {len(values)} rows")
    starts = np.array([0, len(values)])
    if isinstance(observations, Panel):
        starts = observations.starts
        ends = (int(starts[0]), int(starts[-1])) if starts.ndim == 1 and len(starts) > 1 else (-1, -1)
        require(ends == (0, len(values)) and bool((np.diff(starts) > 0).all()), "series that don't cover all rows")
        require(observations.series_keys.is_unique, "a duplicate series")
    _check_times(observations, starts)


def _check_times(observations: Observations, starts: NDArray[np.int64]) -> None:
    """Check that the labels of each series ascend, integers in steps of the frequency."""
    times = observations.times(np.arange(len(observations)))
    has_times = isinstance(times, pd.DatetimeIndex | pd.PeriodIndex)
    require(not times.hasnans, "missing times")
    hash(tuple(observations.index.names) if observations.index is not None else None)
    steps = np.diff(times.asi8 if has_times else times.to_numpy())  # type: ignore[attr-defined]
    steps = np.delete(steps, starts[1:-1] - 1)
    freq = observations.freq
    if has_times:
        require(isinstance(freq, str | BaseOffset) and bool((steps > 0).all()), "times that don't ascend")
    else:
        require(is_count(freq, 1) and bool((steps == freq).all()), "labels at other steps")


def _check_columns(form: Any, n_columns: Any) -> None:
    """Check a form and, if it has names of columns, their number."""
    require(form.kind in _KINDS and form.dtype in ("float32", "float64"), "an unknown kind of container")
    require(is_count(n_columns, 1), "an invalid number of columns")
    require((form.columns is None) == (form.kind in ("vector", "matrix")), f"a {form.kind} with other columns")
    require(n_columns == 1 or form.kind not in ("vector", "series"), f"a {form.kind} of {n_columns} columns")
    if form.columns is not None:
        require(len(form.columns) == n_columns and form.columns.is_unique, f"{len(form.columns)} names of columns")
        # raises a TypeError for a list in a name
        hash((*form.columns, *form.columns.names))
    if form.origin is not None:
        origin = form.origin
        require(origin.library in ("polars", "pyarrow", "modin", "cudf"), "a frame of an unknown library")
        require(isinstance(origin.time, str | None), "an invalid name of the time column")
        require(all(isinstance(flag, bool) for flag in (origin.is_series, origin.is_date)), "an invalid origin")


def _check_calibration(calibration: Calibration, distribution: Any, k: int, observations: Observations) -> None:
    truth, parameters, spreads = calibration.truth, calibration.parameters, calibration.spreads
    require_array("errors", truth, np.float32, (None, None, k))
    n, horizon, _ = truth.shape
    require(horizon > 0, f"errors of shape {truth.shape}")
    require(is_count(calibration.n_learned) and calibration.n_learned <= n, "an invalid n_learned")
    require((parameters is None) == (distribution is None), "errors of another distribution")
    if parameters is not None:
        require_array("parameters", parameters, np.float32, (n, horizon, k, n_parameters(distribution)))
    require((spreads is not None) == observations.is_panel, "errors of another kind")
    if spreads is not None:
        require_array("spreads", spreads, np.float64, (n, k))
        require(bool((spreads > 0).all()), "spreads that aren't above 0")
    if calibration.when is not None:
        # older files have the shortest season alone
        usual = seasons(observations.freq)
        require(calibration.seasons in (usual, usual[:1]), f"errors of seasons of {calibration.seasons}")
        require_array("times of errors", calibration.when, np.int64, (n,))


def check_rows(model: _core.Model | Ensemble, n_outputs: Any, n_columns: Any, names: Any) -> None:
    """Check the columns of X, their names (or None), and how many outputs there are, against the network."""
    window_size, n_features = model.window_shape
    config = model.config
    require(config["horizon"] == 1 and config["n_known"] == 0 and config["distribution"] is None, "another network")
    require(n_outputs == config["n_targets"], f"{n_outputs} outputs")
    require(n_columns in (n_features, window_size * n_features), f"{n_columns} columns of X")
    if names is not None:
        require(len(names) == n_columns and all(isinstance(name, str) for name in names), "other names of columns")


def check_classes(classes: NDArray[Any], weights: NDArray[np.float64], temperature: float) -> None:
    """Check the classes of a classifier, their weights, and its temperature."""
    require(classes.ndim == 1 and classes.dtype.kind in "OUbifu", "an invalid array of classes")
    values = classes.tolist()
    plain = all(isinstance(value, str | int | float | bool) for value in values)
    require(plain and len(classes) > 1 and values == sorted(set(values)), "classes that aren't sorted plain values")
    require_array("weights of classes", weights, np.float64, (len(classes),))
    require(bool((weights > 0).all()), "class weights that aren't above 0")
    require(0 < temperature < np.inf, f"a temperature of {temperature}")
