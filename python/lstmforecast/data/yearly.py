"""What the day of the year adds to a series: a smooth year, fixed dates, and dates such as the fourth Thursday."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import Day, Tick

from lstmforecast.data.index import Frequency, parse_frequency
from lstmforecast.data.season import of_one_word

Array = NDArray[np.float64]
Places = NDArray[np.int64]

# Pairs of sine and cosine: the shortest has two months. What is narrower is left to single dates.
WAVES = 6
LEAST_YEARS = 2
# Level and profile are estimated in turn, each given the other.
ROUNDS = 3
# The level on a weekday is the mean over so many of them, half before and half after: those of a year.
WEEKS = 53
_SHAPES = {"waves": (2 * WAVES,), "dates": (12, 31), "weekdays": (12, 5, 7), "last_weekdays": (12, 7)}


@dataclass(frozen=True)
class YearlyProfile:
    """What each day of the year adds to a series, in its standard deviations: a sum of four parts.

    Attributes
    ----------
    waves : ndarray of shape (12,)
        Weights of sines and cosines of the position in the year.
    dates : ndarray of shape (12, 31)
        By month and day: Christmas.
    weekdays : ndarray of shape (12, 5, 7)
        By month, number of the weekday in the month, and weekday, from Monday on: the fourth Thursday of November.
    last_weekdays : ndarray of shape (12, 7)
        For the last one of a weekday in a month: the last Monday of May.
    """

    waves: Array
    dates: Array
    weekdays: Array
    last_weekdays: Array

    @classmethod
    def of(cls, values: Array, times: pd.Index, freq: Frequency) -> YearlyProfile | None:
        """Estimate it from the rows of one series, by its variables together.

        Each value is compared with the mean of those on the same weekday within half a year, less their profile. Means
        by date and by weekday of the month are shrunk towards zero by empirical Bayes (James and Stein 1961): by what
        chance explains, given the differences from year to year. So are waves.

        Parameters
        ----------
        values : ndarray of shape (n, k)
            NaN where missing.
        times : DatetimeIndex or PeriodIndex of shape (n,)
        freq : str, int, offset or None
            As found by `lstmforecast.data.index.regular_grid`.

        Returns
        -------
        YearlyProfile or None
            None for less than two years, for steps longer than a day, and without times.
        """
        days_of_week = _days_of_week(freq)
        if days_of_week is None or not isinstance(times, pd.DatetimeIndex | pd.PeriodIndex):
            return None
        days, of_row = np.unique(_days(times), return_inverse=True)
        year = 365.25 * days_of_week / 7
        if len(days) < LEAST_YEARS * year:
            return None
        return _estimate(_by_day(values, of_row), pd.DatetimeIndex(days), days_of_week, round(year))

    def at(self, times: pd.DatetimeIndex | pd.PeriodIndex) -> Array:
        """The profile at some times, by the clock on the wall: (n,)."""
        days = pd.DatetimeIndex(_days(times))
        dates, weekdays, last = _places(days)
        found: Array = _waves(days) @ self.waves + self.dates.ravel()[dates] + self.weekdays.ravel()[weekdays]
        found[last >= 0] += self.last_weekdays.ravel()[last[last >= 0]]
        return found

    def pack(self) -> dict[str, Any]:
        """Write as plain values for model files."""
        return {name: getattr(self, name).tolist() for name in _SHAPES}

    @classmethod
    def unpack(cls, saved: Mapping[str, Any]) -> YearlyProfile:
        """Read what `pack` wrote; a ValueError for other shapes, and for what isn't finite."""
        arrays = {name: np.array(saved[name], np.float64) for name in _SHAPES}
        for name, array in arrays.items():
            if array.shape != _SHAPES[name] or not np.isfinite(array).all():
                raise ValueError(f"{name} of a year of shape {array.shape}")
        return cls(**arrays)


def _days_of_week(freq: Frequency) -> int | None:
    """The days of a week that rows are of: 5 for business days; None for longer steps, and what doesn't fit a day."""
    if freq is None or isinstance(freq, int):
        return None
    offset = parse_frequency(freq)
    if type(offset) is pd.DateOffset:
        simple = of_one_word(offset)
        return None if simple is None else _days_of_week(simple)
    if isinstance(offset, Day):
        return 7 if offset.n == 1 else None
    if isinstance(offset, Tick):
        return 7 if pd.Timedelta(days=1) % pd.Timedelta(offset) == pd.Timedelta(0) else None
    return 5 if offset.freqstr == "B" else None


def _days(times: pd.DatetimeIndex | pd.PeriodIndex) -> NDArray[np.datetime64]:
    clock = times.to_timestamp(how="start") if isinstance(times, pd.PeriodIndex) else times.tz_localize(None)
    return clock.to_numpy().astype("datetime64[D]")


