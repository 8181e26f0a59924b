"""Reads a column of text as times, with one order of day, month and year for all rows."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.epoch_times import UNITS, epoch_times, from_epoch

_NAMES = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october")
_MONTHS = {name[:3]: f"{i + 1:02d}" for i, name in enumerate((*_NAMES, "november", "december"))}
_NAME = r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t|tember)?"
_NAME += r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_ZONE = r"(?:\s*(?P<zone>z|utc|gmt|[+-]\d{2}(?::?\d{2})?))?"
_CLOCK = r"(?:(?:t|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>[.,]\d{1,9})?)?"
_CLOCK += r"(?:\s*(?P<half>[ap]m))?" + _ZONE + ")?"
_COMPACT_CLOCK = r"(?:[t ]?(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2}))?" + _ZONE + ")?"
# The patterns of dates, each with the pattern of the time that may follow.
_LAYOUTS = (
    (r"(?P<year>\d{4})(?P<mark>[-/. ])\s?(?P<month>\d{1,2})(?P=mark)\s?(?P<day>\d{1,2})", _CLOCK),
    (r"(?P<first>\d{1,2})(?P<mark>[-/.])\s?(?P<middle>\d{1,2})(?P=mark)\s?(?P<last>\d{4}|\d{2})", _CLOCK),
    (r"(?P<year>[12]\d{3})(?P<month>\d{2})(?P<day>\d{2})", _COMPACT_CLOCK),
    (_WEEKDAY + r"(?P<day>\d{1,2})[-./ ]?\s?" + _NAME + r"[-./ ,]?\s?(?P<year>\d{4}|\d{2})", _CLOCK),
    (_WEEKDAY + _NAME + r"[-./ ](?P<day>\d{1,2})(?:,\s?|[-./ ])(?P<year>\d{4})", _CLOCK),
    (r"(?P<year>\d{4})[-./ ]" + _NAME + r"[-./ ](?P<day>\d{1,2})", _CLOCK),
    (r"(?P<year>\d{4})[-/](?P<month>\d{1,2})", ""),
    (r"(?P<month>\d{1,2})[-/](?P<year>\d{4})", ""),
    (r"(?P<year>\d{4})[-./ ]" + _NAME, ""),
    (_NAME + r"[-./ ]?(?P<year>\d{4})", ""),
    (r"(?P<year>[12]\d{3})", ""),
    (r"(?P<year>[12]\d{3})[-/ ]?q(?P<quarter>[1-4])", ""),
)
_FLAGS = re.IGNORECASE | re.ASCII
_PATTERNS = [re.compile(date + clock, _FLAGS) for date, clock in _LAYOUTS]
# Shortens values in messages.
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60
# The least share of the time span that rows at the most common step must cover, for times to look like a series.
_LEAST_FILLED = 0.5


class _File(NamedTuple):
    """The name of a file and the line of its first row, for messages."""

    name: str
    first_line: int

    def line(self, row: int) -> str:
        """The line of a row."""
        return f"line {row + self.first_line}"


class _Reading(NamedTuple):
    """Times read with one order of the three numbers: ``"dmy"``, ``"mdy"`` or ``"ymd"``."""

    order: str
    times: pd.Series[Any]


def read_times(
    column: pd.Series[Any],
    time_format: str | None,
    name: str,
    *,
    day_first: bool = False,
    epochs: bool = False,
    first_line: int = 2,
) -> pd.DatetimeIndex:
    """Read a column of a file with a header as times.

    Parameters
    ----------
    column : Series of str
        The times as text; 24:00 is the midnight at the end of a day.
    time_format : str or None
        The format, as for `datetime.datetime.strptime`, or ``"seconds"`` or ``"milliseconds"`` since 1970; None:
        detected from all rows.
    name : str
        The name of the file in messages.
    day_first : bool
        Whether dates such as 03/04/2026 begin with the day; False: detected.
    epochs : bool
        Whether whole numbers may be recognised as seconds or milliseconds since 1970.
    first_line : int
        The line of the first row in messages.

    Returns
    -------
    pandas.DatetimeIndex of shape (n,)
        In UTC if the offsets of rows differ, or rows are seconds since 1970.

    Raises
    ------
    ValueError
        If a row is no time, the order of day and month is ambiguous, or ``day_first`` is given for other dates.
    """
    text, file = column.fillna("").str.strip(), _File(name, first_line)
    if time_format in UNITS:
        times = from_epoch(text, UNITS[time_format])
    elif time_format is not None:
        times = _with_format(text, time_format)
    elif not day_first and (iso := _standard(text)) is not None:
        times = iso
    elif epochs and not day_first and (seconds := epoch_times(text)) is not None:
        times = seconds
    else:
        times = _recognised(text, file, day_first=day_first)
    if times.isna().any():
        raise ValueError(_unreadable(column, int(times.isna().to_numpy().argmax()), file))
    return pd.DatetimeIndex(times, name=column.name)


def _standard(text: pd.Series[Any]) -> pd.Series[Any] | None:
    """Parse ISO 8601 with pandas, which is fast; None if a row has another format."""
    # pandas would read "now" as a time as well
    if not text.str.match(r"\d{4}-\d").all():
        return None
    try:
        times = pd.to_datetime(text, format="ISO8601", errors="coerce")
    except ValueError:  # offsets that differ, or are there for some rows only
        return None
    return None if times.isna().any() else times


def _with_format(text: pd.Series[Any], time_format: str) -> pd.Series[Any]:
    text, next_day = _without_24(text)
    try:
        times = pd.to_datetime(text, format=time_format, errors="coerce")
    except ValueError as error:
        if "%z" not in time_format.lower():
            raise ValueError(f"expected a format such as '%d.%m.%Y' for times, got {time_format!r}: {error}") from error
        # offsets from UTC that differ from row to row, as around a change of clocks
        times = pd.to_datetime(text, format=time_format, errors="coerce", utc=True)
    return times + next_day


def _without_24(text: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Replace 24:00 by 0:00; also returns the day to add."""
    ends = text.str.contains(r"(?<!\d)24:00(?::00)?(?![:\d])")
    if ends.any():
        text = text.str.replace(r"(?<!\d)24:00", "00:00", regex=True)
    return text, pd.to_timedelta(ends.astype(int), unit="D")


