"""Times as seconds or milliseconds since 1970, recognised where they can be nothing else."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

# The years 1990 to 2100, in seconds.
FIRST, LAST = 631_152_000, 4_102_444_800
Unit = Literal["s", "ms"]
# Units by the words of a format of times, and how many of them a second has.
UNITS: dict[str, Unit] = {"seconds": "s", "milliseconds": "ms"}
_SIZES: dict[Unit, int] = {"s": 1, "ms": 1000}
# Ten digits that are year, month, day and hour.
_HOURS = r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-4])"


def epoch_times(text: pd.Series[Any]) -> pd.Series[Any] | None:
    """Times in UTC, if all rows are whole numbers that are seconds, or all milliseconds, of the years 1990 to 2100.

    None for anything else, and for ten digits that may also be year, month, day and hour, as 2034010510 in all rows.
    """
    if not len(text) or not text.str.fullmatch(r"[1-9]\d{8,12}").all() or text.str.fullmatch(_HOURS).all():
        return None
    numbers = text.astype("int64")
    for unit, size in _SIZES.items():
        if numbers.between(FIRST * size, LAST * size).all():
            return from_epoch(text, unit)
    return None


def from_epoch(text: pd.Series[Any], unit: Unit) -> pd.Series[Any]:
    """Numbers of a unit since 1970 as times in UTC; NaT for what is no number, or too far away."""
    numbers: pd.Series[Any] = pd.to_numeric(text, errors="coerce")
    times: pd.Series[Any] = pd.to_datetime(numbers, unit=unit, utc=True, errors="coerce")
    return times
