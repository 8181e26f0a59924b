"""The tables of a `lstmforecast.ab.ForecastLog`: a row for each forecast, and one for each actual value."""

from __future__ import annotations

import json
import numbers
import re
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd

from lstmforecast.monitoring.ab_database import Alchemy, Database, SQLite

# A row is a forecast; times and values of its steps are JSON arrays.
FORECASTS = (
    "CREATE TABLE IF NOT EXISTS lstmforecast_log (series VARCHAR(200) NOT NULL, model VARCHAR(200) NOT NULL, "
    "origin VARCHAR(40) NOT NULL, last_time VARCHAR(40) NOT NULL, times TEXT NOT NULL, forecast TEXT NOT NULL, "
    "logged DOUBLE PRECISION NOT NULL, PRIMARY KEY (series, model, origin))"
)
ACTUALS = (
    "CREATE TABLE IF NOT EXISTS lstmforecast_actuals (series VARCHAR(200) NOT NULL, time VARCHAR(40) NOT NULL, "
    "value DOUBLE PRECISION NOT NULL, logged DOUBLE PRECISION, PRIMARY KEY (series, time))"
)
# For databases with CREATE INDEX IF NOT EXISTS; without indices, searches in long logs take longer.
INDICES = (
    "CREATE INDEX IF NOT EXISTS lstmforecast_log_by_last ON lstmforecast_log (series, last_time)",
    "CREATE INDEX IF NOT EXISTS lstmforecast_log_by_age ON lstmforecast_log (logged)",
    "CREATE INDEX IF NOT EXISTS lstmforecast_actuals_by_age ON lstmforecast_actuals (logged)",
)
INDEXED = ("sqlite", "postgresql")
# Forecasts of one series by two models from the same origins.
PAIRS = (
    "SELECT a.origin, a.times, a.forecast, b.times, b.forecast FROM lstmforecast_log a "
    "JOIN lstmforecast_log b ON b.series = a.series AND b.origin = a.origin AND b.model = :b "
    "WHERE a.series = :series AND a.model = :a AND a.origin > :origin ORDER BY a.origin LIMIT :most"
)
A_TIME = "SELECT MAX(last_time) FROM lstmforecast_log WHERE series = :series"
NEXT_SERIES = "SELECT MIN(series) FROM lstmforecast_actuals WHERE series > :series"
ENDING = (
    "SELECT model, origin, times, forecast FROM lstmforecast_log "
    "WHERE series = :series AND last_time BETWEEN :first AND :last ORDER BY origin DESC LIMIT :most"
)
KNOWN = "SELECT time, value FROM lstmforecast_actuals WHERE series = :series AND time BETWEEN :first AND :last"
# Pairs read at a time.
PAGE = 500
# Rows of the table of an earlier version moved at a time.
ROWS_PER_MOVE = 20_000
# Most forecasts that end in the times of one call; of more, the newest are used.
MOST_ENDING = 10_000
# Old rows are deleted once this share of the most rows is new, or after so many seconds.
TRIMMED_AFTER, TRIMMED_EVERY = 0.01, 3600.0


class Forecast(NamedTuple):
    """A row of the log; times and forecast are JSON arrays."""

    series: str
    model: str
    origin: str
    last_time: str
    times: str
    forecast: str


class Pair(NamedTuple):
    """Forecasts of two models from an origin for the steps with actual values, and the time of the last step."""

    origin: str
    last_time: str
    a: list[float]
    b: list[float]
    actual: list[float]


