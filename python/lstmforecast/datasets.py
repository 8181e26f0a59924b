"""Simulated tables to try things on: sales of shops, and the load of a power grid. Nothing is downloaded.

The tables have what real ones have: promotions, holidays, closed days, missing rows, late starts, clock changes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.holiday import EasterMonday, GoodFriday, Holiday
from pandas.tseries.offsets import Day, Easter

from lstmforecast.fitting.parameters import check_count

__all__ = ["energy", "retail"]

Array = NDArray[np.float64]
START = "2023-06-01"
REGIONS = ("north", "south", "west")
# Sales on Monday to Sunday, as shares of the mean of open days.
WEEK = np.array([0.92, 0.86, 0.88, 0.95, 1.15, 1.35, 1.0])


def __dir__() -> list[str]:
    return __all__


# The public holidays of the whole of Germany.
HOLIDAYS = [
    Holiday("New Year", month=1, day=1),
    GoodFriday,
    EasterMonday,
    Holiday("Labour Day", month=5, day=1),
    Holiday("Ascension", month=1, day=1, offset=[Easter(), Day(39)]),
    Holiday("Whit Monday", month=1, day=1, offset=[Easter(), Day(50)]),
    Holiday("German Unity Day", month=10, day=3),
    Holiday("Christmas Day", month=12, day=25),
    Holiday("Second Day of Christmas", month=12, day=26),
]


def retail(
    n_shops: int = 100, n_days: int = 731, *, n_ahead: int = 14, random_state: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate the daily sales of shops, with promotions, prices, holidays and closed days, and the plan ahead.

    Sales are counts. They depend on the day of the week, the time of the year, the price, promotions (more in some
    shops than in others), and holidays: the days before them sell more. Nine of ten shops are closed on Sundays, and
    all on holidays. Half of the shops that close have a row with 0 sales for these days, the others have no row. One
    row in a hundred is missing besides, and one shop in six opened later than the first day.

    Parameters
    ----------
    n_shops : int, default=100
        Shops.
    n_days : int, default=731
        Days from 1 June 2023: by default two years.
    n_ahead : int, default=14
        Days of the plan.
    random_state : int, default=0
        Seed: the same numbers give the same tables.

    Returns
    -------
    sales : DataFrame
        A row for each shop and day: ``shop``, ``day``, ``sales`` (units), ``price``, ``promo``, ``open``, ``holiday``
        and ``region`` of the shop. All but the sales are known in advance.
    plan : DataFrame of n_shops * n_ahead rows
        The days after: the same columns without ``sales``.

    Raises
    ------
    TypeError, ValueError
        If a number is not a whole number from 1.

    Examples
    --------
    >>> from lstmforecast import datasets
    >>> sales, plan = datasets.retail(n_shops=10, n_days=100)
    >>> list(sales)
    ['shop', 'day', 'sales', 'price', 'promo', 'open', 'holiday', 'region']
    >>> print(sales["day"].max().date(), plan["day"].min().date(), len(plan))
    2023-09-08 2023-09-09 140
    """
    n_shops, n_days = check_count("n_shops", n_shops), check_count("n_days", n_days)
    days = pd.date_range(START, periods=n_days + check_count("n_ahead", n_ahead), freq="D")
    rng = np.random.default_rng(random_state)
    rest = _is_holiday(days)
    # customers stock up: the day before a day on which all are closed, twice so before two of them
    before = 1 + 0.35 * _next(rest, 1) + 0.15 * _next(rest, 2)
    # the weeks before Christmas
    advent = np.clip(1 - np.abs((days - pd.to_datetime(days.year.astype(str) + "-12-20")).days) / 24, 0, None)
    year = 1 + 0.3 * np.asarray(advent) + 0.08 * np.sin(2 * np.pi * (days.day_of_year.to_numpy() - 100) / 365.25)
    week = WEEK[days.day_of_week.to_numpy()]
    tables = [_shop(rng, f"shop {i + 1:03}", days, rest, before * year, week) for i in range(n_shops)]
    past, ahead = [], []
    for table in tables:
        kept = table.iloc[:n_days][_reported(rng, table["open"].to_numpy()[:n_days])]
        past.append(kept)
        ahead.append(table.iloc[n_days:])
    return pd.concat(past, ignore_index=True), pd.concat(ahead, ignore_index=True).drop(columns="sales")


def _shop(
    rng: np.random.Generator, name: str, days: pd.DatetimeIndex, rest: Array, common: Array, week: Array
) -> pd.DataFrame:
    """All days of a shop; ``common`` and ``week`` are what the time of the year and the day of the week do to all."""
    n = len(days)
    is_open = ((days.day_of_week.to_numpy() < 6) | (rng.random() < 0.1)) & (rest == 0)
    size, list_price = rng.lognormal(4.2, 0.7), rng.uniform(3, 9)
    # promotions last a week, and begin on a Monday
    weeks = (np.arange(n) + days[0].day_of_week) // 7
    promo = (rng.random(weeks[-1] + 1) < 0.2)[weeks]
    dearer = (1 + 0.04 * (days.year.to_numpy() - days[0].year)) * list_price
    price = np.round(dearer * np.where(promo, rng.choice([0.75, 0.85], weeks[-1] + 1)[weeks], 1.0), 2)
    trend = np.exp(rng.normal(0, 0.15) * np.arange(n) / 365.25 + 0.12 * _walk(rng, n, 0.97))
    uplift = (1 + rng.uniform(0.1, 0.5) * promo) * (price / dearer) ** rng.uniform(-2.0, -1.0)
    own_week = week ** rng.uniform(0.5, 1.8)
    expected = size * common * own_week * uplift * trend * is_open
    # a negative binomial count: its variance is m + m² / 40
    sales = rng.poisson(expected * rng.gamma(40, 1 / 40, n)).astype(np.float64)
    table = pd.DataFrame({"shop": name, "day": days, "sales": sales, "price": price, "promo": promo, "open": is_open})
    return table.assign(holiday=rest > 0, region=REGIONS[rng.integers(len(REGIONS))])


