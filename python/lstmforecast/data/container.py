"""Reads the numbers of a list, array, Series or DataFrame, and describes the container for results."""

from __future__ import annotations

import numbers
import reprlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.frames import Origin

# Sums of squares, in deviations and regressions, stay far below the limit of double precision.
MOST_VALUE = 1e100


@dataclass(frozen=True)
class Form:
    """The kind of a container, so that results can be returned in the same kind.

    Attributes
    ----------
    kind : {"vector", "matrix", "series", "frame"}
        Array of shape (n,), array of shape (n, k), Series or DataFrame.
    dtype : {"float32", "float64"}
        The type of the results.
    columns : pandas.Index of shape (k,) or None
        A frame's columns, or a Series' name alone; None for arrays.
    origin : Origin or None
        The library of the container; None for pandas and arrays.
    """

    kind: str
    dtype: str
    columns: pd.Index | None
    origin: Origin | None = None

    def give_back(self, values: NDArray[np.float64], index: pd.Index | None) -> Any:
        """Put ``values`` (n, k) and ``index`` (n,) into a container of this kind; any frame is one of pandas."""
        values = values.astype(self.dtype, copy=False)
        if self.kind == "frame":
            return pd.DataFrame(values, index=index, columns=self.columns)
        if self.kind == "series":
            assert self.columns is not None
            return pd.Series(values[:, 0], index=index, name=self.columns[0])
        return values[:, 0] if self.kind == "vector" else values

    def finish(self, result: Any) -> Any:
        """Convert a result to the library of the data."""
        return result if self.origin is None else self.origin.give_back(result)

    def variables(self, n_columns: int) -> pd.Index:
        """The names of the variables: those of the columns, or numbers."""
        if self.columns is None or self.columns[0] is None:
            return pd.RangeIndex(n_columns)
        labels: pd.Index = pd.Index(list(self.columns), tupleize_cols=False)
        return labels

    def label(self, column: int) -> str:
        """The name of a column in a message."""
        return f"{column}" if self.columns is None else f"{self.columns[column]!r}"


def read_table(y: Any, name: str = "y", origin: Origin | None = None) -> tuple[NDArray[np.float64], Form]:
    """Read the numbers of a container, missing ones as NaN.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k), Series or DataFrame
        Real numbers of any type and memory layout, nullable types included.
    name : str
        The name of the data in messages.
    origin : Origin or None
        The library of the data. Messages recommend code for pandas only.

    Returns
    -------
    table : ndarray of shape (n, k), float64, C-contiguous
    form : Form

    Raises
    ------
    TypeError
        If a column is not numeric, or ``y`` is no dense array.
    ValueError
        If ``y`` is empty or ragged, has more than two dimensions or two columns of the same name, or a value exceeds
        1e100.
    """
    if isinstance(y, pd.DataFrame):
        kind, columns, table = "frame", y.columns, y
        if not columns.is_unique:
            twice = list(columns[columns.duplicated()].unique())
            raise ValueError(f"expected every column name of {name} once, got {twice} more than once")
    elif isinstance(y, pd.Series):
        kind, columns, table = "series", pd.Index([y.name], dtype=object, tupleize_cols=False), y.to_frame()
    else:
        array = _read_array(y, name)
        kind, columns = ("vector" if array.ndim == 1 else "matrix"), None
        if array.dtype.kind in "fiu" and array.size:
            narrow = array.dtype.kind == "f" and array.dtype.itemsize <= 4
            form = Form(kind, "float32" if narrow else "float64", None)
            # a shortcut for the usual case: through pandas it would take longer than the network
            values = np.ascontiguousarray(array.reshape(len(array), -1), np.float64)
            return _of_usable_size(values, name, form, None), form
        table = pd.DataFrame(array)
    if table.empty:
        raise ValueError(f"expected {name} with at least one row and one column, got shape {np.shape(y)}")
    narrow = all(str(dtype).lower() in ("float32", "float16") for dtype in table.dtypes)
    form = Form(kind, "float32" if narrow else "float64", columns, origin)
    index = y.index if columns is not None else None
    return _of_usable_size(_numbers(table, form, name), name, form, index), form


def _read_array(y: Any, name: str) -> NDArray[Any]:
    if hasattr(y, "toarray") and hasattr(y, "nnz"):
        raise TypeError(
            f"expected {name} as a dense array, got a sparse {type(y).__name__}; convert it with .toarray()"
        )
    try:
        # np.asarray would drop the mask of a masked array
        array = np.ma.filled(np.ma.asarray(y, np.float64), np.nan) if np.ma.isMaskedArray(y) else np.asarray(y)
    except ValueError as error:
        raise ValueError(
            f"expected all rows of {name} to have the same length, got {type(y).__name__}: {error}"
        ) from error
    if array.ndim == 0:
        raise TypeError(f"expected {name} as array, list, Series or DataFrame, got {type(y).__name__}")
    if array.ndim > 2:
        raise ValueError(f"expected {name} of shape (n,) or (n, k), got {array.shape}")
    return array


