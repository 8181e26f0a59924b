"""Time indexes: their order, their frequency, their gaps, and how they go on."""

from __future__ import annotations

import re
import warnings
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, Day, Tick

# A pandas alias ("h", "MS"; "M" of a PeriodIndex), an offset that has no alias, the step of an integer index, or None.
Frequency: TypeAlias = str | int | BaseOffset | None

# pandas 2.1 and before wrote these; pandas 3 refuses them, and a PeriodIndex still uses some.
_OLD_ALIASES = {
    "H": "h", "BH": "bh", "CBH": "cbh", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns", "d": "D",
    "M": "ME", "BM": "BME", "CBM": "CBME", "SM": "SME", "Q": "QE", "BQ": "BQE",
    "A": "YE", "Y": "YE", "BA": "BYE", "BY": "BYE", "AS": "YS", "BAS": "BYS",
}  # fmt: skip
# More rows than this for each one present is no series with gaps, but one without a frequency.
_MOST_MISSING = 20
_SEASONS = {
    "D": 7, "B": 5, "C": 5, "W": 52, "SME": 24, "SMS": 24, "ME": 12, "MS": 12, "BME": 12, "BMS": 12, "CBME": 12,
    "CBMS": 12, "WOM": 12, "LWOM": 12, "QE": 4, "QS": 4, "BQE": 4, "BQS": 4,
}  # fmt: skip
_MAY_BE_CONTINUED = "a DatetimeIndex, PeriodIndex, RangeIndex or integers with a constant step"


def check_index(index: pd.Index, name: str = "y") -> None:
    """Check that an index can be continued, ascends and has no duplicates.

    Parameters
    ----------
    index : pandas.Index of shape (n,)
    name : str
        What the messages call the data.

    Raises
    ------
    TypeError
        If the index holds neither times nor integers.
    ValueError
        If a label is missing, duplicated or not in ascending order; the first such label and its row are named.
    """
    _check_kind(index, name)
    if index.hasnans:
        row = int(np.flatnonzero(index.isna())[0])
        raise ValueError(f"expected a time for every row of {name}, got {index[row]} in row {row}; drop such rows")
    steps = np.diff(stamps_of(index))
    if (steps < 0).any():
        row = int(np.flatnonzero(steps < 0)[0]) + 1
        raise ValueError(
            f"expected the times of {name} in ascending order, got {index[row]} (row {row}) after {index[row - 1]}"
            + _advice(name, "; sort with {}.sort_index()")
        )
    if (steps == 0).any():
        row = int(np.flatnonzero(steps == 0)[0]) + 1
        raise ValueError(
            f"expected every time of {name} once, got {int((steps == 0).sum())} duplicates, the first {index[row]} "
            f"(row {row})" + _advice(name, "; merge them with {}.groupby(level=0).mean()")
        )


def _check_kind(index: pd.Index, name: str) -> None:
    if isinstance(index, pd.MultiIndex):
        raise TypeError(
            f"expected {name} to hold one series with one row for each time, got a MultiIndex of the levels "
            f"{list(index.names)}; several series have two, series and time"
        )
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or pd.api.types.is_integer_dtype(index.dtype):
        return
    got = f"{type(index).__name__} of {index.dtype}" + (f" such as {index[0]}" if len(index) else "")
    raise TypeError(
        f"expected the index of {name} to be {_MAY_BE_CONTINUED}, got {got}"
        + _advice(name, "; convert it with pd.to_datetime({0}.index) or drop it with {0}.reset_index(drop=True)")
    )


def _advice(name: str, advice: str) -> str:
    """What to write, for data that has a name in the user's code; a series of a panel has none."""
    return advice.format(name) if name.isidentifier() else ""


def stamps_of(index: pd.Index) -> NDArray[np.int64]:
    """Times as the integers that pandas counts them in, and integers as they are."""
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return np.asarray(index.asi8)
    return index.to_numpy(dtype=np.int64)


