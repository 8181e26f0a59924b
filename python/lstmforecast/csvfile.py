"""A CSV file as the series that a forecaster takes: chosen columns, indexed by their times."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_series"]


def read_series(
    source: str | Path | TextIO,
    time: str | None = None,
    targets: Sequence[str] | None = None,
    *,
    separator: str = ",",
    time_format: str | None = None,
) -> pd.DataFrame:
    """Read columns of a CSV file with a header as a time series.

    Parameters
    ----------
    source : path or open text file
        The file.
    time : str, optional
        The column of times. Without it the rows are numbered from 0.
    targets : sequence of str, optional
        The columns of the series, in this order; all but ``time`` if not given.
    separator : str
        What stands between columns.
    time_format : str, optional
        How the times are written, as for `datetime.datetime.strptime`; recognised if not given.

    Returns
    -------
    pandas.DataFrame of shape (n, n_targets)
        With a DatetimeIndex named ``time``, or a RangeIndex.

    Raises
    ------
    OSError
        If the file can't be read.
    ValueError
        If it is no CSV table, lacks a column (those that it has are listed), or holds something that is no time (its
        line is named).
    """
    name = "standard input" if hasattr(source, "read") else str(source)
    table = _read_table(source, name, separator, time)
    for column in ([] if time is None else [time]) + list(targets or []):
        if column not in table.columns:
            listed = ", ".join(repr(str(other)) for other in table.columns)
            raise ValueError(f"{name} has no column {column!r}; it has {listed}")
    if time is not None:
        table.index = _times(table.pop(time), time_format, name)
    return table if targets is None else table[list(dict.fromkeys(targets))]


def _read_table(source: str | Path | TextIO, name: str, separator: str, time: str | None) -> pd.DataFrame:
    # Times are read as text: pandas would take 19580329 for nanoseconds.
    types = None if time is None else {time: str}
    try:
        return pd.read_csv(source, sep=separator, dtype=types)
    except OSError as error:
        raise OSError(f"can't read {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{name} is not a CSV table: {error}") from error


def _times(column: pd.Series[Any], time_format: str | None, name: str) -> pd.DatetimeIndex:
    times = _parse(column, time_format)
    if times.isna().any() and time_format is None:
        # Midnight is often written without its hour: ISO 8601 allows that from line to line.
        times = _parse(column, "ISO8601")
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        # Line 1 of the file is the header.
        raise ValueError(
            f"{name}, line {row + 2}: can't read {column.iloc[row]!r} in column {column.name!r} as a time; say how "
            "times are written (time_format), or number the rows by naming no column of times"
        )
    return pd.DatetimeIndex(times, name=column.name)


def _parse(column: pd.Series[Any], time_format: str | None) -> pd.Series[Any]:
    with warnings.catch_warnings():
        # pandas warns where it sees no common format and parses each time by itself: slow, but right.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return pd.to_datetime(column, format=time_format, errors="coerce")
        except ValueError:  # offsets from UTC that differ from line to line, as over a change of summer time
            return pd.to_datetime(column, format=time_format, errors="coerce", utc=True)
