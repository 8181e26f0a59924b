"""A CSV file as the series that a forecaster takes: chosen columns, indexed by their times."""

from __future__ import annotations

import reprlib
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from lstmforecast.data.time_parsing import read_times

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_series"]

# So many columns are named in a message.
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
        The column of times. Without it the rows are numbered from 0.
    targets : sequence of str, optional
        The columns of the series, in this order; all but ``time`` if not given.
    separator : str
        What stands between columns.
    time_format : str, optional
        How the times are written, as for `datetime.datetime.strptime`; recognised if not given, in one order of day and
        month for the whole column.

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
        line is named), or times whose day and month can be taken for each other.
    """
    name = "standard input" if hasattr(source, "read") else str(source)
    table = _read_table(source, name, separator, time)
    for column in ([] if time is None else [time]) + list(targets or []):
        if column not in table.columns:
            listed = ", ".join(reprlib.repr(str(other)) for other in table.columns[:MOST_LISTED])
            listed += f" and {len(table.columns) - MOST_LISTED} more" if len(table.columns) > MOST_LISTED else ""
            raise ValueError(f"{name} has no column {column!r}; it has {listed}")
    if time in (targets or []):
        raise ValueError(f"expected a column of numbers as target, got {time!r}, which is the column of times")
    if time is not None:
        table.index = read_times(table.pop(time), time_format, name)
    return table if targets is None else table[list(dict.fromkeys(targets))]


def _read_table(source: str | Path | IO[Any], name: str, separator: str, time: str | None) -> pd.DataFrame:
    # Times are read as text: pandas would take 19580329 for nanoseconds.
    types = None if time is None else {time: str}
    try:
        with warnings.catch_warnings():
            # rows longer than the header: their first fields would become an index, or their last ones be dropped
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(source, sep=separator, dtype=types, index_col=False)
    except pd.errors.ParserWarning as error:
        raise ValueError(f"{name} is not a CSV table: rows have more fields than the header ({error})") from error
    except OSError as error:
        raise OSError(f"can't read {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{name} is not a CSV table: {error}") from error
