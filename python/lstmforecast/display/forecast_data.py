"""The data of the picture of a forecast: tables of each series that fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from lstmforecast.display.tables import as_frame, check_alike, check_interval, is_array
from lstmforecast.uncertainty.calibration import SIDES

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from numpy.typing import NDArray

    from lstmforecast.display.series import Chosen

LEAST_HISTORY = 48


class Part(NamedTuple):
    """The data of one series."""

    history: pd.DataFrame
    forecast: pd.DataFrame
    truth: pd.DataFrame | None
    interval: pd.DataFrame | None


def part_of(
    known: Any, forecast: Any, interval: Any, y: Any, key: Hashable, *, n_history: int | None, start: int
) -> Part:
    """The data of one series: the rows to be shown, and of ``y`` the truth."""
    before = as_frame(known, start=start, series=key)
    cutoff, truth = before.index[-1], None
    future = as_frame(forecast, start=cutoff + 1 if is_array(known) else 0, series=key)
    if y is not None:
        shown = as_frame(y, series=key)
        shown = shown[list(future.columns)] if set(future.columns) <= set(shown.columns) else shown
        before, truth = shown[shown.index <= cutoff], shown[shown.index > cutoff]
        truth = truth[truth.index <= future.index[-1]]
        truth = truth if len(truth) else None
        if not len(before):
            raise ValueError(f"expected y with rows up to {cutoff}, after which the forecast begins, got none")
    n_shown = max(5 * len(future), LEAST_HISTORY) if n_history is None else n_history
    return checked(before.iloc[-n_shown:], future, truth, interval, key)


def checked(history: Any, forecast: Any, truth: Any, bands: Any, key: Hashable) -> Part:
    """The data of one series as tables that fit together."""
    past = as_frame(history, series=key)
    start = int(past.index[-1]) + 1 if is_array(forecast) and pd.api.types.is_integer_dtype(past.index) else 0
    future = as_frame(forecast, start=start, series=key)
    known = None if truth is None else as_frame(truth, start=start, series=key)
    check_alike(past, future, "forecast")
    if known is not None:
        check_alike(past, known, "truth")
    if isinstance(bands, pd.DataFrame):
        bands = as_frame(bands, series=key)
    if bands is not None:
        check_interval(bands, len(future), future.shape[1])
    return Part(past, future, known, bands)


def joined(parts: list[Part], chosen: Chosen) -> dict[str, Any]:
    """The tables of one series, or of several with the series in the index."""
    if not chosen.several:
        return parts[0]._asdict() | {"series": chosen.keys[0]}
    tables = {
        name: None if any(table is None for table in each) else pd.concat(dict(zip(chosen.keys, each, strict=True)))
        for name, each in zip(Part._fields, zip(*parts, strict=True), strict=True)
    }
    return tables | {"series": chosen.keys}


def parts_of(series: Any, *tables: pd.DataFrame | None) -> dict[Any, Part]:
    """History, forecast, truth and interval of each series."""
    if not isinstance(series, list):
        return {series: Part(*tables)}  # type: ignore[arg-type]
    return {key: Part(*(table if table is None else table.loc[key] for table in tables)) for key in series}  # type: ignore[arg-type]


def variable_of(part: Part, i: int) -> tuple[pd.Series, pd.Series, pd.Series | None]:
    """History, forecast (from the last row of the history, so that the lines meet) and truth of a variable."""
    past = part.history.iloc[:, i]
    future = pd.concat([past.iloc[-1:], part.forecast.iloc[:, i]])
    return past, future, None if part.truth is None else part.truth.iloc[:, i]


def fan_of(part: Part, i: int) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64]]]:
    """Coverage and bounds of the intervals of variable i, the widest first, from the last row of the history."""
    if part.interval is None:
        return
    bands = part.interval[part.interval.columns.get_level_values(0).unique()[i]]
    last = part.history.iloc[-1:, i].to_numpy()
    for coverage in sorted(bands.columns.get_level_values(0).unique(), reverse=True):
        lower, upper = (np.r_[last, bands[coverage, side].to_numpy(float)] for side in SIDES)
        yield float(coverage), lower, upper