def _recognised(text: pd.Series[Any], file: _File, *, day_first: bool) -> pd.Series[Any]:
    text, next_day = _without_24(text)
    pattern = next((each for each in _PATTERNS if each.fullmatch(text.iloc[0])), None) if len(text) else None
    if day_first and len(text) and pattern is not _PATTERNS[1]:
        raise ValueError(
            f"{file.name}: expected dates such as 31.01.2026 in column {text.name!r} for --day-first, got "
            f"{_BRIEF.repr(text.iloc[0])} ({file.line(0)})"
        )
    if pattern is None:
        return pd.Series(pd.NaT, text.index)
    parts = text.str.extract(f"^{pattern.pattern}$", flags=_FLAGS)
    matched = parts.notna().any(axis=1)
    clock = _clock(parts)
    _check_zones(parts, text, matched, file)
    if "first" not in parts:
        return _instants(_date(parts), clock, matched) + next_day
    short = parts["last"].str.len() == 2
    # years of two and of four digits in one column
    matched &= short == short.iloc[0]
    orders = ("dmy",) if day_first else ("dmy", "mdy", "ymd") if short.iloc[0] else ("dmy", "mdy")
    readings = [_Reading(order, _instants(_ordered(parts, order), clock, matched) + next_day) for order in orders]
    return _chosen(readings, text, file)


def _ordered(parts: pd.DataFrame, order: str) -> pd.Series[Any]:
    named = dict(zip(order, ("first", "middle", "last"), strict=True))
    return _date(pd.DataFrame({"year": parts[named["y"]], "month": parts[named["m"]], "day": parts[named["d"]]}))


def _date(parts: pd.DataFrame) -> pd.Series[Any]:
    """The dates as text like 2026-01-31; NaN where parts are missing."""
    year = parts["year"]
    if (year.str.len() == 2).any():
        # as strptime does
        year = year.where(year.str.len() == 4, np.where(pd.to_numeric(year) < 69, "20", "19") + year)
    if "name" in parts:
        month = parts["name"].str[:3].str.lower().map(_MONTHS)
    elif "quarter" in parts:
        month = parts["quarter"].map({"1": "01", "2": "04", "3": "07", "4": "10"})
    else:
        month = parts["month"].str.zfill(2) if "month" in parts else pd.Series("01", parts.index)
    return year + "-" + month + "-" + (parts["day"].str.zfill(2) if "day" in parts else "01")


def _clock(parts: pd.DataFrame) -> pd.Series[Any]:
    """The times of day as text like T12:00:00.5+01:00; midnight if there are none, NaN where they are invalid."""
    if "hour" not in parts:
        return pd.Series("T00:00:00", parts.index)
    hour = parts["hour"].str.zfill(2)
    if "half" in parts and parts["half"].notna().any():
        number, half = pd.to_numeric(parts["hour"]), parts["half"].str.lower()
        twelve = (number % 12 + 12 * (half == "pm")).map("{:02.0f}".format).where(number.between(1, 12))
        hour = hour.where(half.isna(), twelve)
    clock = "T" + hour + ":" + parts["minute"] + ":" + parts["second"].fillna("00")
    if "fraction" in parts:
        clock += parts["fraction"].fillna("").str.replace(",", ".")
    clock = clock.where(parts["hour"].notna(), "T00:00:00")
    if not parts["zone"].notna().any():
        return clock
    zone = parts["zone"].fillna("").str.upper().replace(["Z", "UTC", "GMT"], "+00:00")
    return clock + zone.str.replace(r"^(...):?(..)?$", lambda found: f"{found[1]}:{found[2] or '00'}", regex=True)


def _instants(date: pd.Series[Any], clock: pd.Series[Any], matched: pd.Series[Any]) -> pd.Series[Any]:
    written = (date + clock).where(matched)
    try:
        return pd.to_datetime(written, format="ISO8601", errors="coerce")
    except ValueError:  # offsets from UTC that differ from row to row, as around a change of clocks
        return pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)


