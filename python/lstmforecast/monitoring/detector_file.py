"""What a model file stores of a detector besides its forecaster: arrays, parameters and plain values."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.saved_labels import pack_frequency, pack_index, pack_label, unpack_frequency, unpack_label
from lstmforecast.export.file_checks import is_count, require, require_array
from lstmforecast.monitoring.online_detector import OnlineDetector
from lstmforecast.monitoring.row_times import Irregularities, RowTimes
from lstmforecast.monitoring.scored_rows import network_of
from lstmforecast.thresholds import NAMES, resolve

Arrays = dict[str, NDArray[Any]]
Values = dict[str, Any]


def check_savable(index: pd.Index | None, labels: list[Any] | None) -> None:
    """Raise a ValueError for names, times and frequencies that a file can't keep, before training."""
    for label in labels or ():
        pack_label(label)
    if index is not None:
        pack_index(index[-1:])
        pack_frequency(RowTimes.of(index).frequency(index))


def pack_parameters(parameters: Values) -> Values:
    """Parameters in plain values: the forecaster is kept as it was fitted, of seeds only integers."""
    parameters = parameters | {"forecaster": None}
    if not isinstance(parameters["threshold"], str):
        parameters["threshold"] = resolve(parameters["threshold"]).config()
    if not isinstance(parameters["random_state"], numbers.Integral):
        parameters["random_state"] = None
    return parameters


def unpack_parameters(parameters: Values) -> Values:
    """Parameters for the constructor, of those that `pack_parameters` made."""
    if isinstance(parameters["threshold"], str):
        return parameters
    ((name, options),) = parameters["threshold"].items()
    return parameters | {"threshold": NAMES[name](**options)}


def pack(stream: OnlineDetector, parameters: Values, offset: float, named: bool) -> tuple[Arrays, Values]:
    """A fitted detector in arrays and plain values; ``named``: whether it has ``feature_names_in_``."""
    newest, times = stream.times.pack()
    arrays: Arrays = {"newest": newest}
    if parameters["refit_every"] is not None:
        arrays["recent"] = np.concatenate(stream.recent)[-parameters["memory"] - parameters["refit_every"] :]
    values = {
        "monitor": stream.monitor.state(),
        "offset": offset,
        "n_features": stream.forecaster.n_features_in_,
        "labels": None if stream.labels is None else [pack_label(label) for label in stream.labels],
        "named": named,
        "clock": times,
        "frequency": pack_frequency(stream.frequency),
        "report": vars(stream.irregularities),
        "ahead": stream.n_since_fit,
        "own_forecaster": parameters["forecaster"] is not None,
    }
    return arrays, values


def unpack(forecaster: Any, arrays: Arrays, values: Values) -> OnlineDetector:
    """The stream that `pack` packed; a ValueError or KeyError for arrays and values that don't fit together."""
    monitor = _core.Monitor(values["monitor"])
    monitor.check(network_of(forecaster))
    return OnlineDetector(
        forecaster,
        monitor,
        None if values["labels"] is None else [unpack_label(label) for label in values["labels"]],
        RowTimes.unpack(arrays["newest"], values["clock"]),
        unpack_frequency(values["frequency"]),
        Irregularities(**values["report"]),
        [arrays["recent"]] if "recent" in arrays else [],
        int(values["ahead"]),
    )


def check(stream: OnlineDetector, n_features: int, offset: float, refit_every: int | None) -> None:
    """Raise a ValueError unless the parts of a detector that was read from a file fit together."""
    k, labels, times = stream.forecaster.n_features_in_, stream.labels, stream.times
    require(n_features == k, f"{n_features} columns")
    require(labels is None or len(labels) == k, "other names of columns")
    require(-np.inf < offset < 0, f"an offset of {offset}")
    if times.newest is None:
        require(times.step == 0, "steps without times")
    else:
        is_time = len(times.newest) == 1 and not times.newest.hasnans
        require(is_time and times.step > 0, "times that don't ascend")
    require(stream.n_since_fit in range(refit_every or 1), f"{stream.n_since_fit} rows since the last fit")
    require(len(stream.recent) == (0 if refit_every is None else 1), "other rows to be fitted to")
    for rows in stream.recent:
        require_array("rows", rows, np.float64, (None, k), finite=False)
        require(not np.isinf(rows).any(), "rows that are infinite")
    found = stream.irregularities
    counts = [*found.counts.values(), *found.rows.values()]
    words = all(isinstance(label, str) for label in found.first.values())
    require(all(map(is_count, counts)) and words, "invalid counts of irregularities")
    repr(found.frame())
