"""Reads columns of a table file, of CSV, Excel or Parquet, as a time series or as a table with named columns."""

from __future__ import annotations

import io
import reprlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import pandas as pd

from lstmforecast.data.csv_layout import WHITE_SPACE, find_layout
from lstmforecast.data.file_content import Content, encoding_of, read_content
from lstmforecast.data.time_parsing import read_times
from lstmforecast.data.typed_files import parquet_table, workbook_table
from lstmforecast.data.written_numbers import Notation, Text

__all__ = ["TableFormat", "read_columns", "read_series"]

# The number of columns that a message lists at most.
MOST_LISTED = 12
# Bytes at the beginning that the layout is found in.
_HEAD = 2**17


@dataclass(frozen=True)
class TableFormat:
    """What was said about the way in which a table is written; None is found in the file.

    Attributes
    ----------
    separator : str or None
        The character between columns, or the pattern for any white space.
    decimal : {".", ","} or None
        The decimal sign.
    thousands : {",", ".", " ", "'"} or None
        The sign between groups of three digits; None: any sign but the decimal one.
    encoding : str or None
        The encoding of the text.
    time_format : str or None
        The format of times, as for `datetime.datetime.strptime`; ``"seconds"`` or ``"milliseconds"`` since 1970.
    day_first : bool
        Whether dates such as 03/04/2026 begin with the day.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    time_format: str | None = None
    day_first: bool = False


def read_series(
    source: str | Path | IO[Any],
    time: str | None = None,
    targets: Sequence[str] | None = None,
    written: TableFormat | None = None,
) -> pd.DataFrame:
    """Read columns of a file with a header as a time series.

    Parameters
    ----------
    source : path or open file
        The file.
    time : str, optional
        The column of times; without it rows are numbered from 0.
    targets : sequence of str, optional
        The columns of the series, in this order; default: all but ``time``.
    written : TableFormat, optional
        How the file is written; default: all is found.

    Returns
    -------
    pandas.DataFrame of shape (n, n_targets)
        With a DatetimeIndex named ``time``, or a RangeIndex.

    Raises
    ------
    OSError
        If the file can't be read.
    ImportError
        For Excel or Parquet without the library that reads it.
    ValueError
        If the file is no table or lacks a column, a value is no time, or the order of day and month or the decimal sign
        is uncertain.
    """
    table = _Table.read(source, written or TableFormat())
    if time in (targets or []):
        raise ValueError(f"expected a column of numbers as target, got {time!r}, which is the column of times")
    if targets is None:
        table.check_header()
    chosen = [name for name in table.columns if name != time] if targets is None else list(dict.fromkeys(targets))
    table.check_columns([*([] if time is None else [time]), *chosen])
    frame = pd.DataFrame({name: table.numbers(name, time) for name in chosen}, table.columns_of_text.index)
    if time is not None:
        frame.index = table.times(time)
    return frame


def read_columns(
    source: str | Path | IO[Any],
    time: str,
    columns: Sequence[str],
    written: TableFormat | None = None,
    *,
    labels: Mapping[str, bool | None] | None = None,
) -> pd.DataFrame:
    """Read columns of a file with a header: one as times, the others as numbers, truth values or words.

    Parameters
    ----------
    source, time, written
        As in `read_series`.
    columns : sequence of str
        The columns to read, ``time`` among them.
    labels : dict of bool or None, optional
        Columns of names, and whether they are read as text, so that they agree with those of another table; None: as
        whole numbers, unless these would lose a digit, as in 007.

    Returns
    -------
    pandas.DataFrame of shape (n, n_columns)

    Raises
    ------
    OSError, ImportError, ValueError
        As in `read_series`.
    """
    table = _Table.read(source, written or TableFormat())
    table.check_columns(columns)
    names = labels or {}
    made = {
        name: table.labels(name, names[name]) if name in names else table.numbers(name, time)
        for name in columns
        if name != time
    }
    made[time] = pd.Series(table.times(time), table.columns_of_text.index)
    return pd.DataFrame({name: made[name] for name in columns}, table.columns_of_text.index)


@dataclass(frozen=True)
class _Table:
    """A file as columns of text, or of types where the file has types; columns are numbered."""

    columns_of_text: pd.DataFrame
    columns: list[str]
    file: str
    first_line: int
    written: TableFormat
    # The decimal sign that the separator of columns tells.
    decimal: Callable[[], str | None] | None
    has_header: bool

    @classmethod
    def read(cls, source: str | Path | IO[Any], written: TableFormat) -> _Table:
        file = "standard input" if hasattr(source, "read") else str(source)
        content = read_content(source, file)
        if content.kind == "text":
            return _of_text(content, file, written)
        _refuse(written, ("separator", "encoding"), file, content.kind)
        if content.kind == "xlsx":
            frame, names, first_line, has_header = workbook_table(content.data, file)
            return cls(frame, names, file, first_line, written, None, has_header)
        _refuse(written, ("decimal", "thousands"), file, content.kind)
        frame, names = parquet_table(content.data, file)
        return cls(frame, names, file, 1, written, None, True)

    def check_header(self) -> None:
        """Raise a ValueError where the first row may be one of values, and its names are not named by the user."""
        if not self.has_header:
            listed = ", ".join(map(repr, self.columns[:3]))
            raise ValueError(f"{self.file}: expected a line with the names of columns above the rows, got {listed}")

    def check_columns(self, needed: Iterable[str]) -> None:
        """Raise a ValueError for a column that isn't there, or is there twice."""
        for name in needed:
            if (n := self.columns.count(name)) > 1:
                raise ValueError(f"{self.file}: expected one column {name!r}, got {n}; give each another name")
            if n == 0:
                listed = ", ".join(reprlib.repr(other) for other in self.columns[:MOST_LISTED])
                rest = len(self.columns) - MOST_LISTED
                listed += f" and {rest} more" if rest > 0 else ""
                raise ValueError(f"{self.file} has no column {name!r}; it has {listed}")

    def text(self, place: int) -> Text | None:
        """A column by its number, if it is text."""
        column = self.columns_of_text[place].rename(self.columns[place])
        return Text(column, self.file, self.first_line) if pd.api.types.is_string_dtype(column.dtype) else None

    def typed(self, name: str) -> pd.Series[Any]:
        return self.columns_of_text[self.columns.index(name)].rename(name)

    def numbers(self, name: str, time: str | None) -> pd.Series[Any]:
        text = self.text(self.columns.index(name))
        if text is None:
            return self.typed(name)
        notation = Notation(self.written.decimal, self.written.thousands)
        return text.numbers(notation, lambda: self._decimal_of_others(name, time))

    def labels(self, name: str, as_text: bool | None) -> pd.Series[Any]:
        text = self.text(self.columns.index(name))
        if text is not None:
            return text.labels(as_text=as_text)
        typed = self.typed(name)
        return typed.astype("str").where(typed.notna()) if as_text else typed

    def _decimal_of_others(self, name: str, time: str | None) -> str | None:
        """The decimal sign that all other columns show which show one."""
        texts = [self.text(i) for i, other in enumerate(self.columns) if other not in (name, time)]
        shown = {sign for text in texts if text is not None and (sign := text.shown_decimal()) is not None}
        if not shown and self.decimal is not None:
            return self.decimal()
        return shown.pop() if len(shown) == 1 else None

    def times(self, name: str) -> pd.DatetimeIndex:
        column = self.typed(name)
        is_time = pd.api.types.is_datetime64_any_dtype(column.dtype)
        if is_time and not column.isna().any():
            _refuse(self.written, ("time_format", "day_first"), self.file, "a column of times")
            return pd.DatetimeIndex(column, name=name)
        if is_time:
            column = column.astype("str")
        elif not pd.api.types.is_string_dtype(column.dtype):
            column = column.astype("str").str.removesuffix(".0")
        return read_times(
            column.rename(name),
            self.written.time_format,
            self.file,
            day_first=self.written.day_first,
            epochs=True,
            first_line=self.first_line,
        )


