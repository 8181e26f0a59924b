"""Checks time indexes, finds their frequency and gaps, and continues them."""

from __future__ import annotations

import re
import warnings
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset

from lstmforecast.data.frequency import dominant, inferred, is_too_fine, rows_of, with_day
from lstmforecast.data.local_time import local_continuation, local_grid
from lstmforecast.data.resampling_advice import to_constant_steps

# An alias of pandas ("h", "MS"; "M" for a PeriodIndex), an offset without alias, the step of an integer index, or None.
Frequency: TypeAlias = str | int | BaseOffset | None

# Aliases before pandas 2.2, which pandas 3 refuses; a PeriodIndex still uses some.
_OLD_ALIASES = {
    "H": "h", "BH": "bh", "CBH": "cbh", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns", "d": "D",
    "M": "ME", "BM": "BME", "CBM": "CBME", "SM": "SME", "Q": "QE", "BQ": "BQE",
    "A": "YE", "Y": "YE", "BA": "BYE", "BY": "BYE", "AS": "YS", "BAS": "BYS",
}  # fmt: skip
_SORT, _MERGE = "; sort with {0}.sort_index()", "; merge rows of the same time with {0}.groupby(level=0).mean()"
_MAY_BE_CONTINUED = "a DatetimeIndex, PeriodIndex, RangeIndex or integers with a constant step"


def check_index(index: pd.Index, name: str = "y") -> None:
    """Check that an index can be continued, is ascending and has no duplicates.

    Parameters
    ----------
    index : pandas.Index of shape (n,)
    name : str
        The name of the data in messages.

    Raises
    ------
    TypeError
        If the index holds neither times nor integers.
    ValueError
        If a label is missing, duplicated or not in ascending order.
    """
    _check_kind(index, name)
    if index.hasnans:
        row = int(np.flatnonzero(index.isna())[0])
        raise ValueError(
            f"expected a time for every row of {name}, got {index[row]} in row {row}"
            + _advice(name, "; drop such rows with {0}[{0}.index.notna()]")
        )
    steps = np.diff(stamps_of(index))
    if (steps < 0).any():
        row = int(np.flatnonzero(steps < 0)[0]) + 1
        raise ValueError(
            f"expected the times of {name} in ascending order, got {index[row]} (row {row}) after {index[row - 1]}"
            + _advice(name, (_SORT if index.is_unique else _MERGE) + _of_clocks_put_back(index, row))
        )
    if (steps == 0).any():
        row = int(np.flatnonzero(steps == 0)[0]) + 1
        raise ValueError(
            f"expected every time of {name} once, got {int((steps == 0).sum())} duplicates, the first {index[row]} "
            f"(row {row})" + _advice(name, _MERGE + _of_clocks_put_back(index, row))
        )


def _of_clocks_put_back(index: pd.Index, row: int) -> str:
    """Further advice where times go back by an hour at night, once a year, as when daylight saving time ends."""
    if not isinstance(index, pd.DatetimeIndex) or index.tz is not None:
        return ""
    hour, steps = pd.Timedelta(hours=1), np.diff(index.asi8)
    usual = pd.Timedelta(np.median(np.abs(steps)), unit=index.unit)
    years = 1 + abs(index[-1] - index[0]) // pd.Timedelta(days=300)
    if usual > hour or index[row - 1] - index[row] > hour or index[row].hour > 3 or (steps <= 0).sum() > years:
        return ""
    return ", or, where clocks were put back, keep both with {0}.tz_localize('Europe/Berlin', ambiguous='infer')"


def _check_kind(index: pd.Index, name: str) -> None:
    if isinstance(index, pd.MultiIndex):
        raise TypeError(
            f"expected {name} to hold one series with one row for each time, got a MultiIndex of the levels "
            f"{list(index.names)}; several series have two, series and time"
        )
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or pd.api.types.is_integer_dtype(index.dtype):
        return
    got = f"{type(index).__name__} of {index.dtype}" + (f" such as {index[0]}" if len(index) else "")
    convert = "{0}.set_axis(pd.to_datetime({0}.index)), or drop it with " if _are_written_times(index) else ""
    raise TypeError(
        f"expected the index of {name} to be {_MAY_BE_CONTINUED}, got {got}"
        + _advice(name, f"; {'convert' if convert else 'drop'} it with {convert}{{0}}.reset_index(drop=True)")
    )


def _are_written_times(index: pd.Index) -> bool:
    """Whether labels are text or dates that pandas can convert to times."""
    if not (pd.api.types.is_object_dtype(index.dtype) or pd.api.types.is_string_dtype(index.dtype)):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return isinstance(pd.to_datetime(index), pd.DatetimeIndex)
        except (ValueError, TypeError):
            return False


def _advice(name: str, advice: str) -> str:
    """Advice with code, for data with a name in the user's code; a series of a panel has none."""
    return advice.format(name) if name.isidentifier() else ""


def stamps_of(index: pd.Index) -> NDArray[np.int64]:
    """The integers by which pandas stores times; integers are returned unchanged."""
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return np.asarray(index.asi8)
    return index.to_numpy(dtype=np.int64)


