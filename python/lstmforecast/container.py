"""Time-ordered data of any container in, checked numbers for the core; results out in the container that came in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.form import Form, read_table
from lstmforecast.index import (
    Frequency,
    check_index,
    continue_index,
    gap_message,
    join_indexes,
    pack_index,
    regular_grid,
    unpack_index,
)

Fill = Literal["ffill", "interpolate"] | None


@dataclass(frozen=True)
class Observations:
    """A time-ordered series as the core takes it, with all that the container said beside the numbers.

    Attributes
    ----------
    values : ndarray of shape (n, k), float64, C-contiguous
        Finite everywhere.
    index : pandas.Index of shape (n,) or None
        Sorted, without duplicates and gaps; None for arrays.
    freq : str, int, offset or None
        The frequency of the index, as found by `lstmforecast.index.regular_grid`.
    form : Form
        The container that the numbers came in.
    filled : ndarray of bool of shape (n, k) or None
        Which values ``fill`` made up; None if it had nothing to do.
    """

    values: NDArray[np.float64]
    index: pd.Index | None
    freq: Frequency
    form: Form
    filled: NDArray[np.bool_] | None = None

    @classmethod
    def read(
        cls, y: Any, *, freq: Frequency = None, fill: Fill = None, like: Observations | None = None, name: str = "y"
    ) -> Observations:
        """Check a container and take its numbers out.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, k), Series or DataFrame
            Time-ordered observations; real numbers of any type, nullable ones too.
        freq : str, int, offset or None
            The frequency of the index; None: found from it.
        fill : {None, "ffill", "interpolate"}
            How missing values and missing times are mended: not at all, by the last value before them, or on the
            straight line between their neighbours (after the last observation: the last value).
        like : Observations or None
            Earlier data, whose columns and frequency ``y`` must have.
        name : str
            What the messages call the data.

        Raises
        ------
        TypeError
            If the values are no real numbers, or the index cannot be continued.
        ValueError
            If the shape is wrong, a value is missing or infinite, times are unsorted, duplicated or missing, or
            columns or frequency are not those of ``like``.
        """
        table, form = read_table(y, name)
        index = y.index if isinstance(y, pd.Series | pd.DataFrame) else None
        if like is not None:
            check_columns(like.form, like.n_columns, form, table.shape[1], name)
            freq = like.freq if index is not None else None
        if index is not None:
            check_index(index, name)
        elif freq is not None:
            raise ValueError(f"expected {name} with a time index for freq={freq!r}, got {type(y).__name__}")
        if np.isinf(table).any():
            raise ValueError(
                f"expected finite values in {name}, got {_place(np.isinf(table), 'infinite', index, form)}"
            )
        if index is not None:
            grid, freq = regular_grid(index, freq, name)
            if len(grid) > len(index) and fill is None:
                raise ValueError(gap_message(index, grid, freq, name))
            table, index = _spread(table, index, grid), grid
        return cls(table, index, freq, form)._filled(fill, name)

    def _filled(self, fill: Fill, name: str) -> Observations:
        missing = np.isnan(self.values)
        if not missing.any():
            return self
        if fill is None:
            raise ValueError(
                f"expected no missing values in {name}, got {_place(missing, 'NaN', self.index, self.form)}; "
                f"mend them with fill='ffill' or fill='interpolate'"
            )
        leading = np.logical_and.accumulate(missing, axis=0)
        if leading.any():
            raise ValueError(
                f"expected {name} to begin with values from which fill={fill!r} can go on, got "
                f"{_place(leading, 'leading NaN', self.index, self.form)}; drop these rows"
            )
        table = pd.DataFrame(self.values)
        mended = table.ffill() if fill == "ffill" else table.interpolate()
        return replace(self, values=np.ascontiguousarray(mended.to_numpy()), filled=missing)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_columns(self) -> int:
        """How many variables."""
        return int(self.values.shape[1])

    def rows(self, start: int, stop: int) -> Observations:
        """Copy the rows from ``start`` to before ``stop``."""
        index = None if self.index is None else self.index[start:stop]
        filled = None if self.filled is None else self.filled[start:stop]
        return replace(self, values=self.values[start:stop].copy(), index=index, filled=filled)

    def container(self) -> Any:
        """Give these observations back as they came in."""
        return self.form.give_back(self.values, self.index)

    def continued(self, values: NDArray[np.float64]) -> Any:
        """Put forecasts of shape (steps, k) into the same kind of container, with the labels after the end."""
        index = None if self.index is None else continue_index(self.index, self.freq, len(values))
        return self.form.give_back(values, index)

    def extended(self, newer: Any, *, fill: Fill = None, name: str = "y") -> Observations:
        """Append newer data whose index goes on where this one ends.

        Raises
        ------
        TypeError
            If only one of the two has an index.
        ValueError
            If the two overlap, or rows between them are missing and ``fill`` is None.
        """
        if fill is None:
            # By itself first, so that messages count its rows.
            Observations.read(newer, like=self, name=name)
        table, form = read_table(newer, name)
        check_columns(self.form, self.n_columns, form, table.shape[1], name)
        later = newer.index if isinstance(newer, pd.Series | pd.DataFrame) else None
        if later is not None and self.index is None:
            raise TypeError(f"expected {name} as an array, as at fit, got a {type(newer).__name__}")
        index = self.index
        if index is not None:
            later = continue_index(index, self.freq, len(table)) if later is None else later
            index = join_indexes(index, later, name)
        both = self.form.give_back(np.concatenate([self.values, table]), index)
        return Observations.read(both, fill=fill, like=self, name=name)

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Write as tensors and plain values, for `unpack`; a ``ValueError`` if the frequency has no name."""
        if not isinstance(self.freq, str | int | None):
            raise ValueError(f"expected a frequency that has an alias, got {self.freq!r}, which cannot be saved")
        stamps, index = pack_index(self.index)
        columns = None if self.form.columns is None else [_pack_label(label) for label in self.form.columns]
        names = None if self.form.columns is None else [_pack_label(label) for label in self.form.columns.names]
        form = {"kind": self.form.kind, "dtype": self.form.dtype, "columns": columns, "names": names}
        return {"values": self.values, "index": stamps}, {"form": form, "index": index, "freq": self.freq}

    @classmethod
    def unpack(cls, tensors: dict[str, NDArray[Any]], values: dict[str, Any]) -> Observations:
        """Read what `pack` wrote."""
        saved, columns = values["form"], None
        if saved["columns"] is not None:
            labels = [_unpack_label(label) for label in saved["columns"]]
            columns = _columns(labels, [_unpack_label(label) for label in saved["names"]], saved["kind"])
        form = Form(saved["kind"], saved["dtype"], columns)
        return cls(tensors["values"], unpack_index(tensors["index"], values["index"]), values["freq"], form)


