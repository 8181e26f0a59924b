"""The series that accuracy is measured on, with their times, and the rows that are kept for the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

ROOT = Path(__file__).parents[2]
# Series that the project may not pass on are read from here, where the folder is.
OPEN_DATA = ROOT.parent / "shared" / "data"


class Case(NamedTuple):
    """A series or frame with a regular index, the steps to forecast, and the rows at its end to test on."""

    y: pd.Series | pd.DataFrame
    horizon: int
    n_test: int

    @property
    def before_test(self) -> pd.Series | pd.DataFrame:
        """What a model may be chosen by."""
        return self.y.iloc[: -self.n_test]


def _read(path: str, time: str, value: str, freq: str, form: str | None = None) -> pd.Series:
    table = pd.read_csv(OPEN_DATA / path)
    values = pd.to_numeric(table[value], errors="coerce")
    series = pd.Series(values.to_numpy(), pd.DatetimeIndex(pd.to_datetime(table[time], format=form)))
    # what is missing is what was last known
    return series.groupby(level=0).last().asfreq(freq).ffill().bfill()


def _etth1() -> pd.DataFrame:
    table = pd.read_csv(ROOT / "notebooks/data/ETTh1.csv", parse_dates=["date"]).set_index("date")
    # the published protocol leaves out what comes after twenty months of 30 days
    return table.iloc[: 20 * 30 * 24].asfreq("h")


def _pm25() -> pd.Series:
    table = pd.read_csv(OPEN_DATA / "weather/beijing_pm25_hourly.csv")
    times = pd.DatetimeIndex(pd.to_datetime(table[["year", "month", "day", "hour"]]))
    return pd.Series(table["pm2.5"].to_numpy(float), times).asfreq("h").ffill().bfill()


CASES: dict[str, Callable[[], Case]] = {
    "etth1": lambda: Case(_etth1(), 24, 2880),
    "etth1 OT": lambda: Case(_etth1()["OT"], 24, 2880),
    # of 60 days that are known, the rest is the test
    "OT 60 days": lambda: Case(_etth1()["OT"].iloc[-60 * 24 - 2880 :], 24, 2880),
    "pm2.5": lambda: Case(_pm25(), 24, 8760),
    "taxi": lambda: Case(_read("nab/realKnownCause/nyc_taxi.csv", "timestamp", "value", "30min"), 48, 2320),
    "melbourne": lambda: Case(_read("weather/melbourne_daily_min_temp.csv", "Date", "Temp", "D"), 7, 730),
    "co2": lambda: Case(_read("classics/co2_weekly.csv", "date", "co2", "7D", "%Y%m%d"), 26, 484),
    "sunspots": lambda: Case(_read("classics/sunspots_monthly.csv", "Month", "Sunspots", "MS"), 12, 520),
    "airline": lambda: Case(_read("classics/airline_passengers.csv", "Month", "Passengers", "MS"), 12, 24),
}
SHIPPED = ("etth1", "etth1 OT", "OT 60 days")


def there() -> list[str]:
    """The names of the series whose data are there."""
    return [name for name in CASES if name in SHIPPED or OPEN_DATA.exists()]
