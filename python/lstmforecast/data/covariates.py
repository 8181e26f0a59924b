"""Features beside the targets: known and past covariates, calendar features and static features."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.calendar import VERSION, calendar_features, calendar_names
from lstmforecast.data.category import Category, in_numbers, words_of
from lstmforecast.data.columns import Columns
from lstmforecast.data.container import read_table
from lstmforecast.data.covariate_table import Table
from lstmforecast.data.frames import to_pandas
from lstmforecast.data.index import Frequency
from lstmforecast.data.observations import Missing, Observations
from lstmforecast.data.panel_index import indexed
from lstmforecast.data.saved_labels import (
    pack_frequency,
    pack_keys,
    pack_label,
    unpack_frequency,
    unpack_keys,
    unpack_label,
)
from lstmforecast.data.static import StaticColumn, read_static, static_rows
from lstmforecast.data.yearly import YearlyProfile

Array = NDArray[np.float64]
# The name of the feature of the profile of the year.
YEARLY = "yearly"


@dataclass(frozen=True)
class Covariates:
    """How features are made from the user's tables, in the same way at `fit` and afterwards.

    Attributes
    ----------
    past, known : Table or None
        The columns of ``X_past`` and ``X``.
    calendar, holidays
        As the forecaster's parameters.
    freq : str, int, offset or None
        The frequency of the targets.
    static : DataFrame or None
        The encoded features of the series, one row each.
    static_columns : tuple of StaticColumn or None
        The columns that ``static`` was made of; None in files and pickles of older versions, which don't say.
    calendar_version : int
        The version of the calendar features in the training: `lstmforecast.calendar.VERSION`, 1 in older files.
    yearly : YearlyProfile or None
        What each day of the year adds, a feature; None: no such feature.
    """

    past: Table | None = None
    known: Table | None = None
    calendar: str | Sequence[str] | None = None
    holidays: str | None = None
    freq: Frequency = None
    static: pd.DataFrame | None = field(default=None, compare=False)
    static_columns: tuple[StaticColumn, ...] | None = None
    calendar_version: int = VERSION
    yearly: YearlyProfile | None = field(default=None, compare=False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # older pickles have no version
        vars(self).update({"calendar_version": 1} | state)

    @classmethod
    def at_fit(
        cls,
        observations: Observations,
        X: Any,
        X_past: Any,
        static: Any,
        calendar: str | Sequence[str] | None,
        holidays: Any,
        columns: Columns | None = None,
        missing: Missing = "error",
        unknown: str = "error",
    ) -> Covariates:
        """Describe the tables of `fit`; with ``columns`` they are parts of one table, in which words are numbers."""
        tables: dict[str, Table | None] = {}
        for name, role, table in (("X_past", "past", X_past), ("X", "known", X)):
            tables[name] = None
            if table is not None:
                title = name if columns is None else f"{role}="
                frame, _ = indexed(to_pandas(table, title)[0], title)
                words = words_of(frame, unknown) if columns is None else columns.words(role)
                values, form = read_table(in_numbers(frame, words, title), title)
                described = Table(title, form, values.shape[1], missing, words=words).of_fit(table, observations)
                tables[name] = replace(described, name=name if columns is None else role)
        read = cls(tables["X_past"], tables["X"], calendar, holidays, observations.freq)
        if static is None:
            return read
        if not observations.is_panel:
            raise TypeError("expected y with several series for static, got one")
        encoded, made_of = read_static(static, observations.series_keys, unknown)
        return replace(read, static=encoded, static_columns=made_of)

    def named(self, columns: Columns | None = None) -> Covariates:
        """As `at_fit`, with the names of parts of one table in messages, and its words, which are numbers already."""

        def of(table: Table | None, name: str) -> Table | None:
            if table is None or columns is None:
                return None if table is None else replace(table, name=name)
            return replace(table, name=name, words=columns.words(name))

        return replace(self, known=of(self.known, "known"), past=of(self.past, "past"))

    @property
    def reads_earlier_rows(self) -> bool:
        """Whether a gap is filled from the rows before it."""
        return any(table.missing in ("ffill", "interpolate") for table in (self.past, self.known) if table is not None)

    @property
    def n_known(self) -> int:
        """The number of features that are known in advance."""
        return (0 if self.known is None else self.known.n_features) + len(self._calendar_names())

    @property
    def n_static(self) -> int:
        """The number of static features, which are the first."""
        return 0 if self.static is None else self.static.shape[1]

    @property
    def n_features(self) -> int:
        """The number of features."""
        return self.n_static + (0 if self.past is None else self.past.n_features) + self.n_known

    @property
    def names(self) -> list[Hashable]:
        """The names of the features, in their order; numbers for the columns of arrays."""
        static = [] if self.static is None else list(self.static.columns)
        tables = [table.names for table in (self.past, self.known) if table is not None]
        return [*static, *(name for table in tables for name in table), *self._calendar_names()]

    @property
    def sources(self) -> list[tuple[str, Hashable]]:
        """The table, and the user's column in it, that each feature is made of; of calendar features the cycle."""
        static = {feature: column.name for column in self.static_columns or () for feature in column.features}
        made = [("static", static.get(name, name)) for name in self.names[: self.n_static]]
        for table in (self.past, self.known):
            if table is not None:
                names = [(table.name, label) for label in table.labels]
                made += [*names, *(names[column] for column in table.marked)]
        cycles = [name.removesuffix("_sin").removesuffix("_cos") for name in self._calendar_names()]
        return [*made, *(("calendar", cycle) for cycle in cycles)]

    @property
    def words(self) -> list[StaticColumn | Category]:
        """The columns of words: those of ``static``, then ``past``, then ``known``."""
        tables = [table for table in (self.past, self.known) if table is not None]
        static = [column for column in self.static_columns or () if column.categories is not None]
        return [*static, *(category for table in tables for category in table.words)]

    @property
    def categories(self) -> list[list[int]]:
        """The features of each of ``words``."""
        names = {name: i for i, name in enumerate(self.names[: self.n_static])}
        words = [column for column in self.static_columns or () if column.categories is not None]
        found = [[names[feature] for feature in column.features] for column in words]
        first = self.n_static
        for table in (self.past, self.known):
            if table is not None:
                names = {name: first + i for i, name in enumerate(table.names[: table.n_columns])}
                found += [[names[feature] for feature in category.features] for category in table.words]
                first += table.n_features
        return found

    def of(
        self, observations: Observations, X: Any, X_past: Any, static: Any = None, before: Array | None = None
    ) -> Array:
        """Make the features of observations: (n, n_features), static ones first, those known in advance last.

        ``before`` are the features of the row before each series, NaN where there is none.

        Raises
        ------
        TypeError, ValueError
            If a table is missing, unexpected, or of another kind than at fit.
        """
        self._check_expected(X, X_past)
        parts = [self._static_rows(observations, static)]
        at = self.n_static
        for table, given in ((self.past, X_past), (self.known, X)):
            if table is not None:
                earlier = None if before is None else before[:, at : at + table.n_features]
                parts.append(table.read(given, observations, earlier))
                at += table.n_features
        return np.hstack([*parts, self.calendar_rows(observations.index, parts[0])])

    def of_future(self, observations: Observations, static: Array, steps: int, X: Any, at_once: int = 1) -> Array:
        """Make the features of the steps after each series: (n_series, steps, n_features), NaN where unknown.

        ``static`` are the static features of each series, (n_series, n_static). ``at_once``, the number of steps that
        the network forecasts in one pass, is for messages.
        """
        future = np.full((observations.n_series * steps, self.n_features), np.nan)
        if self.n_known:
            index = observations.future_index(steps)
            known = [self.calendar_rows(index, np.repeat(static, steps, axis=0))]
            if self.known is not None:
                rows = f"the {steps} steps after the end"
                rows += f" (the network forecasts {at_once} at once)" if at_once > 1 else ""
                known.insert(0, self.known.read_ahead(X, index, observations.n_series * steps, rows))
            future[:, -self.n_known :] = np.hstack(known)
        if X is not None and self.known is None:
            raise ValueError("expected no X, as there was none at fit, got one")
        future[:, : self.n_static] = np.repeat(static, steps, axis=0)
        return future.reshape(observations.n_series, steps, -1)

    def pack(self) -> dict[str, Any]:
        """Write as plain values for model files."""
        tables: dict[str, Any] = {
            name: None if table is None else table.pack() for name, table in (("X_past", self.past), ("X", self.known))
        }
        static = None
        if self.static is not None:
            columns = [pack_label(label) for label in self.static.columns]
            static = {"keys": pack_keys(self.static.index), "columns": columns, "data": self.static.to_numpy().tolist()}
            static["read_from"] = [column.pack() for column in self.static_columns or ()]
        return (
            tables
            | {
                "calendar_version": self.calendar_version,
                "calendar": self.calendar,
                "holidays": self.holidays,
                "freq": pack_frequency(self.freq),
                "static": static,
            }
            | ({} if self.yearly is None else {"yearly": self.yearly.pack()})
        )

    @classmethod
    def unpack(cls, saved: dict[str, Any]) -> Covariates:
        """Read what `pack` wrote."""
        tables = {name: None if saved[name] is None else Table.unpack(name, saved[name]) for name in ("X_past", "X")}
        static, made_of = saved["static"], None
        if static is not None:
            made_of = tuple(StaticColumn.unpack(column) for column in static.get("read_from", ())) or None
            columns = [unpack_label(label) for label in static["columns"]]
            if not {feature for column in made_of or () for feature in column.features} <= set(columns):
                raise ValueError(f"static features {columns}, got columns of others")
            static = pd.DataFrame(static["data"], unpack_keys(static["keys"]), columns, dtype=np.float64)
        version = saved.get("calendar_version", 1)
        if version not in range(1, VERSION + 1):
            raise ValueError(f"features of the calendar of version {version!r}")
        return cls(
            tables["X_past"],
            tables["X"],
            saved["calendar"],
            saved["holidays"],
            unpack_frequency(saved["freq"]),
            static,
            made_of,
            version,
            YearlyProfile.unpack(saved["yearly"]) if "yearly" in saved else None,
        )

    def _check_expected(self, X: Any, X_past: Any) -> None:
        for name, table, given in (("X", self.known, X), ("X_past", self.past, X_past)):
            if table is None and given is not None:
                raise ValueError(f"expected no {name}, as there was none at fit, got one")

    def _calendar_names(self) -> list[str]:
        names = calendar_names(self.freq, self.calendar, self.holidays, self.calendar_version)
        return names if self.yearly is None else [*names, YEARLY]

    @property
    def reads_times(self) -> bool:
        """Whether features are made from times."""
        return self.calendar is not None or self.holidays is not None or self.yearly is not None

    def calendar_rows(self, index: pd.Index | None, static: Array) -> Array:
        """Calendar features of rows with an index and static features: (n_rows, n), without columns if none are asked.

        Raises
        ------
        ValueError
            If there are no times, or the country of a series is unknown.
        """
        if not self.reads_times:
            return np.zeros((len(static), 0))
        if index is None:
            raise ValueError(f"expected y with a time index for calendar={self.calendar!r}, got an array")
        times = index.get_level_values(-1) if isinstance(index, pd.MultiIndex) else index
        found = self._cycles_and_holidays(times, static)
        if self.yearly is None:
            return found
        if not isinstance(times, pd.DatetimeIndex | pd.PeriodIndex):
            raise ValueError(f"expected times for the profile of the year, got {type(times).__name__}")
        return np.column_stack([found, self.yearly.at(times)])

    def _cycles_and_holidays(self, times: pd.Index, static: Array) -> Array:
        column = self._country_column()
        if column is None:
            return calendar_features(times, self.freq, self.calendar, self.holidays, self.calendar_version).to_numpy()
        names = calendar_names(self.freq, self.calendar, self.holidays, self.calendar_version)
        found = np.full((len(static), len(names)), np.nan)
        for country, feature in zip(column.categories or (), column.features, strict=True):
            rows = static[:, self.names.index(feature)] == 1
            features = calendar_features(times[rows], self.freq, self.calendar, country, self.calendar_version)
            found[rows] = features.to_numpy()
        if np.isnan(found).any():
            raise ValueError(
                f"expected a country of fit in column {self.holidays!r}, which gives the holidays, got another"
            )
        return found

    def _country_column(self) -> StaticColumn | None:
        """The static column whose values are the countries of ``holidays``; None where it is a country itself."""
        columns = [column for column in self.static_columns or () if column.name == self.holidays]
        return columns[0] if columns and columns[0].categories is not None else None

    def _static_rows(self, observations: Observations, static: Any) -> Array:
        if self.static is None:
            if static is not None:
                raise ValueError("expected no static, as there was none at fit, got one")
            return np.zeros((len(observations), 0))
        rows = static_rows(self.static, self.static_columns, static, observations.series_keys)
        return np.repeat(rows, observations.lengths, axis=0)
