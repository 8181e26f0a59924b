"""Many series in one container: rows of (series, time), with an index or in Nixtla's long format."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.container import Missing, Observations, check_columns
from lstmforecast.form import Form, read_table
from lstmforecast.index import Frequency, check_index, continue_index, gap_message, regular_grid
from lstmforecast.packing import pack_keys, pack_label, unpack_keys, unpack_label

SERIES, TIME = "unique_id", "ds"


def is_panel(y: Any) -> bool:
    """Whether a container holds series below each other.

    Examples
    --------
    >>> is_panel(pd.DataFrame({"unique_id": [1, 1], "ds": [0, 1], "y": [5.0, 6.0]})), is_panel([1.0, 2.0])
    (True, False)
    """
    if isinstance(y, pd.DataFrame) and {SERIES, TIME} <= set(y.columns):
        return True
    return isinstance(y, pd.Series | pd.DataFrame) and isinstance(y.index, pd.MultiIndex) and y.index.nlevels == 2


@dataclass(frozen=True)
class Panel(Observations):
    """Several series, the rows of one below those of another.

    Attributes
    ----------
    index : pandas.MultiIndex of shape (n,)
        Series and time.
    starts : ndarray of int of shape (n_series + 1,)
        The row at which each series begins, and the number of rows.
    """

    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    @classmethod
    def read(
        cls,
        y: Any,
        *,
        freq: Frequency = None,
        missing: Missing = "error",
        like: Observations | None = None,
        name: str = "y",
    ) -> Panel:
        """As `Observations.read`; series come in the order in which they first appear, and may be of unequal length."""
        frame, long = indexed(y, name)
        table, form = read_table(frame, name)
        form = replace(form, kind="long") if long else form
        if like is not None:
            check_columns(like.form, like.n_columns, form, table.shape[1], name)
            freq = like.freq
        codes, keys = pd.factorize(frame.index.get_level_values(0))
        if (codes < 0).any():
            raise ValueError(f"expected a series for every row of {name}, got none in row {int(np.argmin(codes))}")
        if (np.diff(codes) < 0).any():
            order = np.argsort(codes, kind="stable")
            codes, table, frame = codes[order], table[order], frame.iloc[order]
        starts = np.searchsorted(codes, np.arange(len(keys) + 1)).astype(np.int64)
        times = frame.index.get_level_values(1)
        longest = int(np.diff(starts).argmax())
        _, freq = regular_grid(_checked(times, starts, longest, keys, name), freq, _title(keys, longest, name))
        if np.isinf(table).any():
            raise ValueError(f"expected finite values in {name}, got {int(np.isinf(table).sum())} infinite")
        irregular = _irregular(times, starts, freq) | _incomplete(table, starts)
        panel = cls(table, frame.index, freq, form, starts=starts)
        if not irregular.any():
            return panel
        return panel._mended_series(keys, np.flatnonzero(irregular), missing, name, like is None)

    def _mended_series(
        self, keys: pd.Index, which: NDArray[np.intp], missing: Missing, name: str, at_fit: bool
    ) -> Panel:
        """Put series with gaps on their grid, one by one."""
        like = None if at_fit else self
        parts = [self._series(i) for i in range(self.n_series)]
        for i in which:
            title = _title(keys, i, name)
            form = Form("frame", self.form.dtype, self.form.columns)
            part = form.give_back(parts[i][0], _checked(parts[i][1], np.array([0, len(parts[i][1])]), 0, keys, name))
            grid, _ = regular_grid(part.index, self.freq, title)
            if len(grid) > len(part) and missing == "error":
                raise ValueError(gap_message(part.index, grid, self.freq, title))
            mended = Observations.read(part, freq=self.freq, missing=missing, like=like, name=title)
            assert mended.index is not None
            gone = np.zeros(mended.values.shape, bool) if mended.filled is None else mended.filled
            parts[i] = (mended.values, mended.index, gone)
        return self._joined(keys, parts)

    def _joined(self, keys: pd.Index, parts: list[Any]) -> Panel:
        lengths = [len(part[0]) for part in parts]
        times = parts[0][1].append([part[1] for part in parts[1:]])
        names = [None] if self.index is None else self.index.names
        index = pd.MultiIndex.from_arrays([keys.repeat(lengths), times], names=names)
        filled = np.concatenate([part[2] for part in parts])
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        values = np.concatenate([part[0] for part in parts])
        return replace(self, values=values, index=index, filled=filled if filled.any() else None, starts=starts)

    def _series(self, i: int) -> tuple[Any, Any, Any]:
        assert self.index is not None
        rows = slice(int(self.starts[i]), int(self.starts[i + 1]))
        gone = np.zeros_like(self.values[rows], bool) if self.filled is None else self.filled[rows]
        return self.values[rows], self.index[rows].get_level_values(1), gone

    @property
    def n_series(self) -> int:
        """How many series."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Rows of each series."""
        return np.diff(self.starts)

    @property
    def is_panel(self) -> bool:
        """Yes."""
        return True

    @property
    def series_keys(self) -> pd.Index:
        """The name of each series."""
        assert self.index is not None
        keys: pd.Index = self.index[self.starts[:-1]].get_level_values(0)
        return keys

    def take(self, rows: NDArray[np.int64]) -> Panel:
        """Copy some rows, in their order; series of which none is taken are left out."""
        assert self.index is not None
        lengths = np.bincount(np.searchsorted(self.starts, rows, side="right") - 1, minlength=self.n_series)
        starts = np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64)
        filled = None if self.filled is None else self.filled[rows]
        return replace(self, values=self.values[rows], index=self.index[rows], filled=filled, starts=starts)

    def rows(self, start: int, stop: int) -> Panel:
        """Copy the rows from ``start`` to before ``stop``, whichever series they belong to."""
        return self.take(np.arange(start, stop))

    def last_rows(self, n: int) -> NDArray[np.int64]:
        """The numbers of the last ``n`` rows of each series, or of all."""
        lengths = np.minimum(self.lengths, n)
        return ranges(self.starts[1:] - lengths, lengths)

    def row_of(self, series: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of rows of series, counted from the beginning of each, among all rows."""
        numbers: NDArray[np.int64] = self.starts[series] + rows
        return numbers

    def rows_after(self, before: Observations) -> NDArray[np.int64]:
        """The numbers of the rows that were not there ``before``, of which this is the continuation."""
        known = before.series_keys.get_indexer(self.series_keys)
        lengths = np.where(known < 0, 0, before.lengths[known])
        return ranges(self.starts[:-1] + lengths, self.lengths - lengths)

    def times(self, rows: NDArray[np.int64]) -> pd.Index:
        """The times of rows, whichever series they belong to."""
        assert self.index is not None
        times: pd.Index = self.index[rows].get_level_values(1)
        return times

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Write as tensors and plain values, for `unpack`."""
        assert self.index is not None
        times = replace(self, index=self.index.get_level_values(1).rename(None))
        tensors, values = Observations.pack(times)
        names = [pack_label(name) for name in self.index.names]
        return tensors | {"starts": self.starts}, values | {"keys": pack_keys(self.series_keys), "levels": names}

    @classmethod
    def unpack(cls, tensors: dict[str, NDArray[Any]], values: dict[str, Any]) -> Observations:
        """Read what `pack` wrote, of a panel or of one series."""
        single = Observations.unpack(tensors, values)
        times = single.index
        if "starts" not in tensors or times is None:
            return single
        keys = unpack_keys(values["keys"])
        names = [unpack_label(name) for name in values["levels"]]
        index = pd.MultiIndex.from_arrays([keys.repeat(np.diff(tensors["starts"])), times], names=names)
        return cls(single.values, index, single.freq, single.form, single.filled, starts=tensors["starts"])

    def container(self) -> Any:
        """Give these observations back as they came in."""
        return self._give_back(self.values, self.index)

    def future_index(self, steps: int) -> pd.Index:
        """The labels of the steps after the end of each series."""
        assert self.index is not None
        ends = self.times(self.starts[1:] - 1)
        later = {end: continue_index(pd.Index(ends[[i]]), self.freq, steps) for i, end in _first_of_each(ends)}
        times = later[ends[0]].append([later[end] for end in ends[1:]])
        return pd.MultiIndex.from_arrays([self.series_keys.repeat(steps), times], names=self.index.names)

    def continued(self, values: NDArray[np.float64]) -> Any:
        """Put forecasts of shape (n_series, steps, k) into the same kind of container, after the end of each series."""
        return self._give_back(values.reshape(-1, values.shape[-1]), self.future_index(values.shape[1]))

    def _give_back(self, values: NDArray[np.float64], index: pd.Index | None) -> Any:
        if self.form.kind == "long":
            return replace(self.form, kind="frame").give_back(values, index).reset_index()
        return self.form.give_back(values, index)

    def extended(self, newer: Any, *, missing: Missing = "error", name: str = "y") -> Panel:
        """Append newer rows to the series that they belong to; series that were not there before are added."""
        # mended below, with the rows before them
        later = Panel.read(newer, missing="error" if missing == "error" else "mask", like=self, name=name)
        assert self.index is not None
        assert later.index is not None
        ends = pd.Series(self.times(self.starts[1:] - 1), self.series_keys)
        begins = pd.Series(later.times(later.starts[:-1]), later.series_keys)
        both = ends.index.intersection(begins.index)
        overlap = both[(begins[both] <= ends[both]).to_numpy()]
        if len(overlap):
            raise ValueError(
                f"expected series {overlap[0]!r} of {name} to go on after {ends[overlap[0]]}, got an overlap: it "
                f"begins at {begins[overlap[0]]}; pass newer rows only"
            )
        form = replace(self.form, kind="frame")
        both = pd.concat([form.give_back(part.values, part.index) for part in (self, later)])
        joined = replace(Panel.read(both, missing=missing, like=replace(self, form=form), name=name), form=self.form)
        if self.filled is None:
            return joined
        # what was mended before is no truth now
        filled = np.zeros(joined.values.shape, bool) if joined.filled is None else joined.filled
        older = np.ones(len(joined), bool)
        older[joined.rows_after(self)] = False
        filled[older] |= self.filled
        return replace(joined, filled=filled)


def ranges(first: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """So many integers from each ``first`` on, one range after the other.

    Examples
    --------
    >>> ranges(np.array([5, 0]), np.array([2, 3]))
    array([5, 6, 0, 1, 2])
    """
    ends = np.cumsum(lengths)
    integers: NDArray[np.int64] = np.repeat(first - ends + lengths, lengths) + np.arange(lengths.sum())
    return integers


def _first_of_each(ends: pd.Index) -> list[tuple[int, Any]]:
    firsts = np.flatnonzero(~ends.duplicated()).tolist()
    return [(i, ends[i]) for i in firsts]


def indexed(y: Any, name: str) -> tuple[Any, bool]:
    """A frame or series with an index of (series, time), and whether it came in the long format."""
    if isinstance(y, pd.DataFrame) and {SERIES, TIME} <= set(y.columns):
        rest = [column for column in y.columns if column not in (SERIES, TIME)]
        if not rest:
            raise ValueError(f"expected {name} with a column of values beside {SERIES} and {TIME}, got none")
        return y.set_index([SERIES, TIME]), True
    return y, False


def _title(keys: pd.Index, i: int, name: str) -> str:
    return f"series {keys[i]!r} of {name}"


def _checked(times: pd.Index, starts: NDArray[np.int64], i: int, keys: pd.Index, name: str) -> pd.Index:
    part = times[starts[i] : starts[i + 1]]
    check_index(part, _title(keys, i, name))
    return part


def _irregular(times: pd.Index, starts: NDArray[np.int64], freq: Frequency) -> NDArray[np.bool_]:
    """Whether each series lacks a time or is out of order; all, where one pass over the rows can't tell."""
    if times.hasnans:
        return np.ones(len(starts) - 1, bool)
    try:
        grid, _ = regular_grid(times.unique().sort_values(), freq)
    except ValueError:
        # series that lie beside each other's grid
        return np.ones(len(starts) - 1, bool)
    wrong: NDArray[np.bool_] = np.not_equal(np.diff(grid.get_indexer(times), prepend=-1), 1)
    wrong[starts[:-1][np.diff(starts) > 0]] = False
    return _any_in_each(wrong, starts)


def _incomplete(table: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    return _any_in_each(np.asarray(np.isnan(table).any(axis=1)), starts)


def _any_in_each(rows: NDArray[np.bool_], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    counts = np.concatenate([[0], np.cumsum(rows)])
    found: NDArray[np.bool_] = counts[starts[1:]] > counts[starts[:-1]]
    return found