def check_columns(expected: Form, n_expected: int, got: Form, n_got: int, name: str = "y") -> None:
    """Check that new data has the columns of the data before, in the same order; arrays by their number alone.

    Raises
    ------
    ValueError
        If not; it names them.
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


def _spread(table: NDArray[np.float64], index: pd.Index, grid: pd.Index) -> NDArray[np.float64]:
    if len(grid) == len(index):
        return table
    wide = np.full((len(grid), table.shape[1]), np.nan)
    wide[grid.get_indexer(index)] = table
    return wide


def _place(mask: NDArray[np.bool_], what: str, index: pd.Index | None, form: Form) -> str:
    row, column = (int(i) for i in np.argwhere(mask)[0])
    where = f"column {form.label(column)}" if mask.shape[1] > 1 or form.kind == "frame" else ""
    time = f"row {row}" if index is None else f"{index[row]} (row {row})"
    return f"{int(mask.sum())} {what}, the first in {where + ' at ' if where else ''}{time}"


def _pack_label(label: Hashable) -> Any:
    if isinstance(label, tuple):
        return {"tuple": [_pack_label(part) for part in label]}
    if label is None or isinstance(label, str | int | float):
        return label
    if isinstance(label, np.integer | np.floating):
        return label.item()
    raise ValueError(f"expected column names that are strings or numbers, got {label!r}, which cannot be saved")


def _unpack_label(saved: Any) -> Hashable:
    return tuple(_unpack_label(part) for part in saved["tuple"]) if isinstance(saved, dict) else saved


def _columns(labels: list[Hashable], names: list[Hashable], kind: str) -> pd.Index:
    if kind == "series":
        return pd.Index(labels, dtype=object, tupleize_cols=False)
    if len(names) > 1:
        return pd.MultiIndex.from_tuples(cast("list[tuple[Hashable, ...]]", labels), names=names)
    return pd.Index(labels, name=names[0], tupleize_cols=False)
