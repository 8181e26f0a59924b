"""A table of covariates: its rows are aligned with those of the targets, and its gaps filled, masked or refused."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.category import Category, in_numbers
from lstmforecast.data.container import Form, place, read_table, row_name
from lstmforecast.data.frames import localising, to_pandas
from lstmforecast.data.observations import Missing, Observations, check_columns, pack_columns, unpack_columns
from lstmforecast.data.panel_index import indexed, match_panel_index

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """The columns of ``X`` or ``X_past`` at `fit`.

    Attributes
    ----------
    name : str
        Its name in messages.
    form : Form
        Its kind.
    n_columns : int
        The number of its columns.
    missing : {"error", "mask", "ffill", "interpolate"}
        What is done with missing values in the rows of the targets: raise an error, keep them as NaN, which the network
        reads as the mean, repeat the last value of the series, or interpolate (of columns of 0 and 1: repeat).
    words : tuple of Category
        The columns of words, of each of which several columns are made.
    flags : tuple of int
        With ``"interpolate"``, the columns of 0 and 1 at fit, which have no value between.
    marked : tuple of int
        With ``"mask"``, the columns with missing values at fit; each has a feature that is 1 where it is missing. Of
        the columns of a word, which are missing together, the first is enough; older files have all.
    """

    name: str
    form: Form
    n_columns: int
    missing: Missing = "error"
    marked: tuple[int, ...] = ()
    words: tuple[Category, ...] = ()
    flags: tuple[int, ...] = ()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # older pickles have no missing values
        vars(self).update({"missing": "error", "marked": (), "words": (), "flags": ()} | state)

    @property
    def labels(self) -> list[Hashable]:
        """The user's columns that the columns were made of; numbers for arrays."""
        of_words = {feature: category.name for category in self.words for feature in category.features}
        return [of_words.get(name, name) for name in self.form.variables(self.n_columns)]

    @property
    def n_features(self) -> int:
        """The number of features that the columns become."""
        return self.n_columns + len(self.marked)

    @property
    def names(self) -> list[Hashable]:
        """The names of these features; numbers for the columns of arrays."""
        labels = self.labels
        return [*self.form.variables(self.n_columns), *(f"{labels[column]}_missing" for column in self.marked)]

    @property
    def may_lack(self) -> list[bool]:
        """Whether each column may have missing values, which a mark tells."""
        labels = self.labels
        marked = {labels[column] for column in self.marked}
        return [label in marked for label in labels]

    def of_fit(self, table: Any, observations: Observations) -> Table:
        """The table with what its values in the rows of the observations are: with gaps, or 0 and 1."""
        if self.missing not in ("mask", "interpolate"):
            return self
        found = self._read(table, observations.index, len(observations), "the rows of y", _empty(observations))
        gone = np.isnan(found.values)
        if self.missing == "mask":
            labels, lacking = self.labels, np.flatnonzero(gone.any(axis=0)).tolist()
            return replace(self, marked=tuple(column for column in lacking if labels.index(labels[column]) == column))
        are_flags = (np.isin(found.values, (0, 1)) | gone).all(axis=0)
        return replace(self, flags=tuple(np.flatnonzero(are_flags).tolist()))

    def read(self, table: Any, observations: Observations, before: Array | None = None) -> Array:
        """The features of the rows of observations: (n, n_features).

        ``before`` are those of the row before each series, (n_series, n_features), NaN where there is none: gaps are
        filled from it.

        Raises
        ------
        ValueError
            If a row or a value is missing and that is an error, or the columns are not those of `fit`.
        """
        empty = np.zeros(len(observations), bool) if self.missing == "error" else _empty(observations)
        found = self._read(table, observations.index, len(observations), "the rows of y", empty)
        if self.missing in ("error", "mask"):
            return self._marked(found)
        if not np.isnan(found.values).any():
            return found.values
        filled = self._filled(found.values, observations.lengths, before)
        leading = np.isnan(filled)
        if leading.any():
            lacking = found.lacking(leading)
            if lacking is not None:
                raise ValueError(f"expected {self.name} with a row for each of the rows of y, got none for {lacking}")
            got = found.place(leading, "leading NaN", self)
            raise ValueError(
                f"expected {self.name} to begin with values that missing={self.missing!r} can fill from, got {got}; "
                "fill or drop these rows"
            )
        return filled

    def _filled(self, values: Array, lengths: NDArray[np.int64], before: Array | None) -> Array:
        """Fill the gaps of each series from its earlier rows, the one before the first included."""
        begins = np.cumsum(lengths) - lengths
        before = np.full((len(lengths), values.shape[1]), np.nan) if before is None else before
        table = pd.DataFrame(np.insert(values, begins, before, axis=0))
        by_series = table.groupby(np.repeat(np.arange(len(lengths)), lengths + 1))
        filled = by_series.ffill()
        if self.missing == "interpolate":
            has_gaps: NDArray[np.bool_] = np.asarray(np.isnan(values).any(axis=0))
            has_gaps[list(self.flags)] = False
            for column in np.flatnonzero(has_gaps):
                filled[column] = by_series[column].transform(lambda each: each.interpolate())
        return np.delete(filled.to_numpy(), begins + np.arange(len(begins)), axis=0)

    def read_ahead(self, table: Any, index: pd.Index | None, n_rows: int, rows: str) -> Array:
        """The features of later rows, described by ``rows``: (n_rows, n_features); ValueError as `read`.

        A missing value is an error unless it is masked: what comes before is in another table.
        """
        return self._marked(self._read(table, index, n_rows, rows, np.zeros(n_rows, bool)))

    def pack(self) -> dict[str, Any]:
        """Write as plain values for model files."""
        packed = pack_columns(self.form) | {"n_columns": self.n_columns}
        # older versions read what has neither missing values nor words
        if self.missing != "error":
            packed |= {"missing": self.missing, "marked": list(self.marked)}
            packed |= {"flags": list(self.flags)} if self.flags else {}
        return packed | ({"words": [category.pack() for category in self.words]} if self.words else {})

    @classmethod
    def unpack(cls, name: str, saved: dict[str, Any]) -> Table:
        """Read what `pack` wrote."""
        # older files have no missing values
        missing, marked = saved.get("missing", "error"), tuple(saved.get("marked", ()))
        flags, n_columns = tuple(saved.get("flags", ())), saved["n_columns"]
        if missing not in get_args(Missing) or not all(_are_columns(each, n_columns) for each in (marked, flags)):
            raise ValueError(f"covariates with missing={missing!r} in columns {marked} and {flags}")
        words = tuple(Category.unpack(each) for each in saved.get("words", ()))
        return cls(name, unpack_columns(saved), n_columns, missing, marked, words, flags)

    def _read(self, table: Any, index: pd.Index | None, n_rows: int, rows: str, may_lack: NDArray[np.bool_]) -> _Rows:
        """Select the rows of ``index``, NaN where one lacks that may; of an array, which must have ``n_rows``, all."""
        if table is None:
            raise ValueError(f"expected {self.name} for {rows}, as there was one at fit, got None")
        table, origin = to_pandas(table, self.name)
        table, long = indexed(table, self.name)
        table = in_numbers(table, self.words, self.name)
        values, form = read_table(table, self.name)
        check_columns(self.form, self.n_columns, form, values.shape[1], self.name)
        labels = table.index if index is not None and isinstance(table, pd.DataFrame | pd.Series) else None
        used: NDArray[np.intp] = np.arange(len(values))
        if index is not None and labels is not None:
            how = localising(origin, isinstance(index, pd.MultiIndex), long)
            given = match_panel_index(index, labels, self.name, how, "as y")
            used = _rows_of(index, given, self.name, rows, may_lack)
        elif len(values) != n_rows:
            raise ValueError(f"expected {self.name} with {n_rows} rows, for {rows}, got {len(values)}")
        found: Array = values[used]
        found[used < 0] = np.nan
        rows_found = _Rows(found, used, index, len(values), labels)
        if np.isinf(found).any():
            got = rows_found.place(np.isinf(found), "infinite", self)
            raise ValueError(f"expected finite values in {self.name}, got {got}")
        return rows_found

    def _marked(self, found: _Rows) -> Array:
        """The values and their marks; raise a ValueError for missing values of columns without."""
        gone = np.isnan(found.values)
        marks = gone[:, list(self.marked)]
        gone[:, self.may_lack] = False
        if gone.any():
            way = "fill them, or fit with missing='mask', which tells the network where they are"
            if self.missing == "mask":
                way = "fill it: the column had no gap at fit, so the network can't read one"
            lacking = found.lacking(gone)
            if lacking is not None:
                raise ValueError(
                    f"expected {self.name} with a row for each of the rows of y, got none for {lacking}; {way}"
                )
            got = found.place(gone, "NaN", self)
            raise ValueError(f"expected no missing values in {self.name}, got {got}; {way}")
        return np.hstack([found.values, marks]) if self.marked else found.values