def _reported(rng: np.random.Generator, is_open: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which days of a shop have a row: late starts, closed days of half of the shops, and gaps."""
    n, reports_closed = len(is_open), rng.random() < 0.5
    begin = rng.integers(n // 8, n // 2 + 1) if rng.random() < 1 / 6 else 0
    kept = (np.arange(n) >= begin) & (rng.random(n) >= 0.01) & (is_open | reports_closed)
    # every shop has a last day
    kept[-1] = True
    return kept


def energy(n_days: int = 731, *, n_ahead: int = 24, random_state: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate the hourly load of a power grid in Germany, with forecasts of the temperature, and the weather ahead.

    People live by local time, so that the clock changes move the load. It is lower at weekends and on public holidays,
    and higher where it is cold or hot: of the last two days, because houses cool slowly.

    Parameters
    ----------
    n_days : int, default=731
        Days from 1 June 2023: by default two years.
    n_ahead : int, default=24
        Hours of the weather ahead.
    random_state : int, default=0
        Seed: the same numbers give the same tables.

    Returns
    -------
    hours : DataFrame
        A row for each hour: ``time`` (in the time zone Europe/Berlin), ``load`` (MW), and ``temperature`` (°C) as it
        was forecast the day before, with a mean absolute error of 1 °C.
    weather : DataFrame of n_ahead rows
        The hours after: ``time`` and ``temperature``.

    Raises
    ------
    TypeError, ValueError
        If a number is not a whole number from 1.

    Examples
    --------
    >>> from lstmforecast import datasets
    >>> hours, weather = datasets.energy(n_days=100)
    >>> list(hours), len(hours), list(weather), len(weather)
    (['time', 'load', 'temperature'], 2400, ['time', 'temperature'], 24)
    """
    begin = pd.Timestamp(START, tz="Europe/Berlin")
    # a day of local time has 23 to 25 hours
    n_past = int((begin + pd.DateOffset(days=check_count("n_days", n_days)) - begin) / pd.Timedelta(hours=1))
    times = pd.date_range(begin, periods=n_past + check_count("n_ahead", n_ahead), freq="h")
    n, rng = len(times), np.random.default_rng(random_state)
    hour, day = times.hour.to_numpy(), times.day_of_year.to_numpy()
    summer = np.cos(2 * np.pi * (day - 200) / 365.25)
    temperature = 10 + 9 * summer + (3 + 2 * summer) * np.cos(2 * np.pi * (hour - 15) / 24) + 4 * _walk(rng, n, 0.99)
    felt = pd.Series(temperature).ewm(halflife=12).mean().to_numpy()
    weather = 14 * np.clip(15 - felt, 0, None) + 18 * np.clip(felt - 21, 0, None)

    free = (times.day_of_week.to_numpy() == 6) | (_is_holiday(times) > 0)
    saturday = (times.day_of_week.to_numpy() == 5) & ~free
    rise = np.where(free, 9.5, np.where(saturday, 8.5, 6.5))
    awake = 1 / (1 + np.exp(-(hour - rise) / 0.8)) / (1 + np.exp((hour - 22) / 0.9))
    work = np.where(free, 0.0, np.where(saturday, 0.35, 1.0)) * np.exp(-(((hour - 12.5) / 4.5) ** 4))
    evening = np.exp(-(((hour - 19) / 2) ** 2)) * (1 - 0.4 * summer)
    holidays_of_winter = (times.month == 12) & (times.day >= 24)
    people = (900 + 280 * awake + 260 * work + 130 * evening) * np.where(holidays_of_winter, 0.93, 1.0)
    load = (people + weather) * (1 + 0.008 * _walk(rng, n, 0.9) + 0.01 * _walk(rng, n, 0.995))
    forecast = temperature + 1.25 * _walk(rng, n, 0.95)
    table = pd.DataFrame({"time": times, "load": load.round(1), "temperature": forecast.round(1)})
    return table[:n_past], table[n_past:].drop(columns="load").reset_index(drop=True)


def _is_holiday(times: pd.DatetimeIndex) -> Array:
    """1 on public holidays, 0 else."""
    days = times.tz_localize(None).normalize()
    found = [rule.dates(days[0], days[-1]) for rule in HOLIDAYS]
    return days.isin(found[0].append(found[1:])).astype(np.float64)


def _next(flags: Array, steps: int) -> Array:
    """The flags of the day so many days later; 0 after the end."""
    return np.append(flags[steps:], np.zeros(min(steps, len(flags))))[: len(flags)]


def _walk(rng: np.random.Generator, n: int, memory: float) -> Array:
    """An AR(1) process of standard deviation 1."""
    noise = rng.normal(size=n)
    noise[1:] *= np.sqrt(1 - memory**2)
    found = np.empty(n)
    last = 0.0
    for i, each in enumerate(noise):
        found[i] = last = memory * last + each
    return found
