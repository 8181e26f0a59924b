"""Reads and checks a panel: many series in one container, with an index of (series, time) or in long format."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.container import Form, place, read_table
from lstmforecast.data.frames import localising, to_pandas
from lstmforecast.data.index import Frequency, check_index, continue_index, gap_message, regular_grid
from lstmforecast.data.observations import Missing, Observations, check_columns
from lstmforecast.data.panel_index import grouped, index_of_codes, indexed, irregular_series
from lstmforecast.data.saved_labels import pack_keys, pack_label, unpack_keys, unpack_label


@dataclass(frozen=True)
class Panel(Observations):
    """Several series, one after the other.

    Attributes
    ----------
    index : pandas.MultiIndex of shape (n,)
        The series and time of each row.
    starts : ndarray of int of shape (n_series + 1,)
        The row at which each series begins, and the number of rows.
    """

    index: pd.MultiIndex
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
        """As `Observations.read`. Series are in the order of their first rows, and may have different lengths."""
        y, origin = to_pandas(y, name)
        frame, long = indexed(y, name)
        table, form = read_table(frame, name, origin)
        form = replace(form, kind="long" if long else form.kind)
        index = frame.index
        if like is not None:
            check_columns(like.form, like.n_columns, form, table.shape[1], name)
            freq, index = like.freq, like.align(index, form, name)
        if (infinite := np.isinf(table)).any():
            raise ValueError(f"expected finite values in {name}, got {place(infinite, 'infinite', index, form)}")
        index, starts, order = grouped(index, name, by_time=long)
        if order is not None:
            table = table[order]
        keys = index[starts[:-1]].get_level_values(0)
        longest = int(np.diff(starts).argmax())
        _, freq = regular_grid(_checked(index, starts, longest, keys, name), freq, _title(keys, longest, name))
        incomplete = np.logical_or.reduceat(np.isnan(table).any(axis=1), starts[:-1])
        irregular = irregular_series(index, starts, freq) | incomplete
        panel = cls(table, index, freq, form, starts=starts)
        if not irregular.any():
            return panel
        return panel._with_filled_series(keys, np.flatnonzero(irregular), missing, name, like is None)

    def _with_filled_series(
        self, keys: pd.Index, which: NDArray[np.intp], missing: Missing, name: str, at_fit: bool
    ) -> Panel:
        """Fill the gaps of some series, one by one."""
        full: dict[int, tuple[Any, pd.Index, Any]] = {}
        for i in which.tolist():
            rows, title = slice(self.starts[i], self.starts[i + 1]), _title(keys, i, name)
            times = _checked(self.index, self.starts, i, keys, name)
            form = Form("frame", self.form.dtype, self.form.columns)
            part = form.give_back(self.values[rows], times)
            like = None if at_fit else Observations(self.values[rows], times, self.freq, form)
            grid, _ = regular_grid(times, self.freq, title)
            if len(grid) > len(part) and missing == "error":
                raise ValueError(gap_message(times, grid, self.freq, title, is_trained=not at_fit))
            read = Observations.read(part, freq=self.freq, missing=missing, like=like, name=title)
            gone = np.zeros(read.values.shape, bool) if read.filled is None else read.filled
            full[i] = (read.values, grid, gone)
        return self._joined(keys, full)

    def _joined(self, keys: pd.Index, full: dict[int, tuple[Any, pd.Index, Any]]) -> Panel:
        """Replace the values, times and marks of filled values of some series."""
        level = self.index.levels[1]
        times = level.append([grid for _, grid, _ in full.values()]).unique().dropna().sort_values()
        places = times.get_indexer(level).astype(np.int32)
        parts = []
        for i, (start, stop) in enumerate(pairwise(self.starts)):
            if i in full:
                part, grid, gone = full[i]
                parts.append((part, times.get_indexer(grid).astype(np.int32), gone))
            else:
                part = self.values[start:stop]
                parts.append((part, places[self.index.codes[1][start:stop]], np.zeros(part.shape, bool)))
        values, codes, filled = (np.concatenate(each) for each in zip(*parts, strict=True))
        lengths = np.array([len(part[0]) for part in parts])
        numbers = np.arange(len(keys), dtype=np.int32).repeat(lengths)
        index = index_of_codes(keys, numbers, times, codes, self.index.names)
        starts = np.append(0, np.cumsum(lengths))
        return replace(self, values=values, index=index, filled=filled if filled.any() else None, starts=starts)

    def _localising(self, form: Form) -> str:
        return localising(form.origin, is_panel=True, in_columns=form.kind == "long")

    def _check_continued(self, later: Panel, which: NDArray[np.intp], known: NDArray[np.intp], name: str) -> None:
        """Raise a ValueError for series of ``later`` that don't begin on the grid of the ``known`` series here."""
        ends, begins = self.times(self.starts[known + 1] - 1), later.times(later.starts[which])
        # most series end at the same time
        for i in np.flatnonzero(~pd.MultiIndex.from_arrays([ends, begins]).duplicated()).tolist():
            times = self._times_of(known[i])
            title = _title(later.series_keys, int(which[i]), name)
            regular_grid(times.append(begins[[i]]), self.freq, title, n_before=len(times))

    @property
    def n_series(self) -> int:
        """The number of series."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of rows of each series."""
        return np.diff(self.starts)

    @property
    def is_panel(self) -> bool:
        """Whether this is a panel: yes."""
        return True

    @property
    def series_keys(self) -> pd.Index:
        """The name of each series."""
        keys: pd.Index = self.index[self.starts[:-1]].get_level_values(0)
        return keys

    def take(self, rows: NDArray[np.int64]) -> Panel:
        """Copy some rows, in ascending order; series without a row among them are left out."""
        lengths = np.diff(np.searchsorted(rows, self.starts))
        starts = np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64)
        filled = None if self.filled is None else self.filled[rows]
        return replace(self, values=self.values[rows], index=self.index[rows], filled=filled, starts=starts)

    def rows(self, start: int, stop: int) -> Panel:
        """Copy the rows from ``start`` to before ``stop`` of the whole panel."""
        return self.take(np.arange(start, stop))

    def last_rows(self, n: int) -> NDArray[np.int64]:
        """The numbers of the last ``n`` rows of each series, or of all its rows."""
        lengths = np.minimum(self.lengths, n)
        return ranges(self.starts[1:] - lengths, lengths)

    def row_of(self, series: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers among all rows, of rows counted in each series."""
        numbers: NDArray[np.int64] = self.starts[series] + rows
        return numbers

    def rows_after(self, before: Observations) -> NDArray[np.int64]:
        """The numbers of the rows that were not in ``before``, which this panel extends."""
        known = before.series_keys.get_indexer(self.series_keys)
        lengths = np.where(known < 0, 0, before.lengths[known])
        return ranges(self.starts[:-1] + lengths, self.lengths - lengths)

    def times(self, rows: NDArray[np.int64]) -> pd.Index:
        """The times of rows of the whole panel."""
        times: pd.Index = self.index[rows].get_level_values(1)
        return times

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Write as tensors and plain values for model files."""
        times = self.index.get_level_values(1).rename(None)
        tensors, values = Observations(self.values, times, self.freq, self.form, self.filled).pack()
        names = [pack_label(name) for name in self.index.names]
        return tensors | {"starts": self.starts}, values | {"keys": pack_keys(self.series_keys), "levels": names}

    @classmethod
    def unpack(cls, tensors: dict[str, NDArray[Any]], values: dict[str, Any]) -> Observations:
        """Read what `pack` wrote for a panel or one series."""
        single = Observations.unpack(tensors, values)
        times = single.index
        if "starts" not in tensors or times is None:
            return single
        keys = unpack_keys(values["keys"])
        starts = tensors["starts"]
        lengths = np.diff(starts)
        is_whole = len(keys) == len(lengths) > 0 and starts[0] == 0 and starts[-1] == len(times)
        if starts.dtype != np.int64 or not is_whole or (lengths < 1).any():
            raise ValueError(f"{len(keys)} series of other rows")
        names = [unpack_label(name) for name in values["levels"]]
        index = pd.MultiIndex.from_arrays([keys.repeat(lengths), times], names=names)
        return cls(single.values, index, single.freq, single.form, single.filled, starts=starts)

    def _times_of(self, i: int) -> pd.Index:
        return self.times(np.arange(self.starts[i], self.starts[i + 1]))

    def container(self) -> Any:
        """Return the panel in the kind of container that it was read from."""
        return self._give_back(self.values, self.index)

    def future_index(self, steps: int) -> pd.Index:
        """The series and times of the steps after the end of each series."""
        ends = self.times(self.starts[1:] - 1)
        later = {end: continue_index(self._times_of(i), self.freq, steps) for i, end in _first_of_each(ends)}
        times = later[ends[0]].append([later[end] for end in ends[1:]])
        return pd.MultiIndex.from_arrays([self.series_keys.repeat(steps), times], names=self.index.names)

    def continued(self, values: NDArray[np.float64]) -> Any:
        """Put forecasts of shape (n_series, steps, k) into the same kind of container, after the end of each series."""
        return self._give_back(values.reshape(-1, values.shape[-1]), self.future_index(values.shape[1]))

    def _give_back(self, values: NDArray[np.float64], index: pd.Index | None) -> Any:
        if self.form.kind == "long":
            return self.form.finish(replace(self.form, kind="frame").give_back(values, index).reset_index())
        return self.form.give_back(values, index)

    def extended(self, newer: Any, *, missing: Missing = "error", name: str = "y") -> Panel:
        """Append newer rows to their series; new series are added."""
        # missing values are filled below, from the rows before them
        later = Panel.read(newer, missing="error" if missing == "error" else "mask", like=self, name=name)
        known = self.series_keys.get_indexer(later.series_keys)
        both = np.flatnonzero(known >= 0)
        ends, begins = self.times(self.starts[1:][known[both]] - 1), later.times(later.starts[:-1][both])
        overlap = np.flatnonzero(begins <= ends)
        if len(overlap):
            i = int(overlap[0])
            title = _title(later.series_keys, int(both[i]), name)
            raise ValueError(
                f"expected {title} to go on after {ends[i]}, got an overlap: it begins at {begins[i]}; pass newer rows "
                "only"
            )
        self._check_continued(later, both, known[both], name)
        form = replace(self.form, kind="frame")
        both = pd.concat([form.give_back(part.values, part.index) for part in (self, later)])
        joined = replace(Panel.read(both, missing=missing, like=replace(self, form=form), name=name), form=self.form)
        if self.filled is None:
            return joined
        # values that were filled before are still not observed
        filled = np.zeros(joined.values.shape, bool) if joined.filled is None else joined.filled
        older = np.ones(len(joined), bool)
        older[joined.rows_after(self)] = False
        filled[older] |= self.filled
        return replace(joined, filled=filled)


def ranges(first: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate ranges of ``lengths`` integers that begin at ``first``.

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


def _title(keys: pd.Index, i: int, name: str) -> str:
    # a Python value, because np.int64(7) has that for its repr
    return f"series {keys[i : i + 1].tolist()[0]!r} of {name}"


def _checked(index: pd.MultiIndex, starts: NDArray[np.int64], i: int, keys: pd.Index, name: str) -> pd.Index:
    """The times of a series, checked."""
    times: pd.Index = index[starts[i] : starts[i + 1]].get_level_values(1)
    check_index(times, _title(keys, i, name))
    return times