def _by_day(values: Array, of_row: Places) -> Array:
    """Means of each day over its rows and the variables, in their standard deviations: (n_days,); NaN for none."""
    known = ~np.isnan(values)
    n = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - np.where(known, values, 0.0).sum(axis=0) / n, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / n)
    scaled = centred / np.where(deviation > 0, deviation, 1.0)
    counts = np.bincount(of_row, known.sum(axis=1))
    sums, unknown = np.bincount(of_row, scaled.sum(axis=1)), np.full(len(counts), np.nan)
    found: Array = np.divide(sums, counts, out=unknown, where=counts > 0)
    return found


def _estimate(x: Array, days: pd.DatetimeIndex, days_of_week: int, year: int) -> YearlyProfile:
    """The profile of a series by day (n,), each part given the others."""
    waves, places = _waves(days), _places(days)
    parts, tables = np.zeros((4, len(x))), [np.zeros(np.prod(shape)) for shape in _SHAPES.values()]
    for _ in range(ROUNDS):
        away = x - _level(x - parts.sum(axis=0), days_of_week)
        known = ~np.isnan(away)
        for i in range(len(parts)):
            rest = away - parts.sum(axis=0) + parts[i]
            if i == 0:
                tables[0] = _shrunken_waves(waves, np.where(known, rest, 0.0), year)
                parts[0] = waves @ tables[0]
            else:
                of = places[i - 1]
                some = known & (of >= 0)
                tables[i] = _shrunken_means(rest[some], of[some], len(tables[i]))
                parts[i] = np.where(of >= 0, tables[i][of], 0.0)
    shaped = (table.reshape(shape) for table, shape in zip(tables, _SHAPES.values(), strict=True))
    return YearlyProfile(*shaped)


def _waves(days: pd.DatetimeIndex) -> Array:
    """Sines and cosines of the position in the year: (n, 2 * WAVES)."""
    position = 2 * np.pi * (days.day_of_year.to_numpy() - 1) / np.where(days.is_leap_year, 366, 365)
    return np.column_stack([wave(n * position) for n in range(1, WAVES + 1) for wave in (np.sin, np.cos)])


def _places(days: pd.DatetimeIndex) -> tuple[Places, Places, Places]:
    """The places of days in the tables by date, by weekday of the month, and by last weekday; -1 where it is not."""
    month, day, weekday = ((each.to_numpy().astype(np.int64)) for each in (days.month, days.day, days.day_of_week))
    dates = (month - 1) * 31 + day - 1
    weekdays = ((month - 1) * 5 + (day - 1) // 7) * 7 + weekday
    last = np.where(days.days_in_month.to_numpy() - day < 7, (month - 1) * 7 + weekday, -1)
    return dates, weekdays, last


def _level(x: Array, days_of_week: int) -> Array:
    """The mean on the same weekday over `WEEKS` weeks around each day, fewer at both ends: (n,)."""
    found = np.empty(len(x))
    for weekday in range(days_of_week):
        own = x[weekday::days_of_week]
        known = ~np.isnan(own)
        sums, counts = (np.concatenate([[0.0], np.cumsum(each)]) for each in (np.where(known, own, 0.0), known))
        at = np.arange(len(own))
        first, end = np.maximum(at - WEEKS // 2, 0), np.minimum(at + WEEKS // 2 + 1, len(own))
        n = counts[end] - counts[first]
        found[weekday::days_of_week] = np.where(n > 0, sums[end] - sums[first], np.nan) / np.maximum(n, 1)
    return found


def _shrunken_waves(waves: Array, rest: Array, year: int) -> Array:
    """Weights of waves, each pair shrunk by what chance explains of it, given its weights in single years."""
    n_years = len(rest) // year
    last = slice(len(rest) - n_years * year, None)
    of_years = (waves[last] * rest[last, np.newaxis]).reshape(n_years, year, -1).sum(axis=1) * 2 / year
    weights = np.linalg.lstsq(waves, rest, rcond=None)[0]
    noise = of_years.var(axis=0, ddof=1) / n_years
    square, chance = ((each.reshape(WAVES, 2).sum(axis=1)) for each in (weights**2, noise))
    kept = np.maximum(1 - np.divide(chance, square, out=np.ones(WAVES), where=square > 0), 0.0)
    shrunken: Array = weights * kept.repeat(2)
    return shrunken


def _shrunken_means(rest: Array, places: Places, n_places: int) -> Array:
    """The mean of ``rest`` at each place (n_places,), shrunk towards 0; 0 where there are fewer than two."""
    n = np.bincount(places, minlength=n_places)
    means = np.bincount(places, rest, n_places) / np.maximum(n, 1)
    within = ((rest - means[places]) ** 2).sum() / max(len(rest) - np.count_nonzero(n), 1)
    noise, several = within / np.maximum(n, 1), n > 1
    between = max(float((means**2 - noise)[several].mean()), 0.0) if several.any() else 0.0
    kept = np.divide(between, between + noise, out=np.zeros(n_places), where=several & (between > 0))
    shrunken: Array = means * kept
    return shrunken
