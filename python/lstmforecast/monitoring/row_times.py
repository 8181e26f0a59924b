"""Time stamps of rows: gaps, duplicates and steps back in time are counted, and gaps become rows of missing values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset

from lstmforecast.data.frequency import inferred
from lstmforecast.data.index import Frequency, alias, match_index, stamps_of
from lstmforecast.data.saved_labels import pack_index, unpack_index

# Most rows inserted into a gap; windows are shorter.
MOST_FILLED = 336
# Share of the rows that may step back in time, as when a clock is set back; with more, the rows are unsorted.
MOST_BACKWARD = 0.05
KINDS = ("gap", "duplicate", "backward", "missing value")


@dataclass
class Irregularities:
    """What was irregular in the rows: how often, in how many rows, and where first.

    Attributes
    ----------
    counts, rows : dict of str to int
        By the kinds of `KINDS`.
    first : dict of str to str
        The label of the first such row, by kind.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, count: int, rows: int, first: Any) -> None:
        """Add to the counts of a kind; ``first`` is the label of the first row."""
        if count:
            self.counts[kind] += int(count)
            self.rows[kind] += int(rows)
            self.first.setdefault(kind, str(first))

    def add_missing_values(self, table: NDArray[np.float64], index: pd.Index | None) -> None:
        """Count the missing values (NaN) of rows (n, k)."""
        missing = np.isnan(table)
        rows = np.flatnonzero(missing.any(axis=1))
        if len(rows):
            first = rows[0] if index is None else index[rows[0]]
            self.add("missing value", int(missing.sum()), len(rows), first)

    def merge(self, other: Irregularities) -> None:
        """Add the counts of another."""
        for kind in KINDS:
            self.add(kind, other.counts[kind], other.rows[kind], other.first.get(kind))

    def frame(self) -> pd.DataFrame:
        """One row for each kind that occurred: ``count``, ``rows`` and ``first``."""
        found = [kind for kind in KINDS if self.counts[kind]]
        columns = {name: [getattr(self, name)[kind] for kind in found] for name in ("counts", "rows", "first")}
        frame = pd.DataFrame(columns, index=pd.Index(found, name="kind", dtype=object))
        return frame.rename(columns={"counts": "count"})

    def __str__(self) -> str:
        words = {
            "gap": "{0} gaps with {1} missing rows (the first before {2})",
            "duplicate": "{0} duplicate time stamps (the first {2})",
            "backward": "{0} steps back in time (the first to {2})",
            "missing value": "{0} missing values (the first at {2})",
        }
        found = [kind for kind in KINDS if self.counts[kind]]
        return ", ".join(words[kind].format(self.counts[kind], self.rows[kind], self.first[kind]) for kind in found)