@dataclass(frozen=True)
class _Rows:
    """Values (n, n_columns) of rows, and the row of the user's table that each is: -1 where it lacks one."""

    values: Array
    used: NDArray[np.intp]
    index: pd.Index | None
    n_rows: int
    labels: pd.Index | None

    def lacking(self, wrong: NDArray[np.bool_]) -> Any:
        """The label of the first row that a mask marks and the user's table lacks; None if there is no such row."""
        rows = np.flatnonzero(wrong.any(axis=1) & (self.used < 0))
        return self.index[rows[0]] if len(rows) and self.index is not None else None

    def place(self, wrong: NDArray[np.bool_], what: str, table: Table) -> str:
        """Words for the values that a mask marks, by their rows and columns in the user's table."""
        there = self.used >= 0
        # of the columns of a word, which are wrong together, the first
        labels = table.labels
        first = [labels.index(label) for label in dict.fromkeys(labels)]
        of_table = np.zeros((self.n_rows, len(first)), bool)
        of_table[self.used[there]] = wrong[there][:, first]
        form = table.form
        if form.columns is not None and table.words:
            form = replace(form, columns=pd.Index([labels[i] for i in first], tupleize_cols=False))
        return place(of_table, what, self.labels, form)


def _are_columns(places: tuple[Any, ...], n_columns: Any) -> bool:
    """Whether these are places of columns, in order."""
    ends = [-1, *places, n_columns]
    return all(type(place) is int for place in ends) and ends == sorted(set(ends))


def _empty(observations: Observations) -> NDArray[np.bool_]:
    """The rows (n,) of the grid without any value, as those whose times the user's table didn't have."""
    if observations.filled is None:
        return np.zeros(len(observations), bool)
    return np.asarray(observations.filled.all(axis=1))


def _rows_of(index: pd.Index, given: pd.Index, name: str, rows: str, may_lack: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The row in ``given`` of each label of ``index``, -1 where there is none and may be none."""
    if not given.is_unique:
        row = int(np.argmax(given.duplicated()))
        raise ValueError(f"expected every time of {name} once, got {row_name(given, row)} more than once")
    found = given.get_indexer(index)
    absent = np.flatnonzero((found < 0) & ~may_lack)
    if len(absent):
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise ValueError(f"expected {name} with a row for each of {rows}, got none for {index[absent[0]]}{more}")
    return found