def regular_grid(
    index: pd.Index, freq: Frequency = None, name: str = "y", n_before: int = 0
) -> tuple[pd.Index, Frequency]:
    """Find the frequency of an index, and all labels at this frequency.

    Parameters
    ----------
    index : pandas.Index of shape (n,)
        Checked with `check_index`.
    freq : str, int, offset or None
        The frequency if it is known; then one or two rows are enough.
    name : str
        The name of the data in messages.
    n_before : int
        Rows at the beginning that messages don't count, because they are older than the data.

    Returns
    -------
    grid : pandas.Index of shape (n + n_missing,)
        From the first label to the last; of the length of ``index`` if that has no gaps.
    freq : str, int or offset
        The frequency.

    Raises
    ------
    ValueError
        If the labels don't lie on the grid of one frequency.
    """
    if isinstance(freq, int) and isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        raise ValueError(f"expected {name} with integers as index, as the step {freq} goes with, got times")
    if isinstance(index, pd.DatetimeIndex):
        offset = _datetime_offset(index, freq, name)
        grid: pd.Index = _datetime_grid(index, offset, name)
        found = alias(offset)
    elif isinstance(index, pd.PeriodIndex):
        found = index.freqstr
        if freq is not None and parse_frequency(freq) != index.freq:
            raise ValueError(f"expected {name} at freq={freq!r}, got periods of {found!r}")
        _check_count((index.asi8[-1] - index.asi8[0]) / parse_frequency(index.freq).n, index, found, name)
        grid = pd.period_range(index[0], index[-1], freq=index.freq, name=index.name)
    else:
        found = _integer_step(index, freq, name)
        _check_count((int(index[-1]) - int(index[0])) / found, index, found, name)
        grid = pd.RangeIndex(index[0], index[-1] + 1, found, name=index.name)
    off_grid = grid.get_indexer(index) < 0
    if off_grid.any():
        row = int(np.flatnonzero(off_grid)[0])
        message = _off_grid_message(f"{index[row]} (row {row - n_before})", freq, found, name)
        if n_before:
            follows = continue_index(index[:n_before], found, 1)[0]
            raise ValueError(f"{message}; after {index[n_before - 1]} comes {follows}")
        raise ValueError(message + _ways_to_a_step(index, freq, name))
    return (index if len(grid) == len(index) else grid), found


def _off_grid_message(got: str, freq: Frequency, found: Frequency, name: str) -> str:
    source = "freq" if freq is not None else "the most common step"
    return (
        f"expected the times of {name} at a constant step ({source} is {found!r}), got {got}, which does not lie on "
        "that grid"
    )


def _ways_to_a_step(index: pd.Index, freq: Frequency, name: str) -> str:
    # no code for data without a name in the user's code, nor for offsets without an alias
    is_written = name.isidentifier() and not isinstance(freq, BaseOffset)
    example = f", e.g. with {to_constant_steps(index, freq, name)}" if is_written else ""
    is_time = isinstance(index, pd.DatetimeIndex)
    return f"; resample {name} to one{example}" + (", or give their frequency as freq=" if is_time else "")


def parse_frequency(freq: Any) -> BaseOffset:
    """Convert an alias of any pandas version ("h" or "H", "ME" or "M") to an offset.

    Raises
    ------
    ValueError
        If ``freq`` is not a positive frequency.
    """
    message = f"expected freq to be a pandas frequency such as 'h', 'D' or 'MS', got {freq!r}"
    if isinstance(freq, str) and (parts := re.fullmatch(r"(\d*)([A-Za-z]+)(-[A-Za-z0-9]+)?", freq)):
        number, word, anchor = parts.groups(default="")
        freq = number + _OLD_ALIASES.get(word, word) + anchor
    try:
        offset: BaseOffset | None = to_offset(freq)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(message) from error
    if offset is None or getattr(offset, "n", 1) < 1:
        raise ValueError(message)
    return offset


def alias(offset: BaseOffset) -> Frequency:
    """The alias of an offset; the offset itself where the alias is not enough, as for holidays."""
    try:
        return offset.freqstr if to_offset(offset.freqstr) == offset else offset
    except ValueError:
        return offset


def _datetime_offset(index: pd.DatetimeIndex, freq: Frequency, name: str) -> BaseOffset:
    if freq is not None:
        return with_day(parse_frequency(freq), index)
    offset = index.freq if index.freq is not None else inferred(index)
    if offset is not None:
        return offset
    if len(index) < 3:
        raise ValueError(f"expected at least 3 rows to find the frequency of {name}, got {len(index)}; give freq=")
    return dominant(index)[0]


def _datetime_grid(index: pd.DatetimeIndex, offset: BaseOffset, name: str) -> pd.DatetimeIndex:
    _check_count(rows_of(index, offset), index, alias(offset), name)
    return local_grid(index, offset)


def _check_count(expected: float, index: pd.Index, step: Frequency, name: str) -> None:
    """Raise a ValueError if nearly all of the ``expected`` rows at a step are missing."""
    if is_too_fine(expected, len(index)):
        raise ValueError(
            f"expected the times of {name} at a constant step, got {len(index)} rows where the step {step!r} makes "
            f"about {expected:.0f}" + _ways_to_a_step(index, None, name)
        )