def _check_zones(parts: pd.DataFrame, text: pd.Series[Any], matched: pd.Series[Any], file: _File) -> None:
    if "zone" not in parts:
        return
    has_zone = parts["zone"][matched].notna()
    if has_zone.nunique() > 1:
        row = int(np.flatnonzero(matched)[int((has_zone != has_zone.iloc[0]).argmax())])
        raise ValueError(
            f"{file.name}: expected an offset from UTC in every row of column {text.name!r} or in none, got "
            f"{_BRIEF.repr(text.iloc[0])} ({file.line(0)}) and {_BRIEF.repr(text.iloc[row])} ({file.line(row)})"
        )


def _chosen(readings: Sequence[_Reading], text: pd.Series[Any], file: _File) -> pd.Series[Any]:
    """The times in the only order in which all rows are valid; of several orders, the only one with regular steps."""
    possible = [reading for reading in readings if not reading.times.isna().any()]
    if not possible:
        of_no_order = np.logical_and.reduce([reading.times.isna() for reading in readings])
        if of_no_order.any():
            return readings[0].times.mask(of_no_order)
        raise ValueError(_contradiction(readings, text, file))
    alike = [reading.times.equals(possible[0].times) for reading in possible]
    regular = [reading for reading in possible if _is_series(pd.DatetimeIndex(reading.times))]
    chosen = possible[:1] if all(alike) else regular if len(possible) > 1 else possible
    if len(chosen) != 1:
        raise ValueError(_ambiguity(possible, text, file))
    return chosen[0].times


def _is_series(times: pd.DatetimeIndex) -> bool:
    """Whether times ascend or descend, mostly at one step: of constant duration, or of months on the same day."""
    if len(times) < 3:
        return False
    months = np.asarray(times.year * 12 + times.month, np.int64)
    in_months = times.day.nunique() == 1 or bool(times.is_month_end.all())
    return _filled(times.asi8) or (in_months and _filled(months))


def _filled(stamps: NDArray[np.int64]) -> bool:
    steps = np.diff(stamps)
    if not ((steps > 0).all() or (steps < 0).all()):
        return False
    sizes, counts = np.unique(np.abs(steps), return_counts=True)
    return bool(len(steps) * sizes[counts.argmax()] >= _LEAST_FILLED * abs(int(stamps[-1]) - int(stamps[0])))


def _ambiguity(possible: Sequence[_Reading], text: pd.Series[Any], file: _File) -> str:
    row = next(i for i in range(len(text)) if len({reading.times.iloc[i] for reading in possible}) > 1)
    meanings = [
        f"{reading.times.iloc[row]:%d %B %Y} with --time-format {_format(text, reading.order)!r}"
        for reading in possible
    ]
    return (
        f"{file.name}: expected times in column {text.name!r} with an unambiguous order of day and month, got "
        f"{_BRIEF.repr(text.iloc[row])} ({file.line(row)}), which is {' or '.join(meanings)}; say which, or --day-first"
    )


def _contradiction(readings: Sequence[_Reading], text: pd.Series[Any], file: _File) -> str:
    rows = {int(reading.times.isna().to_numpy().argmax()) for reading in readings}
    got = " and ".join(f"{_BRIEF.repr(text.iloc[row])} ({file.line(row)})" for row in sorted(rows))
    return f"{file.name}: expected all times of column {text.name!r} in one order of day, month and year, got {got}"


def _format(text: pd.Series[Any], order: str) -> str:
    """The format of the longest time, for `strptime`."""
    longest = str(text.iloc[int(text.str.len().to_numpy().argmax())])
    found = _PATTERNS[1].fullmatch(longest)
    assert found is not None
    tokens = dict(zip(("first", "middle", "last"), order, strict=True))
    tokens |= {"hour": "H", "minute": "M", "second": "S", "fraction": "f", "half": "p", "zone": "z"}
    written, at = "", 0
    for group, token in tokens.items():
        if found[group] is None:
            continue
        token = {"y": "%Y" if len(found[group]) == 4 else "%y", "f": ".%f"}.get(token, f"%{token}")
        written += longest[at : found.start(group)] + token
        at = found.end(group)
    return written.replace("%H", "%I") if found["half"] else written


def _unreadable(column: pd.Series[Any], row: int, file: _File) -> str:
    value = column.iloc[row]
    shown = _BRIEF.repr(value)
    advice = "say how times are written, as in --time-format '%d.%m.%Y %H:%M'"
    if re.fullmatch(r"\s*[-+]?\d+([.,]\d*)?\s*", str(value)):
        # days of Excel, months such as 202401, hours such as 2034010510: the meaning is unknown
        advice = "write times as 2026-01-31 12:00, or say how they are written, as in --time-format %Y%m%d%H or "
        advice += "--time-format seconds"
    return (
        f"{file.name}, {file.line(row)}: can't read {shown} in column {column.name!r} as a time; {advice}, or number "
        "the rows by naming no column of times"
    )
