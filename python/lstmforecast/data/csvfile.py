"""Reads columns of a CSV file as a time series."""

from __future__ import annotations

import reprlib
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from lstmforecast.data.time_parsing import read_times

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_columns", "read_series"]

# The number of columns that a message lists at most.
MOST_LISTED = 12


def read_series(
    source: str | Path | IO[Any],
    time: str | None = None,
    targets: Sequence[str] | None = None,
    *,
    separator: str = ",",
    time_format: str | None = None,
) -> pd.DataFrame:
    """Read columns of a CSV file with a header as a time series.

    Parameters
    ----------
    source : path or open file
        The file.
    time : str, optional
        The column of times; without it rows are numbered from 0.
    targets : sequence of str, optional
        The columns of the series, in this order; default: all but ``time``.
    separator : str
        The separator of columns.
    time_format : str, optional
        The format of the times, as for `datetime.datetime.strptime`. Default: the format is detected, with one order of
        day and month for the whole column.

    Returns
    -------
    pandas.DataFrame of shape (n, n_targets)
        With a DatetimeIndex named ``time``, or a RangeIndex.

    Raises
    ------
    OSError
        If the file can't be read.
    ValueError
        If the file is no CSV table or lacks a column, a value is no time, or the order of day and month is ambiguous.
    """
    name = "standard input" if hasattr(source, "read") else str(source)
    table = _read_table(source, name, separator, time)
    _check_columns(table, ([] if time is None else [time]) + list(targets or []), name)
    if time in (targets or []):
        raise ValueError(f"expected a column of numbers as target, got {time!r}, which is the column of times")
    if time is not None:
        table.index = read_times(table.pop(time), time_format, name)
    return table if targets is None else table[list(dict.fromkeys(targets))]


def read_columns(
    source: str | Path | IO[Any],
    time: str,
    columns: Sequence[str],
    *,
    separator: str = ",",
    time_format: str | None = None,
) -> pd.DataFrame:
    """Read columns of a CSV file with a header as they stand, and one of them as times.

    Parameters
    ----------
    source, time, separator, time_format
        As in `read_series`.
    columns : sequence of str
        The columns to read, ``time`` among them.

    Returns
    -------
    pandas.DataFrame of shape (n, n_columns)

    Raises
    ------
    OSError, ValueError
        As in `read_series`.
    """
    name = "standard input" if hasattr(source, "read") else str(source)
    table = _read_table(source, name, separator, time)
    _check_columns(table, columns, name)
    return table[list(columns)].assign(**{time: read_times(table[time], time_format, name)})


def _check_columns(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        if column not in table.columns:
            listed = ", ".join(reprlib.repr(str(other)) for other in table.columns[:MOST_LISTED])
            listed += f" and {len(table.columns) - MOST_LISTED} more" if len(table.columns) > MOST_LISTED else ""
            raise ValueError(f"{name} has no column {column!r}; it has {listed}")


def _read_table(source: str | Path | IO[Any], name: str, separator: str, time: str | None) -> pd.DataFrame:
    # times as text, because pandas would read 19580329 as nanoseconds
    types = None if time is None else {time: str}
    try:
        with warnings.catch_warnings():
            # of rows longer than the header pandas would take the first fields as an index, or drop the last ones
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(source, sep=separator, dtype=types, index_col=False)
    except pd.errors.ParserWarning as error:
        raise ValueError(f"{name} is not a CSV table: rows have more fields than the header ({error})") from error
    except OSError as error:
        raise OSError(f"can't read {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{name} is not a CSV table: {error}") from error
