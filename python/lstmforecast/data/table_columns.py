"""Finds the columns of a table by name, those of its index too, and reads one as times."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast.data.frames import SERIES, TIME, table_to_pandas
from lstmforecast.data.time_parsing import read_times


def opened(table: Any, series: Any, time: Any, *, or_none: bool = False) -> tuple[Any, Any, list[Any] | None]:
    """A table of pandas whose series and times are columns.

    Also returns the library that it comes from, as a function of the names of these two, and their names if they were
    the index.
    """
    frame, native = table_to_pandas(table)
    if not isinstance(frame, pd.DataFrame):
        if or_none:
            return None, None, None
        raise TypeError(f"expected a table whose columns have names, such as a DataFrame, got {type(table).__name__}")
    index = frame.index
    if not frame.columns.is_unique:
        twice = list(frame.columns[frame.columns.duplicated()].unique())
        raise ValueError(f"expected every column name of the table once, got {twice} more than once")
    wanted, usual = [series, time], [SERIES, TIME]
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or (time is not None and index.name == time):
        wanted, usual = [time], [TIME]
    elif not (isinstance(index, pd.MultiIndex) and index.nlevels == 2):
        return frame, native, None
    names = [
        own if own is not None else name if name is not None else other
        for name, own, other in zip(wanted, index.names, usual, strict=True)
    ]
    if {*names, *(name for name in wanted if name is not None)} & set(frame.columns):
        # the names are those of columns, and the index is of no use
        return frame.reset_index(drop=True), native, None
    return frame.reset_index(names=names), native, [None, *names][-2:]


def keys_of(frame: pd.DataFrame, of_index: list[Any] | None, series: Any, time: Any) -> tuple[Any, Any]:
    """The columns of series and of times: those that were named, those of the index, or the usual ones."""
    labels: list[Hashable] = list(frame.columns)
    usual = of_index or [name if name in labels else None for name in (SERIES, TIME)]
    given = [name if name is not None else other for name, other in zip((series, time), usual, strict=True)]
    if given[1] is None:
        raise ValueError(f"expected time= to name the column of times, got None; the table has {labels}")
    for name, label in zip(("series", "time"), given, strict=True):
        if label is not None:
            _check_known(name, label, labels)
    return given[0], given[1]


def labels_of(name: str, given: Any, labels: list[Hashable]) -> tuple[Hashable, ...]:
    """The labels of a role: none, one or a list."""
    if given is None:
        return ()
    if isinstance(given, np.ndarray) and given.ndim == 1:
        # names of Python's types
        given = pd.Index(given)
    listed = list(given) if isinstance(given, list | tuple | pd.Index | np.ndarray) else [given]
    for label in listed:
        _check_known(name, label, labels)
    if len(set(listed)) < len(listed):
        raise ValueError(f"expected every column of {name} once, got {listed}")
    return tuple(listed)


def _check_known(name: str, label: Any, labels: list[Hashable]) -> None:
    if not isinstance(label, Hashable):
        raise TypeError(f"expected {name} to name columns of the table, got {label!r}")
    if label not in labels:
        close = difflib.get_close_matches(str(label), [str(each) for each in labels], 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"expected {name} to name columns of the table, {labels}, got {label!r}{hint}")


def times_of(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    """A column as times or integers; text is read as in the files of the command line."""
    types = pd.api.types
    if isinstance(column.dtype, pd.ArrowDtype) and not types.is_integer_dtype(column.dtype):
        column = column.astype(object)
    if types.is_object_dtype(column.dtype):
        # integers, times and periods
        column = column.infer_objects()
    if types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype):
        if column.isna().any():
            # refused by the caller
            return column
        if column.map(lambda each: isinstance(each, str)).all():
            try:
                return pd.Series(read_times(column.reset_index(drop=True), None, name), column.index)
            except ValueError as error:
                raise ValueError(
                    f"expected times in column {column.name!r} of {name}, or text whose order of day and month is "
                    f"unambiguous, got {column.iloc[0]!r}; convert it with "
                    f"pd.to_datetime(df[{column.name!r}], format=...)"
                ) from error
        wrong = [each for each in column if not isinstance(each, datetime.date | np.datetime64)]
        try:
            if not wrong:
                return pd.to_datetime(column)
        except (TypeError, ValueError) as error:
            raise TypeError(f"expected times in column {column.name!r} of {name}, got {column.iloc[0]!r}") from error
        raise TypeError(f"expected times in column {column.name!r} of {name}, got {wrong[0]!r} among other types")
    is_time = types.is_datetime64_any_dtype(column.dtype) or isinstance(column.dtype, pd.PeriodDtype)
    if not is_time and not (types.is_integer_dtype(column.dtype) and not types.is_bool_dtype(column.dtype)):
        raise TypeError(
            f"expected times or integers in column {column.name!r} of {name}, got {column.dtype}, such as "
            f"{column.iloc[0]!r}"
        )
    return column
