"""Times in requests and answers: read and written for pandas, or by NumPy alone if steps have a constant length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, Day, Tick

from lstmforecast.data.index import Frequency, parse_frequency
from lstmforecast.data.local_time import elapsed, localize
from lstmforecast.data.observations import Observations

# Rows of the grid for each given time; times with more are not a series with gaps.
_MOST_MISSING = 20
# Greatest whole number that all readers of JSON keep exact.
_LARGEST = 2**53
_ZONE = re.compile(r"(Z|[T ].*[+-]\d\d(:?\d\d)?)$")
# pandas reads more than these, such as "now" and parts of dates, which are no times of rows.
_DAY, _TIME_OF_DAY = r"\d{4}-\d\d-\d\d", r"[T ]\d\d:\d\d(:\d\d([.]\d{1,9})?)?"
_DATETIME = re.compile(rf"{_DAY}({_TIME_OF_DAY}(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)
_PERIOD = re.compile(rf"\d{{4}}(-?Q[1-4]|-\d\d)?|{_DAY}({_TIME_OF_DAY}|/{_DAY})?", re.ASCII)
# Years with four digits that JSON libraries can write.
_FIRST_YEAR, _LAST_YEAR = 1, 9998
_FIRST, _LAST = np.datetime64(f"{_FIRST_YEAR:04d}", "s"), np.datetime64(f"{_LAST_YEAR}-12-31T23:59:59")


@dataclass(frozen=True)
class TimeFormat:
    """How the times of a model are written.

    Attributes
    ----------
    kind : {"datetime", "period", "integer", "none"}
    freq : str, int, offset or None
        Frequency of the model's index.
    zone : Any
        Time zone of the model's index; None without one.
    step : timedelta64 or None
        The length of a step, if it is constant and there is no time zone.
    """

    kind: str
    freq: Frequency
    zone: Any = None
    step: np.timedelta64 | None = None

    @classmethod
    def of(cls, observations: Observations) -> TimeFormat:
        """The format for the index of the data that a model was fitted to."""
        index, freq = observations.index, observations.freq
        if isinstance(index, pd.MultiIndex):
            index = index.levels[-1]
        if index is None:
            return cls("none", None)
        if isinstance(index, pd.PeriodIndex):
            return cls("period", freq)
        if not isinstance(index, pd.DatetimeIndex):
            return cls("integer", freq)
        return cls("datetime", freq, index.tz, None if index.tz is not None else _step(parse_frequency(freq)))

    def after(self, times: list[Any], steps: int) -> Any:
        """The times of the steps after these; None if `read` is needed, or an error must be found.

        Only for times such as 2026-01-31T12:00:00, also without seconds or as days, at steps of whole seconds.
        """
        stamps = self.plain(times)
        if stamps is None or self.step is None:
            return None
        if len(stamps) > 1 and not (stamps[1:] - stamps[:-1] == self.step).all():
            return None
        ahead = stamps[-1] + self.step * np.arange(1, steps + 1)
        if stamps[0] < _FIRST or ahead[-1] > _LAST:
            check_years(np.array([stamps[0], ahead[-1]]))
        return ahead

    def plain(self, times: list[Any]) -> Any:
        """Times in NumPy's type, in seconds; None unless all exist and are written as `after` says."""
        if self.step is None or not _are_plain(times):
            return None
        try:
            return np.array(times, "datetime64[s]")
        except ValueError:  # such as the 31st of February
            return None

    def read(self, times: list[Any]) -> pd.Index:
        """The times as an index like that of the model.

        Raises
        ------
        ValueError, OverflowError
            If a time can't be read, or the times span many more rows than there are.
        """
        if self.kind in ("datetime", "period"):
            _check_written(times, _DATETIME if self.kind == "datetime" else _PERIOD)
        try:
            index = self._parsed(times)
        except (ValueError, OverflowError) as error:
            if str(error).startswith("expected"):
                raise
            raise ValueError("expected dates and times that exist, of one zone, got others") from error
        check_years(index)
        return index

    def _parsed(self, times: list[Any]) -> pd.Index:
        if self.kind == "integer":
            integers: pd.Index = pd.Index(np.array(times, np.int64))
            step = self.freq if isinstance(self.freq, int) else 1
            if max(map(abs, times)) > _LARGEST:
                raise ValueError(f"expected times between -2**53 and 2**53, got {max(times, key=abs)}")
            _check_span(times[-1] - times[0], step, len(times))
            return integers
        if self.kind == "period":
            periods = pd.PeriodIndex(times, freq=str(self.freq))
            assert periods.freq is not None
            _check_span(int(periods.asi8[-1] - periods.asi8[0]), periods.freq.n, len(times))
            return periods
        return self._read_datetimes(times)

    def _read_datetimes(self, times: list[str]) -> pd.DatetimeIndex:
        has_offset = [bool(_ZONE.search(time)) for time in times]
        if self.zone is None and any(has_offset):
            got = times[has_offset.index(True)]
            raise ValueError(
                "expected times without an offset from UTC, such as 2026-01-31T12:00:00, as the model has no time "
                f"zone, got {got!r}"
            )
        if any(has_offset) and not all(has_offset):
            got = times[has_offset.index(False)]
            raise ValueError(f"expected an offset from UTC in all times or in none, got {got!r} without one")
        index = pd.DatetimeIndex(pd.to_datetime(times, format="ISO8601", utc=all(has_offset)))
        if self.zone is None:
            return index
        if index.tz is not None:
            return index.tz_convert(self.zone)
        if not elapsed(parse_frequency(self.freq)):
            return localize(index, self.zone)
        try:
            return index.tz_localize(self.zone, ambiguous="infer")
        except ValueError as error:
            raise ValueError(
                f"expected times with their offset from UTC, such as 2026-01-31T12:00:00+01:00, where clocks are put "
                f"forward or back, got local times of {self.zone} that exist twice or not at all"
            ) from error

    @staticmethod
    def written(index: pd.Index) -> list[Any]:
        """Times for an answer: ISO 8601, or whole numbers."""
        if isinstance(index, pd.MultiIndex):
            index = index.get_level_values(-1)
        check_years(index)
        if isinstance(index, pd.DatetimeIndex):
            return [time.isoformat() for time in index]
        return index.astype(str).tolist() if isinstance(index, pd.PeriodIndex) else index.tolist()


