"""Series with covariates that are known in advance: simulated demand, a grid, shops, and the air of Beijing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tests.accuracy.series import OPEN_DATA

from lstmforecast import datasets

SEED = 0


class Case(NamedTuple):
    """A table with the roles of its columns; forecasts begin ``horizon`` rows apart, at midnight."""

    table: pd.DataFrame
    roles: dict[str, Any]
    horizon: int
    n_test: int
    season: int
    # a column, and functions of it that say nothing new
    column: str
    functions: dict[str, Callable[[pd.Series], pd.Series]]
    # lags of a rival that forecasts all steps at once, and of one that goes step by step
    direct_lags: tuple[int, ...]
    lags: tuple[int, ...]
    options: dict[str, Any] = {}  # noqa: RUF012  # of both estimators

    @property
    def before_test(self) -> Case:
        """What a model may be chosen by: the rows before the test, of which as many again are forecast."""
        times = np.sort(self.table[self.roles["time"]].unique())
        return self._replace(table=self.table[self.table[self.roles["time"]] < times[-self.n_test]])

    def with_columns(self, columns: dict[str, Any]) -> Case:
        """With more known columns."""
        known = [*self.roles["known"], *columns]
        return self._replace(table=self.table.assign(**columns), roles=self.roles | {"known": known})

    def without_columns(self) -> Case:
        """With no known column."""
        table = self.table.drop(columns=self.roles["known"])
        return self._replace(table=table, roles={name: role for name, role in self.roles.items() if name != "known"})


DEGREES: dict[str, Callable[[pd.Series], pd.Series]] = {
    "heating": lambda column: (15 - column).clip(lower=0),
    "cooling": lambda column: (column - 21).clip(lower=0),
}


def _walk(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    noise = rng.normal(size=n) * np.sqrt(1 - memory**2)
    return np.asarray(pd.Series(noise).ewm(alpha=1 - memory, adjust=False).mean()) / (1 - memory)


def demand(n_days: int = 1096) -> pd.DataFrame:
    """Half-hourly demand in MW: heating and cooling by time of day, holidays like Sundays, calls to save energy."""
    rng, times = np.random.default_rng(SEED), pd.date_range("2022-01-01", periods=48 * n_days, freq="30min")
    n, hour, day = len(times), times.hour + times.minute / 60, times.day_of_year
    temperature = 12 - 9 * np.cos(2 * np.pi * (day - 20) / 365.25) - 4 * np.cos(2 * np.pi * (hour - 3) / 24)
    temperature = np.asarray(temperature) + 4 * _walk(rng, n, 0.997)
    days = np.arange(n) // 48
    holiday = (rng.random(n_days) < 0.03)[days]
    # on one day of ten customers are asked to save, with more or less of a reward; its effect saturates
    call = np.where(rng.random(n_days) < 0.1, rng.choice([0.3, 0.6, 1.0], n_days), 0.0)[days]
    free, hour = holiday | (times.day_of_week == 6), np.asarray(hour)
    morning, evening = np.exp(-(((hour - 7.5) / 1.8) ** 2)), np.exp(-(((hour - 19) / 2.5) ** 2))
    noon, awake = np.exp(-(((hour - 14) / 4) ** 2)), 1 / (1 + np.exp(-(hour - np.where(free, 8.5, 6.5)) / 0.7))
    people = 3000 + 900 * awake + np.where(free, 0, 700) * noon + 600 * evening
    heating = np.clip(15 - temperature, 0, None) * (40 + 70 * morning + 60 * evening)
    cooling = np.clip(temperature - 21, 0, None) * (20 + 110 * noon)
    saved = 450 * (1 - np.exp(-4 * call)) * (evening + 0.4 * morning)
    noise = 60 * _walk(rng, n, 0.98) + 40 * _walk(rng, n, 0.9) + 80 * _walk(rng, n, 0.9995)
    load = people + heating + cooling - saved + noise
    columns = {"time": times, "load": load, "temperature": temperature, "holiday": holiday, "call": call}
    return pd.DataFrame(columns)


def pm25() -> pd.DataFrame:
    """Hourly fine dust with the weather measured at the same hour, as if it had been forecast without error."""
    table = pd.read_csv(OPEN_DATA / "weather/beijing_pm25_hourly.csv")
    table["time"] = pd.to_datetime(table[["year", "month", "day", "hour"]])
    table["pm2.5"] = table["pm2.5"].ffill().bfill()
    return table[["time", "pm2.5", "DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir"]]


def _hourly(table: pd.DataFrame, target: str, known: list[str], column: str, n_days: int) -> Case:
    roles = {"target": target, "time": "time", "known": known}
    direct, lags = (*range(24, 49), 168, 336), (*range(1, 49), 168, 336)
    return Case(table, roles, 24, 24 * n_days, 24, column, DEGREES, direct, lags, {"calendar": "auto"})


def _demand() -> Case:
    roles = {"target": "load", "time": "time", "known": ["temperature", "holiday", "call"]}
    direct, lags = (*range(48, 97), 336, 672), (*range(1, 97), 336, 672)
    return Case(demand(), roles, 48, 48 * 60, 48, "temperature", DEGREES, direct, lags, {"calendar": "auto"})


def _retail() -> Case:
    roles = {"target": "sales", "series": "shop", "time": "day", "known": ["price", "promo", "open", "holiday"]}
    functions = {"squared": np.square, "above 5": lambda column: (column - 5).clip(lower=0)}
    options, direct = {"calendar": "auto", "missing": "mask"}, (*range(14, 29), 35, 42)
    table = datasets.retail()[0].drop(columns="region")
    return Case(table, roles, 14, 56, 7, "price", functions, direct, tuple(range(1, 29)), options)


CASES: dict[str, Callable[[], Case]] = {
    "demand, simulated": _demand,
    "energy": lambda: _hourly(datasets.energy()[0], "load", ["temperature"], "temperature", 60),
    "retail": _retail,
    "pm2.5": lambda: _hourly(pm25(), "pm2.5", ["DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir"], "TEMP", 365),
}
OPEN = ("pm2.5",)


def missing(name: str) -> str | None:
    """Why a case can't run; None if it can."""
    if name in OPEN and not OPEN_DATA.exists():
        return f"skipped: expected the open data in {OPEN_DATA}"
    return None
