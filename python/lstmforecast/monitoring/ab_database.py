"""The databases of a log of forecasts: SQLite, or any that SQLAlchemy connects to. Their errors are OSError."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

Values = dict[str, Any]
# Most values in one statement: SQLite allows 32,766.
_MOST_BOUND = 10_000


class Database(Protocol):
    """The methods of both kinds of database. All errors of the database are OSError."""

    dialect: str

    def run(self, statement: str, values: Sequence[Values] = ({},)) -> None:
        """Execute a statement once for each of ``values``, in one transaction."""

    def put(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of different keys into a table, or replace those of the same keys, in one transaction."""

    def query(self, statement: str, values: Values | None = None) -> list[Any]:
        """All rows that a statement returns."""

    def has(self, column: str, table: str) -> bool:
        """Whether there is a table with this column."""

    def close(self) -> None:
        """Close the connection to the database."""


class SQLite:
    """SQLite of the standard library: a connection that writes and, for files, another one that reads.

    Parameters
    ----------
    path : str
        A file, or ``":memory:"``.
    timeout : float
        Seconds to wait while another process locks the file.
    """

    dialect = "sqlite"

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._writer, self._writing = self._connect(timeout), threading.RLock()
        with self._errors_as_oserror():
            # readers don't wait for the writer; only a crash of the machine can lose the last rows
            self._writer.execute("PRAGMA journal_mode=WAL")
            self._writer.execute("PRAGMA synchronous=NORMAL")
        in_memory = path in ("", ":memory:")
        self._reader, self._reading = (
            (self._writer, self._writing) if in_memory else (self._connect(timeout), threading.RLock())
        )

    def run(self, statement: str, values: Sequence[Values] = ({},)) -> None:
        """Execute a statement once for each of ``values``, in one transaction."""
        with self._errors_as_oserror(), self._writing, self._writer:
            self._writer.executemany(statement, values)

    def put(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows into a table, or replace those of the same key, in one transaction."""
        # many rows in a statement: after each statement the thread waits for the interpreter's lock
        most = _MOST_BOUND // len(columns)
        one = f"({', '.join('?' * len(columns))})"
        with self._errors_as_oserror(), self._writing, self._writer:
            for start in range(0, len(rows), most):
                part = rows[start : start + most]
                insert = f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES "
                self._writer.execute(insert + ", ".join([one] * len(part)), [value for row in part for value in row])

    def query(self, statement: str, values: Values | None = None) -> list[Any]:
        """All rows that a statement returns."""
        with self._errors_as_oserror(), self._reading:
            return self._reader.execute(statement, values or {}).fetchall()

    def has(self, column: str, table: str) -> bool:
        """Whether there is a table with this column."""
        return any(row[1] == column for row in self.query(f"PRAGMA table_info({table})"))

    def close(self) -> None:
        """Close the file once no other thread uses it: else SQLite crashes."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    def _connect(self, timeout: float) -> sqlite3.Connection:
        with self._errors_as_oserror():
            # few statements are cached: inserts are long, and each number of rows makes another
            return sqlite3.connect(self._path, timeout=timeout, check_same_thread=False, cached_statements=5)

    @contextmanager
    def _errors_as_oserror(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(f"can't use the log {self._path}: {error}") from error


class Alchemy:
    """Any database that SQLAlchemy connects to.

    Parameters
    ----------
    url : str
        URL of SQLAlchemy.
    """

    def __init__(self, url: str) -> None:
        try:
            import sqlalchemy
        except ImportError as error:
            raise ImportError(f'{url.split(":")[0]} needs SQLAlchemy: pip install "lstmforecast[ab]"') from error
        self._library = sqlalchemy
        self._engine = sqlalchemy.create_engine(url)
        self.dialect = self._engine.dialect.name

    def run(self, statement: str, values: Sequence[Values] = ({},)) -> None:
        """Execute a statement once for each of ``values``, in one transaction."""
        with self._errors_as_oserror(), self._engine.begin() as connection:
            connection.execute(self._library.text(statement), list(values))

    def put(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows into a table, or replace those of the same key, in one transaction."""
        once = [dict(zip(columns, row, strict=True)) for row in rows]
        # names are constants of this package; values of users are bound
        where = " AND ".join(f"{name} = :{name}" for name in key)
        values = ", ".join(f":{name}" for name in columns)
        if not once:
            return
        with self._errors_as_oserror(), self._engine.begin() as connection:
            gone = [{name: row[name] for name in key} for row in once]
            connection.execute(self._library.text(f"DELETE FROM {table} WHERE {where}"), gone)
            insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"
            connection.execute(self._library.text(insert), once)

    def query(self, statement: str, values: Values | None = None) -> list[Any]:
        """All rows that a statement returns."""
        with self._errors_as_oserror(), self._engine.connect() as connection:
            return list(connection.execute(self._library.text(statement), values or {}).fetchall())

    def has(self, column: str, table: str) -> bool:
        """Whether there is a table with this column."""
        with self._errors_as_oserror():
            inspector = self._library.inspect(self._engine)
            return inspector.has_table(table) and any(each["name"] == column for each in inspector.get_columns(table))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _errors_as_oserror(self) -> Iterator[None]:
        try:
            yield
        except self._library.exc.DBAPIError as error:
            raise OSError(f"can't use the log {self._engine.url!r}: {error.orig}") from error
