"""Checks that values and forecasts are finite: values too large for a network in single precision are named."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.container import MOST_VALUE

if TYPE_CHECKING:
    from lstmforecast import _core
    from lstmforecast.data.dataset import Dataset
    from lstmforecast.fitting.ensemble import Ensemble

Array = NDArray[np.float64]
_LARGEST = float(np.finfo(np.float64).max)
EXPECTED = "expected values of which the network can make a forecast"


def farthest(windows: Array, center: Array, scale: Array) -> tuple[int, ...]:
    """The position in windows (..., k) of the value farthest from the centres, in scales (k,); nan is ignored."""
    with np.errstate(over="ignore"):
        distances = np.nan_to_num(np.abs(windows / scale - center / scale), nan=-1.0, posinf=np.finfo(np.float64).max)
    return tuple(int(i) for i in np.unravel_index(int(distances.argmax()), distances.shape))


def are_within(values: Array, most: float) -> bool:
    """Whether no value is nan or beyond ``most`` in size."""
    flat = values.ravel()
    if not flat.size:
        return True
    # these two methods take less time than any function that gives the values; both find a nan, which compares as false
    return bool(-most <= flat.item(flat.argmin()) and flat.item(flat.argmax()) <= most)


def require_finite_rows(outputs: Array, windows: Array, model: _core.Model | Ensemble) -> None:
    """Raise a ValueError for the first of outputs (n, ...) that isn't finite, made of windows (n, steps, features)."""
    if are_within(outputs, _LARGEST):
        return
    finite = np.isfinite(outputs)
    scalers = model.scalers()
    row = int(np.argwhere(~finite)[0][0])
    step, feature = farthest(windows[row], scalers["input_center"], scalers["input_scale"])
    value = windows[row, step, feature]
    raise ValueError(f"{EXPECTED}, got {value:g} in row {row} of X (step {step}, feature {feature})")


def require_finite_forecasts(
    forecasts: Array,
    model: _core.Model | Ensemble,
    dataset: Dataset,
    places: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    future: Array | None = None,
) -> None:
    """Raise a ValueError for the first of forecasts (n, steps, ...) that isn't finite, or too large for the container.

    Parameters
    ----------
    places : pair of ndarray of shape (n,) or None
        Series, and the row of it that each forecast begins at; None: those after the end of all series.
    future : ndarray of shape (n, n_read, m) or None
        Features of the steps after the origins.
    """
    most = _largest(dataset.observations.form.dtype)
    if are_within(forecasts, most):
        return
    which, origins = dataset.ends if places is None else places
    fine = np.asarray((np.abs(forecasts) <= most).reshape(*forecasts.shape[:2], -1).all(axis=2))
    i = int(np.argmin(fine.all(axis=1)))
    step, horizon = int(np.argmin(fine[i])), model.config["horizon"]
    if step >= horizon:
        raise ValueError(
            f"expected a horizon of at most {step}, beyond which forecasts of forecasts end in infinity, "
            f"got {forecasts.shape[1]}"
        )
    features = None if future is None else future[i]
    raise ValueError(f"{EXPECTED}, got {_farthest_value(model, dataset, which[i], origins[i], features)}")


@cache
def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max)


def _farthest_value(
    model: _core.Model | Ensemble, dataset: Dataset, series: int, origin: int, future: Array | None
) -> str:
    """The value of a window, or of the features after it, that is farthest from those of the training."""
    size, k = model.config["window_size"], dataset.observations.n_columns
    scalers = model.scalers()
    center, scale = scalers["input_center"].copy(), scalers["input_scale"].copy()
    if dataset.scales is not None:
        center[:k], scale[:k] = np.split(dataset.scales[series], 2)
    windows, _ = dataset.around(np.array([series]), np.array([origin]), size, 0)
    rows = windows[0]
    if future is not None:
        rows = np.vstack([rows, np.hstack([np.full((len(future), k), np.nan), future])])
    row, column = farthest(rows, center, scale)
    names: list[Any] = [*dataset.observations.form.variables(k), *dataset.covariates.names]
    at = origin - size + row
    length = int(dataset.observations.lengths[series])
    if at >= length:
        return f"{rows[row, column]:g} of {names[column]!r} at step {at - length + 1} after the end"
    at = int(dataset.observations.row_of(np.array([series]), np.array([at]))[0])
    value = dataset.observations.values[at, column] if column < k else dataset.features[at, column - k]
    index = dataset.observations.index
    where = (
        f"row {at - len(dataset.observations)}" if index is None else f"{dataset.observations.times(np.array([at]))[0]}"
    )
    # Python's own 7, not np.int64(7)
    name = dataset.observations.series_keys.tolist()[series]
    of_series = f" of the series {name!r}" if dataset.observations.is_panel else ""
    return f"{value:g} of {names[column]!r} at {where}{of_series}"


def require_squares(dataset: Dataset) -> None:
    """Raise a ValueError for the first value, of static features too, that is too large for a scaler's squares."""
    table, k = dataset.table, dataset.observations.n_columns
    # nan compares as false
    wrong = np.abs(table) > MOST_VALUE
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        names: list[Any] = [*dataset.observations.form.variables(k), *dataset.covariates.names]
        at = dataset.observations.times(np.array([row]))[0]
        raise ValueError(
            f"expected values of a size up to {MOST_VALUE:g}, got {table[row, column]:g} of {names[column]!r} at {at} "
            f"(row {row}); give it in other units"
        )