@dataclass
class RowTimes:
    """The step from row to row of a series, and the time stamp of its newest row.

    Attributes
    ----------
    step : int
        In the units of the index (``index.asi8`` of times); 0 without an index.
    newest : pandas.Index of shape (1,) or None
        The last label; None without an index, and before the first row.
    """

    step: int = 0
    newest: pd.Index | None = None

    @classmethod
    def of(cls, index: pd.Index | None) -> RowTimes:
        """Start before the first row of an index, with its most common step."""
        if index is None:
            return cls()
        steps = np.diff(stamps_of(index))
        values, counts = np.unique(steps[steps > 0], return_counts=True)
        return cls(int(values[counts.argmax()]) if len(values) else 1)

    def frequency(self, index: pd.Index | None) -> Frequency:
        """The step as a frequency of pandas; None unless the index holds times."""
        if isinstance(index, pd.PeriodIndex):
            return index.freqstr
        if not isinstance(index, pd.DatetimeIndex):
            return None
        offset = inferred(index) if index.is_monotonic_increasing else None
        return alias(offset if offset is not None else to_offset(pd.Timedelta(self.step, unit=index.unit)))

    def match_index(self, index: pd.Index | None, localise: str) -> pd.Index | None:
        """An index of newer rows in the time zone of the newest row; a TypeError if only one of them has a zone."""
        if isinstance(index, pd.DatetimeIndex) and isinstance(self.newest, pd.DatetimeIndex):
            return match_index(self.newest, index, "X", localise)
        return index

    def follows(self, index: pd.Index | None) -> bool:
        """Whether an index continues after the newest row, with a gap of at most `MOST_FILLED` rows."""
        if index is None or self.newest is None or not len(index) or type(index) is not type(self.newest):
            return False
        ahead = _stamps(index[:1], self.newest)[0] - stamps_of(self.newest)[0]
        return bool(0 < ahead <= self.step * (MOST_FILLED + 1))

    def read(self, index: pd.Index | None) -> tuple[NDArray[np.int64], Irregularities]:
        """Continue to the last row of an index; returns the missing rows before each row (n,), and irregularities.

        Raises
        ------
        TypeError
            If the index is of another kind than that of the rows before.
        ValueError
            If a label is missing, or the rows aren't in ascending order.
        """
        report = Irregularities()
        if index is None:
            return np.zeros(0, np.int64), report
        if index.hasnans:
            row = int(np.flatnonzero(index.isna())[0])
            raise ValueError(f"expected a time for every row, got {index[row]} in row {row}; drop such rows")
        before = self.newest if self.newest is not None else index[:1]
        stamps = np.concatenate([stamps_of(before), _stamps(index, before)])
        ahead = np.diff(stamps)
        if self.newest is None:
            ahead[0] = self.step
        backward = np.flatnonzero(ahead < 0)
        if len(backward) > max(1, MOST_BACKWARD * len(index)):
            raise ValueError(
                f"expected times in ascending order, except where a clock is set back, got {len(backward)} of "
                f"{len(index)} rows earlier than the row before, the first {index[backward[0]]} (row {backward[0]}); "
                "sort with .sort_index()"
            )
        missing = np.maximum(np.round(ahead / self.step).astype(np.int64) - 1, 0)
        for kind, rows in (
            ("gap", np.flatnonzero(missing)),
            ("duplicate", np.flatnonzero(ahead == 0)),
            ("backward", backward),
        ):
            if len(rows):
                report.add(kind, len(rows), int(missing[rows].sum()) if kind == "gap" else len(rows), index[rows[0]])
        self.newest = index[-1:]
        return np.minimum(missing, MOST_FILLED), report

    def pack(self) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Turn into integers and plain values, for `unpack`."""
        stamps, values = pack_index(self.newest)
        return stamps, {"step": self.step, "newest": values}

    @classmethod
    def unpack(cls, stamps: NDArray[np.int64], values: dict[str, Any]) -> RowTimes:
        """Read what `pack` wrote."""
        return cls(int(values["step"]), unpack_index(stamps, values["newest"]))


def _stamps(index: pd.Index, like: pd.Index) -> NDArray[np.int64]:
    """The time stamps of an index in the units of another; a TypeError for an index of another kind."""
    if isinstance(like, pd.DatetimeIndex) and isinstance(index, pd.DatetimeIndex):
        return stamps_of(index.as_unit(like.unit))
    both_numbers = not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) and not isinstance(
        like, pd.DatetimeIndex | pd.PeriodIndex
    )
    if both_numbers or type(index) is type(like):
        return stamps_of(index)
    raise TypeError(f"expected an index like that at fit, {type(like).__name__}, got {type(index).__name__}")


def is_time_index(index: pd.Index) -> bool:
    """Whether an index holds times or integers, in which missing rows can be found."""
    return isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or pd.api.types.is_integer_dtype(index.dtype)


def insert_missing_rows(
    table: NDArray[np.float64], missing: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Insert rows of NaN into rows (n, k), ``missing[i]`` before row i; also which of the rows were given.

    Examples
    --------
    >>> insert_missing_rows(np.array([[1.0], [2.0]]), np.array([0, 1]))
    (array([[ 1.],
           [nan],
           [ 2.]]), array([ True, False,  True]))
    """
    if not missing.any():
        return table, np.ones(len(table), bool)
    places = np.arange(len(table)) + np.cumsum(missing)
    wide = np.full((places[-1] + 1, table.shape[1]), np.nan)
    wide[places] = table
    given = np.zeros(len(wide), bool)
    given[places] = True
    return wide, given