def _integer_step(index: pd.Index, freq: Frequency, name: str) -> int:
    if freq is not None and not isinstance(freq, int):
        raise ValueError(f"expected {name} to have a DatetimeIndex or PeriodIndex for freq={freq!r}, got integers")
    if freq is not None:
        return freq
    if isinstance(index, pd.RangeIndex):
        return index.step
    steps, counts = np.unique(np.diff(stamps_of(index)), return_counts=True)
    return int(steps[counts.argmax()]) if len(steps) else 1


def gap_message(index: pd.Index, grid: pd.Index, freq: Frequency, name: str = "y", *, is_trained: bool = False) -> str:
    """The message about rows that are missing from ``index``: how many, the first ones, and what to do."""
    absent = grid.difference(index, sort=False)
    after = np.unique(np.searchsorted(stamps_of(index), stamps_of(absent)))
    first = ", ".join(str(label) for label in absent[:3]) + (", ..." if len(absent) > 3 else "")
    return (
        f"expected {name} without gaps at the frequency {freq!r}, got {len(after)} "
        f"{'gap' if len(after) == 1 else 'gaps'} with {len(absent)} missing {'row' if len(absent) == 1 else 'rows'}: "
        f"{first}; fill them with missing='ffill' or missing='interpolate'"
        + ("" if is_trained else ", leave them out of the training with missing='mask', or give another freq=")
    )


def match_index(
    index: pd.Index,
    newer: pd.Index,
    name: str = "y",
    localise: str = "{}.tz_localize({!r})",
    like: str = "as at fit",
) -> pd.Index:
    """Check that newer labels are of the kind of the older ones, and convert them to their time zone.

    Parameters
    ----------
    index, newer : pandas.Index
        The older labels, and the newer ones, which are returned in the time zone of ``index``.
    name : str
        The name of the newer data in messages.
    localise : str
        Code that gives the newer data a time zone, with places for the names of both.
    like : str
        The name of the older labels in messages.

    Raises
    ------
    TypeError, ValueError
        If they are of different types, only one has a time zone, or periods have different frequencies.
    """
    if type(index) is not type(newer) and not {type(index), type(newer)} <= {pd.Index, pd.RangeIndex}:
        kinds = {"DatetimeIndex": "to_timestamp", "PeriodIndex": "to_period"}
        before, now = type(index).__name__, type(newer).__name__
        way = f"; convert the times with {kinds[before]}()" if {before, now} == set(kinds) else ""
        raise TypeError(f"expected {name} with a {before}, {like}, got a {now}{way}")
    if isinstance(index, pd.DatetimeIndex) and isinstance(newer, pd.DatetimeIndex):
        if (index.tz is None) != (newer.tz is None):
            zone = None if index.tz is None else str(index.tz)
            way = "drop the zone of the local times" if zone is None else "say that these are times of that zone"
            wanted = "without a time zone" if zone is None else f"in the time zone {zone}"
            got = f"times in {newer.tz}" if zone is None else "times without one"
            raise TypeError(f"expected {name} {wanted}, {like}, got {got}; {way} with {localise.format(name, zone)}")
        return newer if newer.tz == index.tz else newer.tz_convert(index.tz)
    if index.dtype != newer.dtype and isinstance(index, pd.PeriodIndex):
        raise ValueError(f"expected {name} with the index {index.dtype}, {like}, got {newer.dtype}")
    return newer


def join_indexes(index: pd.Index, newer: pd.Index, name: str = "y") -> pd.Index:
    """Append an index in the same time zone (see `match_index`) that begins after the end; there may be a gap.

    Raises
    ------
    ValueError
        If they overlap.
    """
    if newer[0] <= index[-1]:
        raise ValueError(
            f"expected {name} to go on after {index[-1]}, got an overlap: it begins at {newer[0]}; pass newer rows only"
        )
    return index.append(newer.rename(index.name))


def continue_index(index: pd.Index, freq: Frequency, steps: int) -> pd.Index:
    """Continue an index at its frequency.

    Parameters
    ----------
    index : pandas.Index of shape (n,)
        At least one label.
    freq : str, int or offset
        As found by `regular_grid`.
    steps : int
        The number of new labels.

    Returns
    -------
    pandas.Index of shape (steps,)
        Of the same type, name, time zone and resolution. As in `pandas.date_range`, days and longer steps keep the
        local time over a change of clocks, hours and shorter steps have the same duration. A local time that doesn't
        exist is replaced by the first time after it.
    """
    if isinstance(index, pd.DatetimeIndex):
        return local_continuation(index, parse_frequency(freq), steps)
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1], periods=steps + 1, freq=index.freq, name=index.name)[1:]
    assert isinstance(freq, int)
    last = int(index[-1])
    after = range(last + freq, last + freq * (steps + 1), freq)
    if isinstance(index, pd.RangeIndex):
        return pd.RangeIndex(after, name=index.name)
    integers: pd.Index = pd.Index(np.array(after), dtype=index.dtype, name=index.name)
    return integers