class Store:
    """The rows of a log: inserted or replaced by key, read joined, and deleted when they are old.

    Parameters
    ----------
    database : Database
    keep_days : float or None
        Days for which rows are kept; None: no limit.
    max_rows : int or None
        Most rows of each table; None: no limit.
    """

    def __init__(self, database: Database, keep_days: float | None, max_rows: int | None) -> None:
        self.database, self._keep_days, self._max_rows = database, keep_days, max_rows
        self._since_trimmed, self._trimmed_at = 0, 0.0
        for statement in (FORECASTS, ACTUALS):
            database.run(statement)
        if not database.has("logged", "lstmforecast_actuals"):
            database.run("ALTER TABLE lstmforecast_actuals ADD COLUMN logged DOUBLE PRECISION")
            database.run("UPDATE lstmforecast_actuals SET logged = :now", [{"now": time.time()}])
        for statement in INDICES if database.dialect in INDEXED else ():
            database.run(statement)
        if database.has("step", "lstmforecast_forecasts"):
            self._move_steps()
        self._trim()

    def put_forecasts(self, rows: Sequence[Forecast]) -> None:
        """Insert forecasts, or replace those of the same model and origin."""
        self._put("lstmforecast_log", (*Forecast._fields, "logged"), Forecast._fields[:3], rows)

    def put_actuals(self, rows: Sequence[tuple[str, str, float]]) -> None:
        """Insert actual values (series, time, value), or replace those of the same times."""
        self._put("lstmforecast_actuals", ("series", "time", "value", "logged"), ("series", "time"), rows)

    def forecasts(self, models: tuple[str, ...] = ()) -> list[Forecast]:
        """All forecasts, or those of some models."""
        names = {f"model{i}": name for i, name in enumerate(models)}
        where = f" WHERE model IN ({', '.join(f':{name}' for name in names)})" if names else ""
        found = self.database.query(f"SELECT {', '.join(Forecast._fields)} FROM lstmforecast_log{where}", names)
        return [Forecast(*row) for row in found]

    def actuals(self) -> list[Any]:
        """Series, time and value of all actual values."""
        return self.database.query("SELECT series, time, value FROM lstmforecast_actuals")

    def pairs(self, a: str, b: str) -> Iterator[list[Pair]]:
        """Forecasts of both models from the same origins, with actual values: pages of one series each."""
        series = self._first("SELECT MIN(series) FROM lstmforecast_actuals", {})
        while series is not None:
            place = {"a": a, "b": b, "series": series, "origin": "", "most": PAGE}
            while page := self.database.query(PAIRS, place):
                yield self._joined(series, page)
                place["origin"] = page[-1][0]
                if len(page) < PAGE:
                    break
            series = self._first(NEXT_SERIES, {"series": series})

    def errors(self, series: str, first: str, last: str) -> list[tuple[str, str, str, float]]:
        """Series, model, origin and mean absolute error of each forecast whose last step is within a span of time."""
        span = {"series": series, "first": first, "last": last, "most": MOST_ENDING}
        rows = [(*row[:2], json.loads(row[2]), json.loads(row[3])) for row in self.database.query(ENDING, span)]
        known = self._known(series, [each for *_, times, _ in rows for each in times])
        found = []
        for model, origin, times, values in rows:
            pairs = zip(times, values, strict=True)
            each = [abs(value - known[label]) for label, value in pairs if label in known]
            if each:
                found.append((series, model, origin, sum(each) / len(each)))
        return found

    def a_time(self, series: str) -> str | None:
        """The time of a forecast step of a series; None if there is none."""
        found: str | None = self._first(A_TIME, {"series": series})
        return found

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _joined(self, series: str, page: list[Any]) -> list[Pair]:
        rows = [(origin, *map(json.loads, arrays)) for origin, *arrays in page]
        known = self._known(series, [label for row in rows for label in row[1]])
        found = []
        for origin, times, first, others, second in rows:
            steps = [
                (label, a, b, known[label])
                for label, a, other, b in zip(times, first, others, second, strict=False)
                if label in known and label == other
            ]
            if steps:
                labels, *values = map(list, zip(*steps, strict=True))
                found.append(Pair(origin, labels[-1], *values))
        return found

    def _known(self, series: str, labels: list[str]) -> dict[str, float]:
        """Actual values of a series between the first and the last of some times."""
        span = {"series": series, "first": min(labels, default=""), "last": max(labels, default="")}
        return dict(self.database.query(KNOWN, span))

    def _first(self, statement: str, values: dict[str, Any]) -> Any:
        return self.database.query(statement, values)[0][0]

    def _put(self, table: str, columns: tuple[str, ...], key: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
        now = time.time()
        # of several rows of one key the last is used; keys are the first columns
        once = {row[: len(key)]: row for row in rows}
        self.database.put(table, columns, key, [(*row, now) for row in once.values()])
        self._since_trimmed += len(rows)
        many = self._max_rows is not None and self._since_trimmed > TRIMMED_AFTER * self._max_rows
        if many or now - self._trimmed_at > TRIMMED_EVERY:
            self._trim()

    def _trim(self) -> None:
        """Delete rows that are too old or too many."""
        self._since_trimmed, self._trimmed_at = 0, time.time()
        for table in ("lstmforecast_log", "lstmforecast_actuals"):
            limits = [] if self._keep_days is None else [self._trimmed_at - 86_400 * self._keep_days]
            if self._max_rows is not None:
                newest = f"SELECT logged FROM {table} ORDER BY logged DESC LIMIT 1 OFFSET :kept"
                limits += [row[0] for row in self.database.query(newest, {"kept": self._max_rows - 1})]
            if limits:
                self.database.run(f"DELETE FROM {table} WHERE logged < :limit", [{"limit": max(limits)}])

    def _move_steps(self) -> None:
        """Move the table of earlier versions, which has a row for each step, to the table of forecasts."""
        columns, most = "series, model, origin, step, time, value", ROWS_PER_MOVE
        while page := self.database.query(
            f"SELECT {columns} FROM lstmforecast_forecasts ORDER BY series, model, origin, step LIMIT :most",
            {"most": most},
        ):
            groups = [(key, list(rows)) for key, rows in groupby(page, key=lambda row: (row[0], row[1], row[2]))]
            if len(page) == most:
                # the page may end within the last forecast
                groups, most = groups[:-1], most if len(groups) > 1 else 2 * most
            self.put_forecasts(
                [forecast_row(*key, [row[4] for row in rows], [row[5] for row in rows]) for key, rows in groups]
            )
            gone = [dict(zip(("series", "model", "origin"), key, strict=True)) for key, _ in groups]
            where = "series = :series AND model = :model AND origin = :origin"
            self.database.run(f"DELETE FROM lstmforecast_forecasts WHERE {where}", gone)
        self.database.run("DROP TABLE lstmforecast_forecasts")


def forecast_row(series: str, model: str, origin: str, times: list[str], values: list[float]) -> Forecast:
    """A row of the log: times as `write_label` writes them."""
    return Forecast(series, model, origin, times[-1], json.dumps(times), json.dumps(values))


def open_store(url: str, timeout: float, keep_days: float | None, max_rows: int | None) -> Store:
    """The store of a URL; missing tables are created."""
    if not isinstance(url, str) or "://" not in url:
        raise ValueError(f"expected a URL such as 'sqlite:///forecasts.db', got {url!r}")
    if url.startswith("sqlite://"):
        path = url.removeprefix("sqlite://").removeprefix("/") or ":memory:"
        return Store(SQLite(path, timeout), keep_days, max_rows)
    return Store(Alchemy(url), keep_days, max_rows)


def write_label(time: Any) -> str:
    """A time as text: ISO 8601, in UTC if it has a zone; an integer with a sign and nineteen digits."""
    if isinstance(time, numbers.Integral) and not isinstance(time, bool):
        return f"{int(time):+020d}"
    if isinstance(time, pd.Period):
        time = time.to_timestamp()
    if isinstance(time, bool | numbers.Number) or time is None:
        raise TypeError(f"expected a time or an integer, got {time!r}")
    # pandas would take 03/04/2026 for 4 March, and "now" for the time of the call
    if isinstance(time, str) and not re.match(r"\d{4}-\d\d", time):
        raise ValueError(f"expected a time written as 2026-01-31T12:00:00, got {time!r}")
    stamp = pd.Timestamp(time)
    if pd.isna(stamp):
        raise ValueError(f"expected a time or an integer, got {time!r}")
    return (stamp if stamp.tz is None else stamp.tz_convert("UTC")).isoformat()


def read_label(text: str) -> Any:
    """Read a label of `write_label`."""
    return int(text) if text[0] in "+-" else pd.Timestamp(text)
