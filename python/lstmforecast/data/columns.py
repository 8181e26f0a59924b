"""The columns of one table by their names: targets, series, times, covariates; and forecasts under the same names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.category import Category, holds_words, in_numbers, words_of
from lstmforecast.data.frames import SERIES, TIME, Origin, column_names, to_pandas
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel_index import index_of_columns
from lstmforecast.data.row_weights import is_column_name, refuse_as_name
from lstmforecast.data.saved_labels import pack_label, unpack_label
from lstmforecast.data.table_columns import keys_of, labels_of, opened, times_of

TARGET = "y"
# Names of results, which merge with the table of the user.
FORECAST = "forecast"
_COVARIATES = ("known", "past", "static")
_ROLES = {
    "known": "known in advance",
    "past": "known for the past only",
    "static": "constant within a series",
    "target": "to be forecast",
    "weights": "how much a row counts",
}


class Parts(NamedTuple):
    """A table split by the roles of its columns, as `lstmforecast.data.dataset.Dataset.read` takes them."""

    y: pd.DataFrame
    X: pd.DataFrame | None
    X_past: pd.DataFrame | None
    static: pd.DataFrame | None
    weights: pd.DataFrame | None


@dataclass(frozen=True)
class NamedTable:
    """A table and the names of its columns, as the user gave them to `fit`, `backtest` or `tune` in place of ``y``."""

    table: Any
    target: Any
    series: Any
    time: Any
    known: Any
    past: Any
    static: Any
    weights: Any = None

    @classmethod
    def of(
        cls,
        y: Any,
        X: Any,
        X_past: Any,
        static: Any,
        *,
        target: Any,
        series: Any,
        time: Any,
        known: Any,
        past: Any,
        weights: Any = None,
        fitted: Columns | None = None,
    ) -> tuple[Any, Any, Any, Any, Any]:
        """The arguments ``y, X, X_past, static, weights`` with the table in place of ``y`` where columns are named.

        Without any name, those of an earlier fit count for a table with its columns.

        Raises
        ------
        ValueError
            If covariates are given in both ways, or weights not as a column of the table.
        """
        is_unnamed = target is series is time is known is past is None and not isinstance(static, str | list | tuple)
        if is_unnamed and is_column_name(weights):
            labels = column_names(y)
            if not labels:
                refuse_as_name(weights)
            if fitted is not None and fitted.time in labels:
                raise ValueError(
                    "expected names for all roles of columns, or for none, which takes those of the fitted forecaster, "
                    f"got weights={weights!r} alone; name target=, time= and the others too"
                )
        elif is_unnamed:
            if fitted is None or fitted.time not in column_names(y):
                return y, X, X_past, static, weights
            target, series, time, known, past = (
                *(list(fitted.target), fitted.series, fitted.time),
                *(list(fitted.known), list(fitted.past)),
            )
            static = list(fitted.static) if static is None else static
            weights = fitted.weights if weights is None else weights
        for name, given, other in (("X", X, "known"), ("X_past", X_past, "past")):
            if given is not None:
                raise ValueError(
                    f"expected covariates as columns of the table, named in {other}=, where columns are named, got "
                    f"{name}; join it with the table"
                )
        if weights is not None and not is_column_name(weights):
            raise ValueError(
                "expected weights to name a column of the table, where columns are named, got "
                f"{type(weights).__name__}; join them with the table"
            )
        return cls(y, target, series, time, known, past, static, weights), None, None, None, None


@dataclass(frozen=True)
class Columns:
    """The role of each column of the table of `fit`, and how words became numbers.

    Attributes
    ----------
    target : tuple of labels
        The columns to forecast.
    series : label or None
        The column of the names of series; None for one series.
    time : label
        The column of times.
    known, past, static : tuple of labels
        The columns of covariates.
    categories : tuple of Category
        Columns of words in ``known`` and ``past``, each of which is a feature for each category.
    origin : Origin or None
        The library of the table, where it isn't pandas.
    weights : label or None
        The column of the weights of rows.
    """

    target: tuple[Hashable, ...]
    series: Hashable | None
    time: Hashable
    known: tuple[Hashable, ...] = ()
    past: tuple[Hashable, ...] = ()
    static: tuple[Hashable, ...] = ()
    categories: tuple[Category, ...] = ()
    origin: Origin | None = None
    weights: Hashable | None = None

    @classmethod
    def at_fit(cls, named: NamedTable, unknown: str = "error") -> tuple[Columns, Parts]:
        """Read the table of `fit`, by the names that were given; ``unknown`` is for categories that come later.

        Raises
        ------
        TypeError
            If it is no table, or names are no labels.
        ValueError
            If a name is no column, or a column has two roles or none.
        """
        frame, native, of_index = opened(named.table, named.series, named.time)
        labels = list(frame.columns)
        series, time = keys_of(frame, of_index, named.series, named.time)
        target = labels_of("target", named.target, labels)
        if not target:
            if TARGET not in labels:
                raise ValueError(f"expected target= to name the columns to forecast, got None; the table has {labels}")
            target = (TARGET,)
        # another table, or names
        apart, _ = to_pandas(named.static, "static")
        static = () if isinstance(apart, pd.DataFrame) else named.static
        known, past, static = (
            labels_of(name, given, labels)
            for name, given in (("known", named.known), ("past", named.past), ("static", static))
        )
        weights, *others = labels_of("weights", named.weights, labels) or (None,)
        if others:
            raise ValueError(f"expected weights to name one column of the table, got {named.weights!r}")
        columns = cls(target, series, time, known, past, static, weights=weights)
        columns._check_roles(labels)
        columns.names_of_results([FORECAST])
        if columns.static and series is None:
            raise ValueError(
                f"expected series= to name the column of series for static={list(columns.static)}, got None"
            )
        categories = words_of(frame[[*columns.known, *columns.past]], unknown)
        columns = replace(columns, categories=categories, origin=native(series, time))
        parts = columns._split(frame, "the table", columns._weights)
        if isinstance(apart, pd.DataFrame):
            parts = parts._replace(static=columns.static_table(apart))
        return columns, parts

    def read(self, table: Any, name: str) -> tuple[Columns, Parts] | None:
        """Split a newer table; None for what has no columns, such as an array or a Series.

        The library of results is that of the table.
        """
        frame, native, _ = opened(table, self.series, self.time, or_none=True)
        if frame is None:
            return None
        self._check_given(frame, name, (*self.target, *self.known, *self.past))
        return replace(self, origin=native(self.series, self.time)), self._split(frame, name)

    def words(self, role: str) -> tuple[Category, ...]:
        """The columns of words of a role, ``"known"`` or ``"past"``."""
        return tuple(category for category in self.categories if category.name in getattr(self, role))

    def future(self, table: Any, name: str = "known") -> pd.DataFrame | None:
        """The covariates that are known in advance, of a table of later steps.

        Raises
        ------
        TypeError, ValueError
            If it is no table, has other columns than at `fit`, or there was none at `fit`.
        """
        frame, _, _ = opened(table, self.series, self.time, or_none=True)
        if not self.known:
            raise ValueError(f"expected no {name}, as there was none at fit, got one")
        if frame is None:
            raise TypeError(f"expected {name} as a table with the columns of fit, got {type(table).__name__}")
        self._check_given(frame, name, self.known)
        ordered, index = self.ordered(frame, name)
        return self._features(ordered, index, self.known, name)

    def static_table(self, static: Any) -> Any:
        """A table of static features apart from the others, whose column of series may have the name that `fit` got."""
        frame, _ = to_pandas(static, "static")
        if not isinstance(frame, pd.DataFrame) or self.series is None or SERIES in frame or self.series not in frame:
            return static
        return frame.set_index(self.series)

    def tidy(self, values: NDArray[np.float64], index: pd.Index, names: Sequence[str]) -> Any:
        """A flat table of results (n_rows, k, n_names) under the user's names: series, time, then each of ``names``.

        With several targets, a name begins with that of the target: ``load-lo-80``.
        """
        return self._flat(values.reshape(len(values), -1), index, self.names_of_results(names))

    def names_of_results(self, names: Sequence[str]) -> list[str]:
        """The columns of results; raise a ValueError where two are the same, or one is that of series or times."""
        prefixes = [""] if len(self.target) == 1 else [f"{target}-" for target in self.target]
        labels = [f"{prefix}{name}" for prefix in prefixes for name in names]
        used: set[Hashable] = {self.series, self.time}
        for label in labels:
            if label in used:
                raise ValueError(
                    f"expected columns whose names differ from those of results, got a result {label!r} beside "
                    f"series {self.series!r}, time {self.time!r} and target {list(self.target)}; rename the column"
                )
            used.add(label)
        return labels

    def table(self, observations: Observations) -> Any:
        """The observations as a table under the user's names."""
        assert observations.index is not None
        values = observations.values.astype(observations.form.dtype, copy=False)
        return self._flat(values, observations.index, self.target)

    def _flat(self, values: NDArray[Any], index: pd.Index, labels: Sequence[Hashable]) -> Any:
        keys = [self.time] if self.series is None else [self.series, self.time]
        made = pd.concat([index.to_frame(index=False), pd.DataFrame(values)], axis=1)
        made.columns = pd.Index([*keys, *labels], tupleize_cols=False)
        return made if self.origin is None else self.origin.give_back(made)

    def pack(self) -> dict[str, Any]:
        """Write as plain values for model files."""
        values: dict[str, Any] = {"time": pack_label(self.time)}
        values["series"] = None if self.series is None else [pack_label(self.series)]
        for name in ("target", *_COVARIATES):
            values[name] = [pack_label(label) for label in getattr(self, name)]
        values["categories"] = [category.pack() for category in self.categories]
        values["origin"] = None if self.origin is None else self.origin.pack()
        # older versions read what has no weights
        return values | ({} if self.weights is None else {"weights": pack_label(self.weights)})

    @classmethod
    def unpack(cls, saved: Mapping[str, Any]) -> Columns:
        """Read what `pack` wrote."""
        lists = {name: tuple(map(unpack_label, saved[name])) for name in ("target", *_COVARIATES)}
        return cls(
            series=None if saved["series"] is None else unpack_label(saved["series"][0]),
            time=unpack_label(saved["time"]),
            categories=tuple(Category.unpack(each) for each in saved["categories"]),
            origin=None if saved["origin"] is None else Origin(**saved["origin"]),
            weights=unpack_label(saved["weights"]) if "weights" in saved else None,
            **lists,
        )

    def _check_roles(self, labels: list[Hashable]) -> None:
        """Raise a ValueError for a column with two roles, or without one."""
        roles: dict[Hashable, str] = {}
        given = [(name, label) for name in ("target", *_COVARIATES) for label in getattr(self, name)]
        given += [("time", self.time)] + ([("series", self.series)] if self.series is not None else [])
        given += [("weights", label) for label in self._weights]
        for name, label in given:
            if label in roles:
                raise ValueError(f"expected one role for each column, got {label!r} in {roles[label]}= and {name}=")
            roles[label] = name
        _refuse_without_role([label for label in labels if label not in roles])

    def _check_given(self, frame: pd.DataFrame, name: str, needed: Sequence[Hashable]) -> None:
        """Raise a ValueError for a table of later rows that lacks columns of `fit`, or has others."""
        keys = [self.time] if self.series is None else [self.series, self.time]
        absent = [label for label in (*keys, *needed) if label not in frame]
        every = {*keys, *self.target, *self.known, *self.past, *self.static, *self._weights}
        other = [label for label in frame.columns if label not in every]
        if absent or other:
            what = " and ".join([f"none named {absent}"] * bool(absent) + [f"{other} as well"] * bool(other))
            raise ValueError(f"expected {name} with the columns {[*keys, *needed]} of fit, got {what}")

    def _split(self, frame: pd.DataFrame, name: str, weights: Sequence[Hashable] = ()) -> Parts:
        """The parts by their roles; later rows need no weights."""
        frame, index = self.ordered(frame, name)
        y = frame[list(self.target)].set_axis(index)
        known, past = (self._features(frame, index, labels, name) for labels in (self.known, self.past))
        for label in weights:
            _require_numbers(frame[label], name, f"for weights={label!r}", "; convert it with pd.to_numeric")
        counts = frame[list(weights)].set_axis(index) if weights else None
        return Parts(y, known, past, self._static(frame, name), counts)

    @property
    def _weights(self) -> list[Hashable]:
        return [] if self.weights is None else [self.weights]

    def ordered(self, frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.Index]:
        """The rows in the order of their times, series after series, and their index."""
        if not len(frame):
            raise ValueError(f"expected {name} with at least one row, got none")
        times = times_of(frame[self.time], name)
        if times.isna().any():
            row = int(times.isna().to_numpy().argmax())
            raise ValueError(f"expected a time in every row of {name}, got none in row {row} of column {self.time!r}")
        codes = np.zeros(len(frame), np.int64)
        if self.series is not None:
            codes = pd.factorize(frame[self.series])[0]
            if (codes < 0).any():
                row = int((codes < 0).argmax())
                raise ValueError(
                    f"expected a series in every row of {name}, got none in row {row} of column {self.series!r}"
                )
        ranks = pd.factorize(times, sort=True)[0]
        order = np.lexsort([ranks, codes])
        same = (np.diff(codes[order]) == 0) & (np.diff(ranks[order]) == 0)
        if same.any():
            self._refuse_twice(frame, times, order, int(same.argmax()), int(same.sum()), name)
        if (np.diff(order) != 1).any():
            frame, times = frame.iloc[order], times.iloc[order]
        if self.series is None:
            return frame, pd.Index(times, name=self.time)
        return frame, index_of_columns(frame[self.series], times)

    def _refuse_twice(
        self, frame: pd.DataFrame, times: pd.Series[Any], order: NDArray[np.intp], at: int, n: int, name: str
    ) -> None:
        first, second = int(order[at]), int(order[at + 1])
        time, of = times.iloc[first], ""
        if self.series is not None:
            of = f" of series {frame[self.series].iloc[first : first + 1].tolist()[0]!r}"
        # in the hour that occurs twice when clocks are put back, both rows are right
        is_local = isinstance(time, pd.Timestamp) and time.tzinfo is None and time.hour <= 3
        zone = f"df[{self.time!r}].dt.tz_localize('Europe/Berlin', ambiguous='infer')"
        ways = ["name the column of series in series="] * (self.series is None) + ["keep one row for each time"]
        if is_local and times.dt.hour.nunique() > 1:
            ways.append(f"where clocks were put back, give the times a zone: {zone}")
        each = "" if self.series is None else " in each series"
        more = f", and {n - 1} more" if n > 1 else ""
        raise ValueError(
            f"expected every time of {name} once{each}, got {time}{of} in rows {first} and {second}{more}; "
            + ", or ".join(ways)
        )

    def _features(
        self, frame: pd.DataFrame, index: pd.Index, labels: Sequence[Hashable], name: str
    ) -> pd.DataFrame | None:
        """Covariates as numbers: words as a column of 0 and 1 for each category, truth values as 0 and 1."""
        if not labels:
            return None
        by_name = {category.name for category in self.categories}
        for label in labels:
            if label not in by_name:
                _require_numbers(frame[label], name, "as at fit")
        return in_numbers(frame[list(labels)].set_axis(index), self.categories, name)  # type: ignore[no-any-return]

    def _static(self, frame: pd.DataFrame, name: str) -> pd.DataFrame | None:
        """One row for each series, where the table has the columns."""
        present = [label for label in self.static if label in frame]
        if not present:
            return None
        if len(present) < len(self.static):
            absent = [label for label in self.static if label not in frame]
            raise ValueError(f"expected {name} with all or none of the static columns of fit, got none named {absent}")
        groups = frame.groupby([self.series], sort=False, observed=True)
        differ = groups[present].nunique(dropna=False) > 1
        if differ.to_numpy().any():
            row, column = (int(i) for i in np.argwhere(differ.to_numpy())[0])
            raise ValueError(
                f"expected one value of static column {present[column]!r} for each series, got several for series "
                f"{differ.index.tolist()[row]!r}; name it in known= or past="
            )
        first = frame.loc[~frame[self.series].duplicated(), [self.series, *present]]
        rows: pd.DataFrame = first.set_index(self.series)
        return rows


def check_long(y: Any) -> None:
    """Raise a ValueError for a table with the usual names and columns beside them, which would all be forecast."""
    labels = column_names(y)
    if {SERIES, TIME, TARGET} <= set(labels):
        _refuse_without_role([label for label in labels if label not in (SERIES, TIME, TARGET)])


def _refuse_without_role(rest: list[Any]) -> None:
    if rest:
        ways = ", ".join(f"{name}= ({meaning})" for name, meaning in _ROLES.items())
        raise ValueError(
            f"expected a role for every column of the table, got none for {rest}; name them in {ways}, or drop "
            f"them with df.drop(columns={rest!r})"
        )


def _require_numbers(column: pd.Series[Any], name: str, why: str, way: str = "") -> None:
    """Raise a TypeError for words; what else is no number is refused where tables are read."""
    if holds_words(column):
        raise TypeError(
            f"expected numbers in column {column.name!r} of {name}, {why}, got {column.dropna().iloc[0]!r}{way}"
        )
