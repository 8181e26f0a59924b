"""The index of a panel, (series, time): made from columns, grouped by series, checked for gaps.

Works on the codes of the index, and on some rows at a time, because the labels of all rows would take far more memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.frames import SERIES, TIME, column_names
from lstmforecast.data.index import Frequency, match_index, regular_grid
from lstmforecast.data.table_columns import times_of

# Rows that are processed at a time.
_ROWS = 2**18


def is_panel(y: Any, name: str = "y") -> bool:
    """Whether a container is a panel: several series, by an index of two levels or by columns.

    Examples
    --------
    >>> is_panel(pd.DataFrame({"unique_id": [1, 1], "ds": [0, 1], "y": [5.0, 6.0]})), is_panel([1.0, 2.0])
    (True, False)
    """
    if {SERIES, TIME} <= set(column_names(y, name)):
        return True
    return isinstance(y, pd.Series | pd.DataFrame) and isinstance(y.index, pd.MultiIndex) and y.index.nlevels == 2


def indexed(y: Any, name: str) -> tuple[Any, bool]:
    """Give a frame in the long format an index of (series, time); also returns whether it was in the long format."""
    if isinstance(y, pd.DataFrame) and {SERIES, TIME} <= set(y.columns):
        rest = [column for column in y.columns if column not in (SERIES, TIME)]
        if not rest:
            raise ValueError(f"expected {name} with a column of values beside {SERIES} and {TIME}, got none")
        times = y[TIME]
        if pd.api.types.is_object_dtype(times.dtype) or pd.api.types.is_string_dtype(times.dtype):
            times = times_of(times, name)
        return y[rest].set_axis(index_of_columns(y[SERIES], times)), True
    return y, False


def index_of_columns(series: pd.Series, times: pd.Series) -> pd.MultiIndex:
    """As `pandas.MultiIndex.from_arrays`, faster and with less memory if the rows of each series are consecutive."""
    begins = _run_begins(series.array)
    if not len(series) or times.dtype == object or len(begins) != series.nunique() or series.hasnans:
        return pd.MultiIndex.from_arrays([series, times])
    keys = pd.Index(series.iloc[begins], tupleize_cols=False)
    numbers = np.arange(len(keys), dtype=_codes_type(keys)).repeat(np.diff(np.append(begins, len(series))))
    parts = [times.iloc[at : at + _ROWS] for at in range(0, len(times), _ROWS)]
    level = pd.Index(pd.concat([part.drop_duplicates() for part in parts]).unique()).dropna().sort_values()
    codes = np.concatenate([level.get_indexer(pd.Index(part)).astype(_codes_type(level)) for part in parts])
    return index_of_codes(keys, numbers, level, codes, [series.name, times.name])


def _codes_type(level: pd.Index) -> np.dtype[Any]:
    """The smallest type of integers for the codes of a level, -1 included."""
    return np.min_scalar_type(-len(level))


def index_of_codes(keys: pd.Index, numbers: Any, times: pd.Index, codes: Any, names: Any) -> pd.MultiIndex:
    """The index of rows (n,), from the positions of their series in ``keys`` and of their times in ``times``."""
    # the stubs of pandas allow lists only
    levels: list[Any] = [keys, times]
    return pd.MultiIndex(levels, [numbers, codes], names=names)


def match_panel_index(
    index: pd.Index, newer: pd.Index, name: str, localise: str = "{}.tz_localize({!r})", like: str = "as at fit"
) -> pd.Index:
    """As `match_index`, also for panels; indexes with different numbers of levels stay unchanged."""
    if index.nlevels != newer.nlevels:
        return newer
    if not (isinstance(index, pd.MultiIndex) and isinstance(newer, pd.MultiIndex)):
        return match_index(index, newer, name, localise, like)
    # the stubs of pandas allow lists only
    levels: list[Any] = [match_index(index.levels[-1], newer.levels[-1], name, localise, like)]
    return newer if levels[0] is newer.levels[-1] else newer.set_levels(levels, level=[-1])


def grouped(
    index: pd.MultiIndex, name: str, *, by_time: bool = False
) -> tuple[pd.MultiIndex, NDArray[np.int64], NDArray[np.intp] | None]:
    """Group the rows by series, in the order in which series first appear; ``by_time`` sorts those of each series.

    Returns the index, the row at which each series begins, and the order of the rows; None: unchanged.
    """
    codes = np.asarray(index.codes[0])
    if codes.min() < 0:
        raise ValueError(f"expected a series for every row of {name}, got none in row {int(np.argmax(codes < 0))}")
    begins = _run_begins(codes)
    first = np.unique(codes[begins], return_index=True)[1]
    if len(first) == len(begins) and not (by_time and _has_unsorted(index, begins)):
        return index, np.append(begins, len(codes)), None
    ranks = np.zeros(int(codes.max()) + 1, codes.dtype)
    ranks[codes[begins[np.sort(first)]]] = np.arange(len(first))
    if by_time:
        moments = np.asarray(index.levels[1].argsort().argsort())[index.codes[1]]
        order = np.lexsort((moments, ranks[codes]))
    else:
        order = np.argsort(ranks[codes], kind="stable")
    index = index[order]
    return index, np.append(_run_begins(np.asarray(index.codes[0])), len(codes)), order


def _has_unsorted(index: pd.MultiIndex, begins: NDArray[np.int64]) -> bool:
    """Whether the times of a series, whose rows follow one another, are not ascending."""
    codes, places = np.asarray(index.codes[1]), index.levels[1].argsort().argsort()
    is_first = np.zeros(len(codes), bool)
    is_first[begins] = True
    for at in range(0, len(codes), _ROWS):
        part = slice(max(at - 1, 0), at + _ROWS)
        if (np.diff(places[codes[part]]) < 0)[~is_first[part][1:]].any():
            return True
    return False


def _run_begins(values: Any) -> NDArray[np.int64]:
    """The positions of values that differ from the one before, or are missing."""
    differ = np.ones(len(values), bool)
    differ[1:] = pd.Series(values[1:] != values[:-1]).fillna(True)
    return np.flatnonzero(differ)


def irregular_series(index: pd.MultiIndex, starts: NDArray[np.int64], freq: Frequency) -> NDArray[np.bool_]:
    """Which series have a gap or are not ascending; all series where one pass over the rows can't decide."""
    codes, times = np.asarray(index.codes[1]), index.levels[1]
    unknown = np.ones(len(starts) - 1, bool)
    if codes.min() < 0:
        return unknown
    # some rows at a time, because the codes are converted to 8 bytes where they index an array
    parts = [slice(at, at + _ROWS) for at in range(0, len(codes), _ROWS)]
    used = np.zeros(len(times), bool)
    for part in parts:
        used[codes[part]] = True
    try:
        grid, _ = regular_grid(times[used].sort_values(), freq)
    except ValueError:
        # series on different grids
        return unknown
    places, wrong, before = grid.get_indexer(times), np.empty(len(codes), bool), -1
    for part in parts:
        here = places[codes[part]]
        wrong[part] = np.diff(here, prepend=before) != 1
        before = here[-1]
    wrong[starts[:-1]] = False
    irregular: NDArray[np.bool_] = np.logical_or.reduceat(wrong, starts[:-1])
    return irregular