def regular_grid(index: pd.Index, freq: Frequency = None, name: str = "y") -> tuple[pd.Index, Frequency]:
    """Find the frequency of an index and all labels that it should have.

    Parameters
    ----------
    index : pandas.Index of shape (n,)
        Checked with `check_index`.
    freq : str, int, offset or None
        The frequency, if it is known. One or two rows suffice then.
    name : str
        What the messages call the data.

    Returns
    -------
    grid : pandas.Index of shape (n + n_missing,)
        From the first label to the last; of the same length as ``index`` unless it has gaps.
    freq : str, int or offset
        The frequency that was found.

    Raises
    ------
    ValueError
        If there is no frequency on whose grid all labels lie.
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
        raise ValueError(_off_grid_message(index, int(np.flatnonzero(off_grid)[0]), freq, found, name))
    return (index if len(grid) == len(index) else grid), found


def _off_grid_message(index: pd.Index, row: int, freq: Frequency, found: Frequency, name: str) -> str:
    source = "freq" if freq is not None else "the most common step"
    example = _advice(name, f", e.g. with {{}}.resample({found!r}).mean()")
    return (
        f"expected the times of {name} at a constant step ({source} is {found!r}), got {index[row]} (row {row}), which "
        f"does not lie on that grid; bring {name} to one{example}, or give freq="
    )


def parse_frequency(freq: Any) -> BaseOffset:
    """Turn an alias of any pandas version ("h" or "H", "ME" or "M") into an offset.

    Raises
    ------
    ValueError
        If it is not a positive frequency.
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
    """Name an offset by its alias; give back the offset itself where the alias does not say all (holidays)."""
    try:
        return offset.freqstr if to_offset(offset.freqstr) == offset else offset
    except ValueError:
        return offset


def _datetime_offset(index: pd.DatetimeIndex, freq: Frequency, name: str) -> BaseOffset:
    if freq is not None:
        return parse_frequency(freq)
    offset = index.freq if index.freq is not None else inferred(index)
    return offset if offset is not None else _dominant(index, name)


def inferred(index: pd.DatetimeIndex) -> BaseOffset | None:
    """Find the frequency that all steps of an index have; None where there is none, or fewer than three rows."""
    if len(index) < 3:
        return None
    with warnings.catch_warnings():
        # pandas 3.1 announces that it will return an offset one day: to_offset takes both.
        warnings.simplefilter("ignore")
        return to_offset(pd.infer_freq(index))


def _dominant(index: pd.DatetimeIndex, name: str) -> BaseOffset:
    """Find the frequency that most steps have, though not all."""
    if len(index) < 3:
        raise ValueError(f"expected at least 3 rows to find the frequency of {name}, got {len(index)}; give freq=")
    steps = np.diff(index.asi8)
    values, counts = np.unique(steps, return_counts=True)
    step = int(values[counts.argmax()])
    offset = inferred(_longest_run(index, steps <= 1.5 * step))
    if offset is None:
        offset = to_offset(pd.Timedelta(step, unit=index.unit))
    if isinstance(offset, Day) and offset.n == 1 and len(index) > 5 and (index.day_of_week < 5).all():
        offset = to_offset("B")
    assert offset is not None
    return offset


def _longest_run(index: pd.DatetimeIndex, joined: NDArray[np.bool_]) -> pd.DatetimeIndex:
    """Find the longest stretch of labels whose steps are all ``joined`` (n - 1,)."""
    breaks = np.concatenate([[-1], np.flatnonzero(~joined), [len(joined)]])
    longest = int(np.diff(breaks).argmax())
    return index[breaks[longest] + 1 : breaks[longest + 1] + 1]


def _datetime_grid(index: pd.DatetimeIndex, offset: BaseOffset, name: str) -> pd.DatetimeIndex:
    first, last = index[0], index[-1]
    expected = (last - first) / max((first + offset) - first, pd.Timedelta(1, unit="ns"))
    _check_count(expected, index, alias(offset), name)
    return _date_range(first, offset, index, end=last)