def _numbers(table: pd.DataFrame, form: Form, name: str) -> NDArray[np.float64]:
    columns = [table.iloc[:, i] for i in range(table.shape[1])]
    wrong = [i for i, column in enumerate(columns) if not _holds_numbers(column)]
    if wrong:
        got = ", ".join(f"{form.label(i)} ({columns[i].dtype}, such as {_first_wrong(columns[i])})" for i in wrong)
        raise TypeError(
            f"expected numbers in every column of {name}, got {got}; "
            + _ways_to_numbers(table, wrong, form, name)
            # of a table as people have it
            + (", or name the columns in target=, series= and time=" if name == "y" and form.kind == "frame" else "")
        )
    if any(column.dtype.kind == "O" for column in columns):
        return np.column_stack([_floats(column) for column in columns])
    return np.ascontiguousarray(table.to_numpy(dtype=np.float64, na_value=np.nan))


def _first_wrong(column: pd.Series) -> str:
    """The first value that is no number, with its row if other rows are numbers."""
    readable = np.array([_is_missing(value) or _is_readable(value) for value in column])
    if readable.all() or not readable.any():
        return reprlib.repr(column.iloc[0])
    row = int(np.argmin(readable))
    return f"{reprlib.repr(column.iloc[row])} at {row_name(column.index, row)}"


def _is_readable(value: Any) -> bool:
    """Whether a value is a number, or text that can be read as one."""
    if not isinstance(value, str):
        return is_number(value)
    try:
        float(value)
    except ValueError:
        return False
    return True


def _ways_to_numbers(table: pd.DataFrame, wrong: list[int], form: Form, name: str) -> str:
    if form.columns is None or form.origin is not None or not name.isidentifier():
        return "convert or drop what is no number"
    times = [i for i in wrong if pd.api.types.is_datetime64_any_dtype(table.dtypes.iloc[i])]
    if times:
        return f"make a column of times the index with {name}.set_index({form.columns[times[0]]!r})"
    numbers_in = [i for i in wrong if any(_is_readable(value) for value in table.iloc[:, i])]
    others = [form.columns[i] for i in wrong if i not in numbers_in]
    if not others or form.kind == "series":
        label = form.columns[wrong[0]]
        one = f"{name}[{label!r}]" if form.kind == "frame" else name
        read = f"pd.to_numeric({one}, errors='coerce')"
        code = f"{name}.assign(**{{{label!r}: {read}}})" if form.kind == "frame" else read
        return f"make what is no number missing with {code}"
    return f"drop or convert what is no number, e.g. with {name}.drop(columns={others!r})"


def _holds_numbers(column: pd.Series) -> bool:
    types, dtype = pd.api.types, column.dtype
    if types.is_object_dtype(dtype):
        return all(_is_missing(value) or is_number(value) for value in column)
    return types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) and not types.is_complex_dtype(dtype)


def row_name(index: pd.Index | None, row: int) -> str:
    """A row in a message: its label, its series in a panel, and its number."""
    if index is None or (isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1):
        return f"row {row}"
    label = index[row]
    if isinstance(index, pd.MultiIndex) and index.nlevels == 2:
        # a Python value, because np.int64(7) has that for its repr
        series = index[row : row + 1].get_level_values(0).tolist()[0]
        return f"{label[1]} of series {series!r} (row {row})"
    return f"{label} (row {row})"


def place(mask: NDArray[np.bool_], what: str, index: pd.Index | None, form: Form) -> str:
    """The number of values that a mask (n, k) marks, and the place of the first, for messages."""
    row, column = (int(i) for i in np.argwhere(mask)[0])
    where = f"column {form.label(column)} at " if mask.shape[1] > 1 or form.kind in ("frame", "long") else ""
    return f"{int(mask.sum())} {what}, the first in {where}{row_name(index, row)}"


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA


def is_number(value: Any) -> bool:
    """Whether a value of a column of objects is a real number."""
    return isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool | np.bool_)


def _floats(column: pd.Series) -> NDArray[np.float64]:
    return np.array([np.nan if _is_missing(value) else _float(value) for value in column])


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _of_usable_size(values: NDArray[np.float64], name: str, form: Form, index: pd.Index | None) -> NDArray[np.float64]:
    """Return the values; raise a ValueError for a finite one whose square would overflow."""
    if values.max(initial=0.0) <= MOST_VALUE and values.min(initial=0.0) >= -MOST_VALUE:
        return values
    # NaN compares as false
    beyond = (np.abs(values) > MOST_VALUE) & np.isfinite(values)
    if beyond.any():
        row, column = (int(i) for i in np.argwhere(beyond)[0])
        where = f"column {form.label(column)} at " if values.shape[1] > 1 or form.kind == "frame" else ""
        raise ValueError(
            f"expected values of a size up to {MOST_VALUE:g} in {name}, got {values[row, column]:g} in {where}"
            f"{row_name(index, row)}; give {name} in other units"
        )
    return values