_KINDS = {"xlsx": "an Excel file", "parquet": "a Parquet file"}


def _refuse(written: TableFormat, options: Iterable[str], file: str, kind: str) -> None:
    """Raise a ValueError for what was said about text where there is none."""
    for option in options:
        if getattr(written, option):
            said = f"--{option.replace('_', '-')}"
            raise ValueError(
                f"expected {said} with text only, got it with {file}, {_KINDS.get(kind, 'which has ' + kind)}"
            )


def _of_text(content: Content, file: str, written: TableFormat) -> _Table:
    encoding = encoding_of(content.data, written.encoding, file)
    head = content.data[:_HEAD].decode(encoding, errors="ignore")
    if len(content.data) > _HEAD:
        head = head[: head.rfind("\n") + 1] or head
    layout = find_layout(head, written.separator, file)
    try:
        with warnings.catch_warnings():
            # of rows longer than the header pandas would take the first fields as an index, or drop the last ones
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(content.data),
                sep=layout.separator,
                encoding=encoding,
                skiprows=layout.skipped,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                index_col=False,
                skipinitialspace=layout.separator != WHITE_SPACE,
            )
    except pd.errors.ParserWarning as error:
        raise ValueError(f"{file} is not a CSV table: rows have more fields than the header ({error})") from error
    except ValueError as error:
        raise ValueError(f"{file} is not a CSV table: {' '.join(str(error).split())}") from error
    if layout.separator == WHITE_SPACE and (short := frame.isna().any(axis=1)).any():
        # a value that is missing within a row would move those after it
        line = layout.first_line + int(short.to_numpy().argmax())
        raise ValueError(f"{file}: expected {len(layout.names)} fields in every line, got fewer in line {line}")
    # rows with fewer fields
    frame = frame.fillna("").apply(lambda column: column.str.strip())
    frame.columns = pd.RangeIndex(frame.shape[1])
    n = len(layout.names)
    if frame.shape[1] != n and (frame.shape[1] < n or (frame.iloc[:, n:] != "").to_numpy().any()):
        raise ValueError(f"{file} is not a CSV table: rows have more fields than the header")
    frame = frame.iloc[:, :n]
    used = (frame != "").any(axis=1).to_numpy()
    # rows of separators alone, as Excel writes them below a table
    frame = frame.iloc[: len(used) - int(used[::-1].argmax())] if used.any() else frame.iloc[:0]
    decimal = partial(_decimal_of_commas, content.data, encoding) if layout.separator == "," else None
    return _Table(frame, layout.names, file, layout.first_line, written, decimal, layout.is_sure)


def _decimal_of_commas(data: bytes, encoding: str) -> str | None:
    """The decimal point of a file whose columns are separated by commas; None if numbers in quotes may have others."""
    quoted = data.decode(encoding).split('"')[1::2]
    return None if any(part and not part.strip("-+0123456789., ") for part in quoted) else "."
