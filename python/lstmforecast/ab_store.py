"""The tables of a `lstmforecast.ab.ForecastLog`, in SQLite or in what SQLAlchemy connects to."""

from __future__ import annotations

import numbers
import re
import sqlite3
import threading
from typing import Any, Protocol

import pandas as pd

Rows = list[dict[str, Any]]

FORECASTS = (
    "CREATE TABLE IF NOT EXISTS lstmforecast_forecasts (series VARCHAR(200) NOT NULL, model VARCHAR(200) NOT NULL, "
    "origin VARCHAR(40) NOT NULL, step INTEGER NOT NULL, time VARCHAR(40) NOT NULL, value DOUBLE PRECISION NOT NULL, "
    "PRIMARY KEY (series, model, origin, step))"
)
ACTUALS = (
    "CREATE TABLE IF NOT EXISTS lstmforecast_actuals (series VARCHAR(200) NOT NULL, time VARCHAR(40) NOT NULL, "
    "value DOUBLE PRECISION NOT NULL, PRIMARY KEY (series, time))"
)
# Of the databases that know IF NOT EXISTS here; without it, errors of long logs take longer to find.
BY_TIME = "CREATE INDEX IF NOT EXISTS lstmforecast_by_time ON lstmforecast_forecasts (series, time)"
INDEXED = ("sqlite", "postgresql")
# Forecasts whose last step lies between two times: the mean size of their errors.
ERRORS = (
    "SELECT f.series, f.model, f.origin, AVG(ABS(s.value - a.value)) FROM lstmforecast_forecasts f "
    "JOIN lstmforecast_forecasts s ON s.series = f.series AND s.model = f.model AND s.origin = f.origin "
    "JOIN lstmforecast_actuals a ON a.series = s.series AND a.time = s.time "
    "WHERE f.series = :series AND f.time BETWEEN :first AND :last AND NOT EXISTS ("
    "SELECT 1 FROM lstmforecast_forecasts l "
    "WHERE l.series = f.series AND l.model = f.model AND l.origin = f.origin AND l.step = f.step + 1) "
    "GROUP BY f.series, f.model, f.origin ORDER BY f.origin"
)
A_TIME = "SELECT MAX(time) FROM lstmforecast_forecasts WHERE series = :series HAVING COUNT(*) > 0"
JOIN = (
    "SELECT f.series, f.model, f.origin, f.step, f.time, f.value, a.value FROM lstmforecast_forecasts f "
    "LEFT JOIN lstmforecast_actuals a ON a.series = f.series AND a.time = f.time"
)


class Connection(Protocol):
    """What both kinds of database do."""

    def run(self, statements: list[tuple[str, Rows]]) -> None:
        """Execute statements, each for all of its rows, in one transaction."""

    dialect: str

    def query(self, statement: str, values: dict[str, Any] | None = None) -> list[Any]:
        """All rows that a statement returns."""

    def close(self) -> None:
        """Let go of the database."""


class Store:
    """Puts rows in, in place of those of the same key, and takes them out joined."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        tables = [FORECASTS, ACTUALS, *([BY_TIME] if connection.dialect in INDEXED else [])]
        connection.run([(table, [{}]) for table in tables])

    def put_forecasts(self, rows: Rows) -> None:
        """All steps of one forecast, in place of what that model said from that origin."""
        columns = ("series", "model", "origin", "step", "time", "value")
        self._put("lstmforecast_forecasts", columns, columns[:3], rows)

    def put_actuals(self, rows: Rows) -> None:
        """What came true, in place of what was posted for the same times."""
        self._put("lstmforecast_actuals", ("series", "time", "value"), ("series", "time"), rows)

    def joined(self, models: tuple[str, ...] = ()) -> list[Any]:
        """Key, model, origin, step, time, forecast and actual or None of all forecasts, or of those of some models."""
        names = {f"model{i}": name for i, name in enumerate(models)}
        where = f" WHERE f.model IN ({', '.join(f':{name}' for name in names)})" if names else ""
        return self._connection.query(JOIN + where, names)

    def errors(self, series: str, first: str, last: str) -> list[Any]:
        """Series, model, origin and mean absolute error of each forecast whose last step lies in a span of time."""
        return self._connection.query(ERRORS, {"series": series, "first": first, "last": last})

    def a_time(self, series: str) -> str | None:
        """The time of one step that was forecast of a series; None: there is none."""
        rows = self._connection.query(A_TIME, {"series": series})
        return str(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _put(self, table: str, columns: tuple[str, ...], key: tuple[str, ...], rows: Rows) -> None:
        # names are ours alone; what users give is bound
        where = " AND ".join(f"{name} = :{name}" for name in key)
        values = ", ".join(f":{name}" for name in columns)
        gone = list({tuple(row[name] for name in key): {name: row[name] for name in key} for row in rows}.values())
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"
        # of the same step or time twice in one call the last counts
        once = {tuple(row[name] for name in (*key, "step") if name in row): row for row in rows}
        if rows:
            self._connection.run([(f"DELETE FROM {table} WHERE {where}", gone), (insert, list(once.values()))])


class SQLite:
    """The standard library's SQLite; one connection, one thread at a time."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, timeout=30)
        # readers don't wait for a writer
        self._database.execute("PRAGMA journal_mode=WAL")

    def run(self, statements: list[tuple[str, Rows]]) -> None:
        """Execute statements, each for all of its rows, in one transaction."""
        with self._lock, self._database:
            for statement, rows in statements:
                self._database.executemany(statement, rows)

    def query(self, statement: str, values: dict[str, Any] | None = None) -> list[Any]:
        """All rows that a statement returns."""
        with self._lock:
            return self._database.execute(statement, values or {}).fetchall()

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class Alchemy:
    """Whatever SQLAlchemy connects to."""

    def __init__(self, url: str) -> None:
        try:
            import sqlalchemy
        except ImportError as error:
            raise ImportError(f'{url.split(":")[0]} needs SQLAlchemy: pip install "lstmforecast[ab]"') from error
        self._text = sqlalchemy.text
        self._engine = sqlalchemy.create_engine(url)
        self.dialect = self._engine.dialect.name

    def run(self, statements: list[tuple[str, Rows]]) -> None:
        """Execute statements, each for all of its rows, in one transaction."""
        with self._engine.begin() as connection:
            for statement, rows in statements:
                connection.execute(self._text(statement), rows)

    def query(self, statement: str, values: dict[str, Any] | None = None) -> list[Any]:
        """All rows that a statement returns."""
        with self._engine.connect() as connection:
            return list(connection.execute(self._text(statement), values or {}).fetchall())

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_store(url: str) -> Store:
    """The store of a URL; tables are made where they are missing."""
    if not isinstance(url, str) or "://" not in url:
        raise ValueError(f"expected a URL such as 'sqlite:///forecasts.db', got {url!r}")
    if url.startswith("sqlite://"):
        return Store(SQLite(url.removeprefix("sqlite://").removeprefix("/") or ":memory:"))
    return Store(Alchemy(url))


def write_label(time: Any) -> str:
    """A time as text: ISO 8601, in UTC if it has a zone; a step's number with a sign and nineteen digits."""
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
    """What `write_label` wrote."""
    return int(text) if text[0] in "+-" else pd.Timestamp(text)