def _check_count(expected: float, index: pd.Index, step: Frequency, name: str) -> None:
    """Raise a ValueError where nearly all of the rows ``expected`` at a step are missing."""
    if expected <= _MOST_MISSING * (len(index) + 50):
        return
    example = ", e.g. with {}.resample('D').mean()" if isinstance(index, pd.DatetimeIndex) else ""
    raise ValueError(
        f"expected the times of {name} at a constant step, got {len(index)} rows where the step {step!r} makes about "
        f"{expected:.0f}; bring {name} to one" + _advice(name, example) + ", or give freq="
    )


def _date_range(first: pd.Timestamp, offset: BaseOffset, like: pd.DatetimeIndex, **span: Any) -> pd.DatetimeIndex:
    """Count on from ``first``, until ``end=`` or for ``periods=``, in the time zone and resolution of ``like``."""
    grid: pd.DatetimeIndex
    if like.tz is None or (isinstance(offset, Tick) and not isinstance(offset, Day)):
        grid = pd.date_range(first, freq=offset, name=like.name, **span).as_unit(like.unit)
        return grid
    # Days, weeks and months keep the wall clock over a change of summer time, hours keep the elapsed time.
    if "end" in span:
        span["end"] = span["end"].tz_localize(None)
    naive = pd.date_range(first.tz_localize(None), freq=offset, name=like.name, **span)
    summer = np.ones(len(naive), dtype=bool)
    grid = naive.tz_localize(like.tz, ambiguous=summer, nonexistent="shift_forward").as_unit(like.unit)
    return grid


def _integer_step(index: pd.Index, freq: Frequency, name: str) -> int:
    if freq is not None and not isinstance(freq, int):
        raise ValueError(f"expected {name} to have a DatetimeIndex or PeriodIndex for freq={freq!r}, got integers")
    if freq is not None:
        return freq
    if isinstance(index, pd.RangeIndex):
        return index.step
    steps, counts = np.unique(np.diff(stamps_of(index)), return_counts=True)
    return int(steps[counts.argmax()]) if len(steps) else 1


def gap_message(index: pd.Index, grid: pd.Index, freq: Frequency, name: str = "y") -> str:
    """Say how many rows are missing from ``index``, and which come first."""
    absent = grid.difference(index, sort=False)
    after = np.unique(np.searchsorted(stamps_of(index), stamps_of(absent)))
    first = ", ".join(str(label) for label in absent[:3]) + (", ..." if len(absent) > 3 else "")
    return (
        f"expected {name} without gaps at the frequency {freq!r}, got {len(after)} "
        f"{'gap' if len(after) == 1 else 'gaps'} with {len(absent)} missing {'row' if len(absent) == 1 else 'rows'}: "
        f"{first}; mend them with missing='ffill' or missing='interpolate', or give another freq="
    )


def alike(
    index: pd.Index,
    newer: pd.Index,
    name: str = "y",
    localise: str = "{}.tz_localize({!r})",
    like: str = "as before",
) -> pd.Index:
    """Check that newer labels are of the kind of those before, and bring them to the same time zone.

    Parameters
    ----------
    index, newer : pandas.Index
        The labels before, and those to bring to them: the same instants, in the time zone of ``index``.
    name : str
        What the messages call the newer data.
    localise : str
        How the newer data are given a time zone, with places for their name and the zone.
    like : str
        What the messages call the labels before.

    Raises
    ------
    TypeError, ValueError
        If they are of different kinds, only one of them has a time zone, or periods are of different lengths.
    """
    if type(index) is not type(newer) and not {type(index), type(newer)} <= {pd.Index, pd.RangeIndex}:
        kinds = {"DatetimeIndex": "to_timestamp", "PeriodIndex": "to_period"}
        before, now = type(index).__name__, type(newer).__name__
        way = f"; convert the times with {kinds[before]}()" if {before, now} == set(kinds) else ""
        raise TypeError(f"expected {name} with a {before} {like}, got a {now}{way}")
    if isinstance(index, pd.DatetimeIndex) and isinstance(newer, pd.DatetimeIndex):
        if (index.tz is None) != (newer.tz is None):
            zone = None if index.tz is None else str(index.tz)
            way = "drop the zone of the local times" if zone is None else "say that these are times of that zone"
            raise TypeError(
                f"expected {name} with the time zone {index.tz}, {like}, got {newer.tz}; {way} with "
                f"{localise.format(name, zone)}"
            )
        return newer if newer.tz == index.tz else newer.tz_convert(index.tz)
    if index.dtype != newer.dtype and isinstance(index, pd.PeriodIndex):
        raise ValueError(f"expected {name} with the index {index.dtype}, {like}, got {newer.dtype}")
    return newer


