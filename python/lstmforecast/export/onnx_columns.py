"""The columns of a forecaster's inputs, as the metadata of an ONNX file describe them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from lstmforecast.data.category import Category
from lstmforecast.data.covariate_table import Table
from lstmforecast.data.covariates import Covariates
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.static import StaticColumn

Column = dict[str, Any]


def columns_of(dataset: Dataset, n_targets: int, *, masked: bool) -> list[Column]:
    """Describe targets and features, in the order of the network's inputs.

    Parameters
    ----------
    dataset : Dataset
        That of the forecaster.
    n_targets : int
        The number of targets.
    masked : bool
        Whether targets may be missing.

    Returns
    -------
    list of dict
        ``name``; ``role``: ``"target"``, ``"static"``, ``"past"``, ``"known"`` or ``"calendar"``; ``nan``:
        ``"missing"`` where NaN is read as a missing value, ``"refused"`` where it makes the forecast NaN. The feature
        of a category, which is 0 or 1, has ``source`` (the column of words), ``category``, and ``unknown``: what other
        categories are. The profile of the year has ``profile``, the tables of
        `lstmforecast.data.yearly.YearlyProfile`. A mark has ``marks``, the column of the user's data whose missing
        values it marks with 1. A category that no series had has ``constant``, its value.
    """
    covariates = dataset.covariates
    columns = [_column(name, "target", masked) for name in dataset.observations.form.variables(n_targets)]
    columns += _static_columns(covariates)
    for role, table in (("past", covariates.past), ("known", covariates.known)):
        columns += [] if table is None else _table_columns(role, table)
    calendar = [_column(name, "calendar") for name in covariates.names[len(columns) - n_targets :]]
    if covariates.yearly is not None:
        calendar[-1]["profile"] = covariates.yearly.pack()
    return columns + calendar


def _column(name: Hashable, role: str, may_lack: bool = False) -> Column:
    return {"name": str(name), "role": role, "nan": "missing" if may_lack else "refused"}


def _categories(columns: Iterable[Category | StaticColumn]) -> dict[Hashable, Column]:
    """What is said of the features of columns of words, by their names."""
    return {
        feature: {"source": str(column.name), "category": category, "unknown": column.unknown}
        for column in columns
        for feature, category in zip(column.features, column.categories or (), strict=False)
    }


def _static_columns(covariates: Covariates) -> list[Column]:
    columns, names = covariates.static_columns, covariates.names[: covariates.n_static]
    words = _categories(columns or ())
    learned = names if columns is None else [feature for column in columns for feature in column.features]
    told = {name: words.get(name, {}) if name in learned else {"constant": 0} for name in names}
    return [_column(name, "static") | told[name] for name in names]


def _table_columns(role: str, table: Table) -> list[Column]:
    words, names, n = _categories(table.words), table.names, table.n_columns
    columns = [
        _column(name, role, may_lack) | words.get(name, {})
        for name, may_lack in zip(names[:n], table.may_lack, strict=True)
    ]
    marked = [str(table.labels[column]) for column in table.marked]
    return columns + [_column(mark, role) | {"marks": label} for mark, label in zip(names[n:], marked, strict=True)]
