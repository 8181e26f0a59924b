"""The covariates of a served model: the fields of requests for them, and the tables that they become."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.category import Category
from lstmforecast.data.covariate_table import Table
from lstmforecast.data.covariates import Covariates
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.static import StaticColumn
from lstmforecast.serve.covariate_column import ServedColumn, Values
from lstmforecast.serve.json_values import check_object
from lstmforecast.serve.limits import Refused

Array = NDArray[np.float64]
ROLES = ("known", "past", "static")


@dataclass(frozen=True)
class GivenCovariates:
    """The covariates of a window.

    Attributes
    ----------
    known : list of ndarray of shape (n_rows + n_ahead,)
        For each column the numbers, or the numbers of the categories, of the rows of the window and the steps ahead.
    past : list of ndarray of shape (n_rows,)
    static : list or None
        A number or a category for each static column; None: those of `fit`.
    """

    known: list[Values]
    past: list[Values]
    static: list[Any] | None


@dataclass(frozen=True)
class ServedCovariates:
    """All covariates that requests to a model must have.

    Attributes
    ----------
    known, past, static : tuple of ServedColumn
        In the order of `fit`.
    at_once : int
        Steps that the network forecasts at once: those ahead for which it reads known covariates are multiples of it.
    series : frozenset of str
        The series whose static features `fit` had.
    """

    known: tuple[ServedColumn, ...]
    past: tuple[ServedColumn, ...]
    static: tuple[ServedColumn, ...]
    at_once: int
    series: frozenset[str]

    @classmethod
    def of(cls, dataset: Dataset, at_once: int) -> ServedCovariates:
        """Those of the data of a fit.

        Raises
        ------
        ValueError
            If two names are the same as text.
        """
        covariates, named = dataset.covariates, dataset.columns
        categories = () if named is None else named.categories
        known = _columns(covariates.known, None if named is None else named.known, categories)
        past = _columns(covariates.past, None if named is None else named.past, categories)
        static, series = [], []
        if covariates.static is not None:
            # older files have the features only
            listed = covariates.static_columns or [StaticColumn(label) for label in covariates.static.columns]
            static = [ServedColumn(str(each.name), each.name, each.categories, unknown=each.unknown) for each in listed]
            keys = dataset.observations.series_keys
            series = [str(key) for key in covariates.static.index if isinstance(key, str) or key in keys]
        for role, columns in zip(ROLES, (known, past, static), strict=True):
            names = [column.name for column in columns]
            if len({*names}) < len(names):
                raise ValueError(f"expected {role} columns whose names differ as text, got {names}")
        return cls(tuple(known), tuple(past), tuple(static), at_once, frozenset(series))

    @cached_property
    def roles(self) -> list[str]:
        """The fields of a window that hold covariates of the model."""
        return [role for role in ROLES if getattr(self, role)]

    def n_ahead(self, steps: int) -> int:
        """The steps ahead for which known covariates are needed."""
        return -(-steps // self.at_once) * self.at_once

    def read(
        self, given: dict[str, Any], where: str, n_rows: int, steps: int, series: str | None
    ) -> GivenCovariates | None:
        """Read the fields of a window; None for a model without covariates; `Refused` with 422 and one sentence."""
        if not self.roles:
            return None
        if self.past and steps > self.at_once:
            words = f"at most {self.at_once}, as past covariates aren't known beyond the window"
            raise Refused(422, f"expected horizon to be {words}, got {steps}")
        for role in self.roles:
            if role in given:
                check_object(given[role], f"{where}.{role}", [column.name for column in getattr(self, role)])
            elif role != "static" or series not in self.series:
                of_series = "the window names no series" if series is None else f"fit had no series {series!r}"
                why = "as at fit" if role != "static" else f"as {of_series}"
                names = ", ".join(column.name for column in getattr(self, role))
                raise Refused(422, f"expected {where}.{role} with {names}, {why}, got none")
        ahead = self.n_ahead(steps)
        both = f"{n_rows} rows of the window and {ahead} steps ahead"
        if ahead != steps:
            both += f" (the network forecasts {self.at_once} at once)"
        return GivenCovariates(
            _read_columns(self.known, given.get("known"), f"{where}.known", n_rows + ahead, both),
            _read_columns(self.past, given.get("past"), f"{where}.past", n_rows, "the rows of the window"),
            _read_static(self.static, given.get("static"), f"{where}.static"),
        )

    def tables(
        self, given: GivenCovariates, covariates: Covariates, n_rows: int, n_read: int, index: pd.Index | None
    ) -> tuple[Any, Any, Array | None]:
        """``X`` and ``X_past`` for a window of ``n_rows``, of which ``n_read`` are read, and ``X`` of the steps ahead.

        With an index only the rows that are read are among them.
        """
        last = slice(max(0, n_rows - n_read), n_rows)
        found: list[Any] = [None, None]
        each = ((self.known, given.known, covariates.known), (self.past, given.past, covariates.past))
        for i, (columns, values, table) in enumerate(each):
            if table is None:
                continue
            features = _features(columns, values, last)
            if index is not None:
                found[i] = pd.DataFrame(features, index[last], table.form.columns)
            else:
                # earlier rows, which are never touched, take no memory
                found[i] = np.zeros((n_rows, features.shape[1]))
                found[i][last] = features
        ahead = _features(self.known, given.known, slice(n_rows, None)) if self.known else None
        return found[0], found[1], ahead

    def example(self, dataset: Dataset, rows: NDArray[np.int64], steps: int) -> GivenCovariates | None:
        """The covariates of rows of one series of the fit; those of the steps ahead repeat the last row."""
        if not self.roles:
            return None
        features, covariates = dataset.features[rows], dataset.covariates
        n_static = covariates.n_static
        each, at = [], n_static
        for column in (*self.past, *self.known):
            each.append(column.values(features[:, at : at + column.n_features]))
            at += column.n_features
            if len(each) == len(self.past) and covariates.past is not None:
                at += len(covariates.past.marked)
        past, known = each[: len(self.past)], each[len(self.past) :]
        known = [np.concatenate([values, values[-1:].repeat(self.n_ahead(steps))]) for values in known]
        static = None
        if self.static:
            names: list[Any] = covariates.names[:n_static]
            row = dict(zip(names, features[0], strict=False))
            static = [_static_example(column, row) for column in self.static]
        return GivenCovariates(known, past, static)

    def written(self, given: GivenCovariates) -> dict[str, Any]:
        """The inverse of `read`: the fields of a window."""
        found: dict[str, Any] = {}
        for role, columns, values in (("known", self.known, given.known), ("past", self.past, given.past)):
            if columns:
                both = zip(columns, values, strict=True)
                found[role] = {column.name: column.written(part) for column, part in both}
        if given.static is not None:
            found["static"] = {column.name: value for column, value in zip(self.static, given.static, strict=True)}
        return found

    def static_table(self, given: GivenCovariates, series: Hashable) -> pd.DataFrame | None:
        """The static features of a series as a table; None: those of `fit`."""
        if given.static is None:
            return None
        index = pd.Index([series], dtype=object, tupleize_cols=False)
        labels = pd.Index([column.label for column in self.static], tupleize_cols=False)
        return pd.DataFrame([given.static], index, labels)

    def description(self) -> dict[str, Any]:
        """The columns of each role for clients, for JSON."""
        return {role: [column.description() for column in getattr(self, role)] for role in ROLES}


def _columns(
    table: Table | None, labels: Sequence[Hashable] | None, categories: Sequence[Category]
) -> list[ServedColumn]:
    """The columns of a table of covariates: under the user's names, else ``x0``, ``x1`` and so on."""
    if table is None:
        return []
    if labels is not None:
        by_name, made, at = {category.name: category for category in categories}, [], 0
        for label in labels:
            words = by_name.get(label)
            column = ServedColumn(str(label), label, None if words is None else words.categories, at in table.marked)
            made.append(column if words is None else replace(column, unknown=words.unknown))
            at += column.n_features
        return made
    is_array = table.form.columns is None or table.form.columns[0] is None
    if not is_array:
        return _columns(replace(table, words=()), list(dict.fromkeys(table.labels)), table.words)
    return [ServedColumn(f"x{i}", i, nullable=i in table.marked) for i in range(table.n_columns)]


def _features(columns: Sequence[ServedColumn], values: Sequence[Values], rows: slice) -> Array:
    return np.hstack([column.features(part[rows]) for column, part in zip(columns, values, strict=True)])


def _read_columns(
    columns: Sequence[ServedColumn], given: dict[str, Any] | None, where: str, n_rows: int, rows: str
) -> list[Values]:
    if given is None:
        return []
    for column in columns:
        if column.name not in given:
            raise Refused(422, f"expected {where}.{column.name}, an array of {n_rows} values, for {rows}, got none")
    return [column.read(given[column.name], f"{where}.{column.name}", n_rows, rows) for column in columns]


def _read_static(columns: Sequence[ServedColumn], given: dict[str, Any] | None, where: str) -> list[Any] | None:
    if given is None:
        return None
    for column in columns:
        if column.name not in given:
            raise Refused(422, f"expected {where}.{column.name}, as at fit, got none")
    return [column.read_one(given[column.name], f"{where}.{column.name}") for column in columns]


def _static_example(column: ServedColumn, row: dict[Any, Any]) -> Any:
    if column.categories is None:
        value = float(row[column.label])
        return int(value) if value.is_integer() else value
    return next(text for text in column.categories if row[f"{column.label}_{text}"])
