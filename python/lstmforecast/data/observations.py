"""Reads and checks one time series of any container, and returns results in the same kind of container."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.container import Form, place, read_table, row_name
from lstmforecast.data.frames import Origin, localising, to_pandas
from lstmforecast.data.index import (
    Frequency,
    check_index,
    continue_index,
    gap_message,
    join_indexes,
    regular_grid,
)
from lstmforecast.data.panel_index import match_panel_index
from lstmforecast.data.saved_labels import (
    pack_frequency,
    pack_index,
    pack_label,
    unpack_frequency,
    unpack_index,
    unpack_label,
)

Missing = Literal["error", "mask", "ffill", "interpolate"]


@dataclass(frozen=True)
class Observations:
    """A time series as the core takes it, with its index and the kind of its container.

    Attributes
    ----------
    values : ndarray of shape (n, k), float64, C-contiguous
        Finite, or NaN where ``missing="mask"`` left it.
    index : pandas.Index of shape (n,) or None
        Sorted, without duplicates and gaps; None for arrays.
    freq : str, int, offset or None
        The frequency of the index, as found by `lstmforecast.data.index.regular_grid`.
    form : Form
        The kind of the container.
    filled : ndarray of bool of shape (n, k) or None
        Which values were missing; None if none was.
    """

    values: NDArray[np.float64]
    index: pd.Index | None
    freq: Frequency
    form: Form
    filled: NDArray[np.bool_] | None = None

    @classmethod
    def read(
        cls,
        y: Any,
        *,
        freq: Frequency = None,
        missing: Missing = "error",
        like: Observations | None = None,
        name: str = "y",
    ) -> Observations:
        """Read and check a container.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, k), Series or DataFrame
            Observations in time order; real numbers of any type, nullable types included.
        freq : str, int, offset or None
            The frequency of the index; None: inferred.
        missing : {"error", "mask", "ffill", "interpolate"}
            What is done with missing values and times: raise an error, keep them as NaN, repeat the last value before
            them, or interpolate linearly (after the last observation: repeat it).
        like : Observations or None
            Earlier data, whose columns and frequency ``y`` must have. Times are converted to their time zone.
        name : str
            The name of the data in messages.

        Raises
        ------
        TypeError
            If the values are not numeric, the index can't be continued or is of another type than that of ``like``, or
            only one of the two has a time zone.
        ValueError
            If the shape is wrong, a value is missing or infinite, times are unsorted, duplicated or missing, or
            columns or frequency are not those of ``like``.
        """
        table, form, index = _opened(y, name)
        if index is not None:
            check_index(index, _title(form, name))
        if like is not None:
            check_columns(like.form, like.n_columns, form, table.shape[1], name)
            freq = like.freq if index is not None else None
            index = like.align(index, form, name)
        elif index is None and freq is not None:
            raise ValueError(f"expected {name} with a time index for freq={freq!r}, got {type(y).__name__}")
        observations = cls._on_grid(table, form, index, freq, missing, name, is_trained=like is not None)
        if missing == "mask" and like is None:
            # after fit, a column without any value is no reason to refuse a forecast
            observations._check_columns_known(name)
        return observations._fill_missing(missing, name, is_trained=like is not None)

    @classmethod
    def _on_grid(
        cls,
        table: NDArray[np.float64],
        form: Form,
        index: pd.Index | None,
        freq: Frequency,
        missing: Missing,
        name: str,
        n_before: int = 0,
        *,
        is_trained: bool,
    ) -> Observations:
        if np.isinf(table).any():
            raise ValueError(f"expected finite values in {name}, got {place(np.isinf(table), 'infinite', index, form)}")
        if index is not None:
            grid, freq = regular_grid(index, freq, _title(form, name), n_before)
            if len(grid) > len(index) and missing == "error":
                raise ValueError(gap_message(index, grid, freq, name, is_trained=is_trained))
            table, index = _on_full_grid(table, index, grid), grid
        return cls(table, index, freq, form)

    def _fill_missing(self, missing: Missing, name: str, *, is_trained: bool) -> Observations:
        gone = np.isnan(self.values)
        if not gone.any():
            return self
        if missing == "error":
            raise ValueError(
                f"expected no missing values in {name}, got {place(gone, 'NaN', self.index, self.form)}; fill them "
                "with missing='ffill' or missing='interpolate'"
                + ("" if is_trained else ", or leave them out of the training with missing='mask'")
            )
        if missing == "mask":
            return replace(self, filled=gone)
        leading = np.logical_and.accumulate(gone, axis=0)
        if leading.any():
            raise ValueError(
                f"expected {name} to begin with values that missing={missing!r} can fill from, got "
                f"{place(leading, 'leading NaN', self.index, self.form)}; drop these rows"
            )
        table = pd.DataFrame(self.values)
        full = table.ffill() if missing == "ffill" else table.interpolate()
        return replace(self, values=np.ascontiguousarray(full.to_numpy()), filled=gone)

    def _check_columns_known(self, name: str) -> None:
        empty = np.flatnonzero(np.isnan(self.values).all(axis=0))
        if len(empty):
            raise ValueError(f"expected values in every column of {name}, got none in {self.form.label(int(empty[0]))}")

    def align(self, newer: Any, form: Form, name: str) -> Any:
        """The index of newer data, converted to the time zone of these observations."""
        if newer is None or self.index is None:
            return newer
        return match_panel_index(self.index, newer, name, self._localising(form))

    def _localising(self, form: Form) -> str:
        """Code that gives the container a time zone, for messages."""
        return localising(form.origin)

    def first_of(self, mask: NDArray[np.bool_]) -> str:
        """The first value that a mask (n, k) marks, and its place, for messages."""
        row, column = (int(i) for i in np.argwhere(mask)[0])
        where = f" in column {self.form.label(column)}" if self.n_columns > 1 else ""
        return f"{self.values[row, column]:g}{where} at {row_name(self.index, row)}"

    @property
    def truth(self) -> NDArray[np.float64]:
        """The values (n, k), NaN where a gap was filled."""
        return self.values if self.filled is None else np.where(self.filled, np.nan, self.values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_columns(self) -> int:
        """The number of variables."""
        return int(self.values.shape[1])

    def rows(self, start: int, stop: int) -> Observations:
        """Copy the rows from ``start`` to before ``stop``."""
        index = None if self.index is None else self.index[start:stop]
        filled = None if self.filled is None else self.filled[start:stop]
        return replace(self, values=self.values[start:stop].copy(), index=index, filled=filled)

    @property
    def n_series(self) -> int:
        """The number of series: one."""
        return 1

    @property
    def is_panel(self) -> bool:
        """Whether this is a panel: no."""
        return False

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of rows of each series."""
        return np.array([len(self)])

    @property
    def series_keys(self) -> pd.Index:
        """The name of each series; 0 for one series."""
        return pd.RangeIndex(1)

    def take(self, rows: NDArray[np.int64]) -> Observations:
        """Copy consecutive rows."""
        start = int(rows[0]) if len(rows) else 0
        return self.rows(start, start + len(rows))

    def last_rows(self, n: int) -> NDArray[np.int64]:
        """The numbers of the last ``n`` rows of each series, or of all its rows."""
        return np.arange(max(0, len(self) - n), len(self))

    def row_of(self, series: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers among all rows, of rows counted in each series: for one series the same numbers."""
        return rows

    def rows_after(self, before: Observations) -> NDArray[np.int64]:
        """The numbers of the rows that were not in ``before``, which these observations extend."""
        return np.arange(len(before), len(self))

    def times(self, rows: NDArray[np.int64]) -> pd.Index:
        """The times of rows; their numbers for arrays."""
        index: pd.Index = pd.RangeIndex(len(self)) if self.index is None else self.index
        return index[rows]

    def container(self) -> Any:
        """Return the observations in the kind of container that they were read from."""
        return self.form.finish(self.form.give_back(self.values, self.index))

    def future_index(self, steps: int) -> pd.Index | None:
        """The times of the steps after the end; None for arrays."""
        return None if self.index is None else continue_index(self.index, self.freq, steps)

    def continued(self, values: NDArray[np.float64]) -> Any:
        """Put forecasts of shape (n_series, steps, k) into the same kind of container, with the times after the end."""
        index = self.future_index(values.shape[1])
        return self.form.finish(self.form.give_back(values.reshape(-1, values.shape[-1]), index))

    def extended(self, newer: Any, *, missing: Missing = "error", name: str = "y") -> Observations:
        """Append newer data whose index begins after the end.

        Raises
        ------
        TypeError
            If only one of the two has an index.
        ValueError
            If the two overlap, or rows between them are missing and that is an error.
        """
        # first alone, so that messages count its own rows; missing values are filled below, from the rows before
        Observations.read(newer, missing="error" if missing == "error" else "mask", like=self, name=name)
        table, form, later = _opened(newer, name)
        check_columns(self.form, self.n_columns, form, table.shape[1], name)
        if later is not None and self.index is None:
            raise TypeError(f"expected {name} as an array, as at fit, got a {type(newer).__name__}")
        index = self.index
        if index is not None:
            if later is not None:
                check_index(later, name)
            later = self.align(later, form, name)
            later = continue_index(index, self.freq, len(table)) if later is None else later
            index = join_indexes(index, later, name)
        both = np.concatenate([self.values, table])
        joined = self._on_grid(both, self.form, index, self.freq, missing, name, len(self), is_trained=True)
        joined = joined._fill_missing(missing, name, is_trained=True)
        if self.filled is None:
            return joined
        # values that were filled before are still not observed
        filled = np.zeros(joined.values.shape, bool) if joined.filled is None else joined.filled
        filled[: len(self)] |= self.filled
        return replace(joined, filled=filled)

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Write as tensors and plain values for model files; raise a ``ValueError`` for labels that can't be saved."""
        stamps, index = pack_index(self.index)
        tensors = {"values": self.values, "index": stamps}
        if self.filled is not None:
            tensors["filled"] = self.filled.astype(np.int64)
        return tensors, {
            "form": pack_columns(self.form),
            "index": index,
            "freq": pack_frequency(self.freq),
        }

    @classmethod
    def unpack(cls, tensors: dict[str, NDArray[Any]], values: dict[str, Any]) -> Observations:
        """Read what `pack` wrote."""
        index = unpack_index(tensors["index"], values["index"])
        filled = tensors["filled"].astype(bool) if "filled" in tensors else None
        return cls(tensors["values"], index, unpack_frequency(values["freq"]), unpack_columns(values["form"]), filled)


def _title(form: Form, name: str) -> str:
    """The name of the data in messages about times; messages recommend code only for names in the user's code."""
    return name if form.origin is None else f"the frame {name}"


def _opened(y: Any, name: str) -> tuple[NDArray[np.float64], Form, pd.Index | None]:
    """The numbers of a container, its kind, and its index; None for arrays and frames without a column of times."""
    y, origin = to_pandas(y, name)
    table, form = read_table(y, name, origin)
    has_index = isinstance(y, pd.Series | pd.DataFrame) and (origin is None or origin.time is not None)
    return table, form, y.index if has_index else None


def pack_columns(form: Form) -> dict[str, Any]:
    """Write the kind of a container as plain values; raise a ``ValueError`` for a column name that can't be saved."""
    columns = None if form.columns is None else [pack_label(label) for label in form.columns]
    names = None if form.columns is None else [pack_label(label) for label in form.columns.names]
    origin = None if form.origin is None else form.origin.pack()
    return {"kind": form.kind, "dtype": form.dtype, "columns": columns, "names": names, "origin": origin}


def unpack_columns(saved: dict[str, Any]) -> Form:
    """Read what `pack_columns` wrote."""
    columns = None
    if saved["columns"] is not None:
        labels = [unpack_label(label) for label in saved["columns"]]
        columns = _columns(labels, [unpack_label(label) for label in saved["names"]], saved["kind"])
    origin = saved.get("origin")
    return Form(saved["kind"], saved["dtype"], columns, None if origin is None else Origin(**origin))


def check_columns(expected: Form, n_expected: int, got: Form, n_got: int, name: str = "y") -> None:
    """Check that new data have the columns of `fit` in the same order; of arrays only the number counts.

    Raises
    ------
    ValueError
        If the columns are others.
    """
    if n_got != n_expected:
        raise ValueError(
            f"expected {name} with {n_expected} columns as at fit{_named(expected)}, got {n_got}{_named(got)}"
        )
    if expected.columns is None or got.columns is None:
        return
    if "series" in (expected.kind, got.kind) and None in (expected.columns[0], got.columns[0]):
        return
    before, now = list(expected.columns), list(got.columns)
    if before == now:
        return
    if sorted(map(str, before)) == sorted(map(str, now)):
        raise ValueError(f"expected the columns of {name} in the order at fit, {before}, got {now}")
    missing = [label for label in before if label not in now]
    unknown = [label for label in now if label not in before]
    raise ValueError(f"expected {name} with the columns at fit, got {unknown} in place of {missing}")


def _named(form: Form) -> str:
    return "" if form.columns is None else f" ({', '.join(map(str, form.columns))})"


def _on_full_grid(table: NDArray[np.float64], index: pd.Index, grid: pd.Index) -> NDArray[np.float64]:
    if len(grid) == len(index):
        return table
    wide = np.full((len(grid), table.shape[1]), np.nan)
    wide[grid.get_indexer(index)] = table
    return wide


def _columns(labels: list[Hashable], names: list[Hashable], kind: str) -> pd.Index:
    if kind == "series":
        return pd.Index(labels, dtype=object, tupleize_cols=False)
    if len(names) > 1:
        return pd.MultiIndex.from_tuples(cast("list[tuple[Hashable, ...]]", labels), names=names)
    return pd.Index(labels, name=names[0], tupleize_cols=False)