def _are_plain(times: list[str]) -> bool:
    """Whether all are written as 2026-01-31, 2026-01-31T12:00 or 2026-01-31 12:00:00: NumPy warns about zones."""
    length = len(times[0])
    if length not in (10, 16, 19) or set(map(len, times)) != {length}:
        return False
    joined = "".join(times)
    # no sign before a year, no zone at the end
    if not (joined[::length] + joined[length - 1 :: length]).isdigit():
        return False
    # after the minutes there could be a zone of two digits
    colons = joined[13::length] * (length > 10) + joined[16::length] * (length > 16)
    return set(joined[4::length] + joined[7::length]) == {"-"} and set(colons) <= {":"}


def _check_written(times: list[str], form: re.Pattern[str]) -> None:
    wrong = next((i for i, time in enumerate(times) if not form.fullmatch(time)), None)
    if wrong is not None:
        example = "2026-01-31T12:00:00" if form is _DATETIME else "2026-01 or 2026Q1"
        raise ValueError(f"expected times such as {example}, got {times[wrong][:40]!r} in row {wrong}")


def check_years(times: Any) -> None:
    """Raise a ValueError for years that can't be written; of an index, or of NumPy's times."""
    if isinstance(times, np.ndarray):
        years = times.astype("datetime64[Y]").astype(int) + 1970
    elif isinstance(times, pd.DatetimeIndex | pd.PeriodIndex):
        years = np.asarray(times.year)
    else:
        return
    wrong = (years < _FIRST_YEAR) | (years > _LAST_YEAR)
    if wrong.any():
        raise ValueError(
            f"expected times, and steps ahead, of the years {_FIRST_YEAR} to {_LAST_YEAR}, got {years[wrong][0]}"
        )


def _step(offset: BaseOffset) -> np.timedelta64 | None:
    """The length of a step in seconds; None if it isn't constant or not whole seconds."""
    if isinstance(offset, Day):
        return np.timedelta64(offset.n * 86_400, "s")
    if not isinstance(offset, Tick) or pd.Timedelta(offset) % pd.Timedelta(seconds=1):
        return None
    return np.timedelta64(pd.Timedelta(offset) // pd.Timedelta(seconds=1), "s")


def _check_span(span: int, step: int, n_rows: int) -> None:
    if abs(span) > _MOST_MISSING * (n_rows + 50) * abs(step):
        raise ValueError(f"expected times at a constant step of {step}, got {n_rows} of them that span {span}")
