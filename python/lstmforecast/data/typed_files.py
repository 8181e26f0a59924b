"""Tables of Excel and Parquet, whose cells have types; their libraries are optional."""

from __future__ import annotations

import datetime
import decimal
import io
import re
from typing import Any

import pandas as pd

from lstmforecast.data.csv_layout import header_of


def parquet_table(data: bytes, file: str) -> tuple[pd.DataFrame, list[str]]:
    """Read a Parquet file: columns by number, and their names.

    Raises
    ------
    ImportError
        Without pyarrow.
    ValueError
        If it is damaged.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f'{file} is a Parquet file, which needs pyarrow: pip install "lstmforecast[files]"'
        ) from error
    try:
        read = parquet.read_table(io.BytesIO(data))
        frame = read.to_pandas(ignore_metadata=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{file} is a damaged Parquet file: {error}") from error
    names = [str(name) for name in frame.columns]
    frame.columns = pd.RangeIndex(len(names))
    return pd.DataFrame({place: _typed(frame[place]) for place in frame}, frame.index), names


def workbook_table(data: bytes, file: str) -> tuple[pd.DataFrame, list[str], int, bool]:
    """Read an Excel file: columns by number, their names, the line of the first row, whether there is a header.

    Raises
    ------
    ImportError
        Without openpyxl.
    ValueError
        If it is damaged, several sheets have cells, or no row has the names of columns.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise ImportError(
            f'{file} is an Excel file, which needs openpyxl: pip install "lstmforecast[files]"'
        ) from error
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}
    # a damaged workbook raises errors of many kinds, of zip archives, XML and openpyxl
    except Exception as error:
        raise ValueError(f"{file} is a damaged Excel file: {' '.join(str(error).split())}") from error
    filled = {title: rows for title, rows in sheets.items() if any(cell is not None for row in rows for cell in row)}
    if len(filled) != 1:
        got = ", ".join(map(repr, filled)) or "none"
        raise ValueError(f"expected one sheet with cells in {file}, got {got}; save the sheet of the table apart")
    (rows,) = filled.values()
    width = max(len(row) for row in rows)
    rows = [row + [None] * (width - len(row)) for row in rows]
    while all(cell is None for cell in rows[-1]):
        rows.pop()
    used = [i for i in range(width) if any(row[i] is not None for row in rows)]
    cells = [[row[i] for i in used] for row in rows]
    place, names, is_sure = header_of([[_as_text(cell) for cell in row] for row in cells], file)
    body = pd.DataFrame(cells[place + 1 :], columns=pd.RangeIndex(len(used)), dtype=object)
    for i, name in enumerate(names):
        _refuse_texts_among_numbers(body[i], name, file, place + 2)
    return pd.DataFrame({i: _typed(body[i]) for i in body}, body.index), names, place + 2, is_sure


def _refuse_texts_among_numbers(column: pd.Series[Any], name: str, file: str, first_line: int) -> None:
    """Raise a ValueError for a text such as 1.250 among cells of numbers, which don't tell how to read it."""
    if not any(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in column):
        return
    for row, cell in enumerate(column):
        if isinstance(cell, str) and re.search(r"\d[.,]\d", cell):
            raise ValueError(
                f"{file}: expected numbers in column {name!r}, got the text {cell!r} (line {row + first_line}) among "
                "them; make it a number in the sheet"
            )


def _as_text(cell: Any) -> str:
    """A cell as a program would write it to CSV."""
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell).strip()


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers, truth values or times where all cells are; otherwise text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if not pd.api.types.is_object_dtype(column.dtype) and not pd.api.types.is_string_dtype(column.dtype):
        return column
    there = [cell for cell in column if not pd.isna(cell)]
    if there and all(isinstance(cell, int | float | decimal.Decimal) and not isinstance(cell, bool) for cell in there):
        return pd.to_numeric(
            column.map(
                lambda cell: None if pd.isna(cell) else float(cell) if isinstance(cell, decimal.Decimal) else cell
            )
        )
    if len(there) == len(column) and there:
        if all(isinstance(cell, bool) for cell in there):
            return column.astype(bool)
        if all(isinstance(cell, datetime.date) for cell in there):
            return pd.to_datetime(column)
    return column.map(lambda cell: "" if pd.isna(cell) else _as_text(cell)).astype("str")