def join_indexes(index: pd.Index, newer: pd.Index, name: str = "y") -> pd.Index:
    """Append an index, brought to the other's time zone by `alike`, that begins after its end; gaps are left.

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
    """Make the labels after the end of a regular index.

    Parameters
    ----------
    index : pandas.Index of shape (n,)
        At least one label.
    freq : str, int or offset
        As found by `regular_grid`.
    steps : int
        How many labels.

    Returns
    -------
    pandas.Index of shape (steps,)
        Of the same kind, name, time zone and resolution. Days and longer frequencies keep the wall clock over a change
        of summer time, hours and shorter ones the elapsed time, as in `pandas.date_range`.
    """
    if isinstance(index, pd.DatetimeIndex):
        return _date_range(index[-1], parse_frequency(freq), index, periods=steps + 1)[1:]
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1], periods=steps + 1, freq=index.freq, name=index.name)[1:]
    assert isinstance(freq, int)
    last = int(index[-1])
    after = range(last + freq, last + freq * (steps + 1), freq)
    if isinstance(index, pd.RangeIndex):
        return pd.RangeIndex(after, name=index.name)
    integers: pd.Index = pd.Index(np.array(after), dtype=index.dtype, name=index.name)
    return integers


def season_length(freq: Frequency) -> int:
    """Tell the usual number of steps in a season of a frequency.

    Parameters
    ----------
    freq : str, int, offset or None
        As found by `regular_grid`.

    Returns
    -------
    int
        A day's steps below a day (24 for hours), 60 for seconds, 7 for days, 5 for business days, 52 for weeks, 12 for
        months, 4 for quarters, and 1 for years, integers and whatever else.

    Examples
    --------
    >>> season_length("30min"), season_length("ME"), season_length(None)
    (48, 12, 1)
    """
    if freq is None or isinstance(freq, int):
        return 1
    offset = parse_frequency(freq)
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        step = pd.Timedelta(offset)
        return _fits_into(pd.Timedelta(days=1) if step >= pd.Timedelta(minutes=1) else pd.Timedelta(minutes=1), step)
    if isinstance(offset, Day) and offset.n == 7:
        return 52
    if type(offset) is pd.DateOffset:
        return _season_of_parts(offset)
    try:
        season = _SEASONS.get(offset.rule_code.split("-")[0], 1)
    except NotImplementedError:  # Easter has no code
        return 1
    return season // offset.n if season % offset.n == 0 else 1


def _season_of_parts(offset: BaseOffset) -> int:
    """The season of an offset of words, such as months=1, as that of the alias for one of them; 1 for several."""
    aliases = {"months": "ME", "weeks": "W", "days": "D", "hours": "h", "minutes": "min", "seconds": "s"}
    if len(offset.kwds) != 1 or not set(offset.kwds) <= set(aliases):
        return 1
    ((word, n),) = offset.kwds.items()
    return season_length(f"{n * offset.n}{aliases[word]}")


def _fits_into(season: pd.Timedelta, step: pd.Timedelta) -> int:
    return int(season / step) if season % step == pd.Timedelta(0) else 1
