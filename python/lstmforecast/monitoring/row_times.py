"""Time stamps as they come: gaps, duplicates and clocks that were set back, counted and brought to even steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset

from lstmforecast.data.frequency import inferred
from lstmforecast.data.index import Frequency, alias, alike, stamps_of
from lstmforecast.data.saved_labels import pack_index, unpack_index

# More missing rows than this between two stamps are as good as none: the window holds nothing older.
MOST_FILLED = 336
# A clock that is set back now and then is one thing, rows in no order another.
MOST_BACKWARD = 0.05
KINDS = ("gap", "duplicate", "backward", "missing value")


@dataclass
class Report:
    """What was irregular: how often, how many rows in all, and where first."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, count: int, rows: int, first: Any) -> None:
        """Count some more; ``first`` is the label of the first of them."""
        if count:
            self.counts[kind] += int(count)
            self.rows[kind] += int(rows)
            self.first.setdefault(kind, str(first))

    def merge(self, other: Report) -> None:
        """Count those of another."""
        for kind in KINDS:
            self.add(kind, other.counts[kind], other.rows[kind], other.first.get(kind))

    def frame(self) -> pd.DataFrame:
        """One row for each kind that there was."""
        found = [kind for kind in KINDS if self.counts[kind]]
        columns = {name: [getattr(self, name)[kind] for kind in found] for name in ("counts", "rows", "first")}
        frame = pd.DataFrame(columns, index=pd.Index(found, name="kind", dtype=object))
        return frame.rename(columns={"counts": "count"})

    def __str__(self) -> str:
        words = {
            "gap": "{0} gaps with {1} missing rows (the first before {2})",
            "duplicate": "{0} time stamps that stand twice (the first {2})",
            "backward": "{0} steps back in time (the first to {2})",
            "missing value": "{0} missing values (the first at {2})",
        }
        found = [kind for kind in KINDS if self.counts[kind]]
        return ", ".join(words[kind].format(self.counts[kind], self.rows[kind], self.first[kind]) for kind in found)


@dataclass
class Clock:
    """The step of a series, and its newest stamp.

    Attributes
    ----------
    step : int
        Between two rows, in the units in which pandas counts the index; 0 where there is no index.
    newest : pandas.Index of shape (1,) or None
        The last label; None where there is no index.
    """

    step: int = 0
    newest: pd.Index | None = None

    @classmethod
    def of(cls, index: pd.Index | None) -> Clock:
        """The clock before the first row of an index, whose most common step is taken."""
        if index is None:
            return cls()
        steps = np.diff(stamps_of(index))
        values, counts = np.unique(steps[steps > 0], return_counts=True)
        return cls(int(values[counts.argmax()]) if len(values) else 1)

    def frequency(self, index: pd.Index | None) -> Frequency:
        """The step as a frequency by which a season can be found; None for what isn't time."""
        if isinstance(index, pd.PeriodIndex):
            return index.freqstr
        if not isinstance(index, pd.DatetimeIndex):
            return None
        offset = inferred(index) if index.is_monotonic_increasing else None
        return alias(offset if offset is not None else to_offset(pd.Timedelta(self.step, unit=index.unit)))

    def alike(self, index: pd.Index | None, localise: str) -> pd.Index | None:
        """The index of newer rows in the time zone of the newest stamp; a TypeError if only one has a zone."""
        if isinstance(index, pd.DatetimeIndex) and isinstance(self.newest, pd.DatetimeIndex):
            return alike(self.newest, index, "X", localise)
        return index

    def follows(self, index: pd.Index | None) -> bool:
        """Whether an index goes on after the newest stamp, with no more missing rows than can be filled."""
        if index is None or self.newest is None or not len(index) or type(index) is not type(self.newest):
            return False
        ahead = _stamps(index[:1], self.newest)[0] - stamps_of(self.newest)[0]
        return bool(0 < ahead <= self.step * (MOST_FILLED + 1))

    def read(self, index: pd.Index | None) -> tuple[NDArray[np.int64], Report]:
        """Go on over the rows of an index: the missing rows before each (n,), and what was irregular.

        Raises
        ------
        TypeError
            If there was an index before and none is now, or one of another kind.
        ValueError
            If a label is missing, or rows are in no order.
        """
        report = Report()
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
                f"expected times in ascending order but for a clock set back, got {len(backward)} of {len(index)} rows "
                f"earlier than the row before, the first {index[backward[0]]} (row {backward[0]}); sort with "
                ".sort_index()"
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
        """Write as integers and plain values, for `unpack`."""
        stamps, values = pack_index(self.newest)
        return stamps, {"step": self.step, "newest": values}

    @classmethod
    def unpack(cls, stamps: NDArray[np.int64], values: dict[str, Any]) -> Clock:
        """Read what `pack` wrote."""
        return cls(int(values["step"]), unpack_index(stamps, values["newest"]))


def _stamps(index: pd.Index, like: pd.Index) -> NDArray[np.int64]:
    """The stamps of an index in the units of another; a TypeError for one of another kind."""
    if isinstance(like, pd.DatetimeIndex) and isinstance(index, pd.DatetimeIndex):
        return stamps_of(index.as_unit(like.unit))
    both_numbers = not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) and not isinstance(
        like, pd.DatetimeIndex | pd.PeriodIndex
    )
    if both_numbers or type(index) is type(like):
        return stamps_of(index)
    raise TypeError(f"expected an index like that at fit, {type(like).__name__}, got {type(index).__name__}")


def is_clock(index: pd.Index) -> bool:
    """Whether an index holds times or integers, by which rows can be put in time."""
    return isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or pd.api.types.is_integer_dtype(index.dtype)


def spread(table: NDArray[np.float64], missing: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows (n, k) with rows of NaN where some are missing, and which of them were there."""
    if not missing.any():
        return table, np.ones(len(table), bool)
    places = np.arange(len(table)) + np.cumsum(missing)
    wide = np.full((places[-1] + 1, table.shape[1]), np.nan)
    wide[places] = table
    there = np.zeros(len(wide), bool)
    there[places] = True
    return wide, there
