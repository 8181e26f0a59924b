"""Forecasts of a hierarchy that add up: bottom up, or by least squares of the errors of all series."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.columns import Columns
from lstmforecast.data.frames import SERIES, TIME
from lstmforecast.data.hierarchy import Hierarchy, check_labels
from lstmforecast.data.table_columns import keys_of, opened
from lstmforecast.evaluation.backtest_result import BacktestResult, in_usual_names

__all__ = ["reconcile"]

Array = NDArray[np.float64]
METHODS = ("bottom_up", "ols", "wls_struct", "mint_shrink")
# Forecasts and samples add up, targets of several variables too; the bounds of intervals belong to a forecast.
_ADDITIVE = re.compile(r"(?:.*-)?(?:forecast|sample-\d+)")
_BOUND = re.compile(r"(?P<prefix>.*-)?(?P<side>lo|hi)-(?P<coverage>[\d.]+)")


def reconcile(
    forecasts: Any,
    structure: Any,
    method: str = "mint_shrink",
    *,
    errors: BacktestResult | None = None,
    series: Any = None,
    time: Any = None,
) -> Any:
    """Make the forecasts of a hierarchy add up.

    The matrices are those of the package hierarchicalforecast (extra ``hierarchy``).

    Parameters
    ----------
    forecasts : DataFrame
        A table of pandas, polars or pyarrow, as `LSTMForecaster.predict` gives it for `aggregate` data: a row for each
        series and time. ``forecast`` and the columns of `predict_samples` are reconciled, each by itself; so are the
        bounds of intervals (``lo-80``, ``hi-80``) beside ``forecast``, with ``errors``.
    structure : dict of label to list of labels
        As in `aggregate`.
    method : {"bottom_up", "ols", "wls_struct", "mint_shrink"}, default="mint_shrink"
        ``"bottom_up"`` adds up the leaves; other rows may be missing. The others change all series, as little as
        possible: measured alike (``"ols"``), by the number of leaves of each (``"wls_struct"``), or by the covariance
        of ``errors``, shrunk towards a diagonal (``"mint_shrink"``).
    errors : BacktestResult or None, default=None
        From `backtest` on the same series, for ``"mint_shrink"`` and for intervals: the errors at each cutoff and step.
    series, time : label or None, default=None
        Names of columns; None: ``unique_id`` and ``ds``, or else the first two columns.

    Returns
    -------
    DataFrame
        A table of the same library and columns: the series in the order of ``structure``, the leaves last. The
        forecasts and each sample add up to rounding. Bounds keep their distances from the forecast, times the change of
        the standard deviation that the covariance of the errors implies; quantiles of sums don't add up.

    Raises
    ------
    ImportError
        Without hierarchicalforecast; ``"bottom_up"`` needs none.
    TypeError, ValueError
        For another method, a series that is missing or not in ``structure``, a missing value, columns that can't be
        reconciled, or missing ``errors``.

    References
    ----------
    Wickramasuriya, Athanasopoulos and Hyndman (2019), Optimal forecast reconciliation. Schäfer and Strimmer (2005): the
    shrinkage. Panagiotelis et al. (2023), Probabilistic forecast reconciliation.

    Examples
    --------
    >>> table = pd.DataFrame({"unique_id": ["all", "a", "b"], "ds": 1, "forecast": [12.0, 3.0, 6.0]})
    >>> reconcile(table, {"all": ["a", "b"]}, method="ols")["forecast"].round(6).tolist()
    [11.0, 4.0, 7.0]
    """
    if method not in METHODS:
        raise ValueError(f"expected method to be one of {METHODS}, got {method!r}")
    if errors is not None and not isinstance(errors, BacktestResult):
        raise TypeError(f"expected errors as the result of backtest, got {type(errors).__name__}")
    if method == "mint_shrink" and errors is None:
        raise ValueError("expected errors=backtest(...) of the same series for method='mint_shrink', got None")
    hierarchy = Hierarchy.read(structure)
    frame, native, of_index = opened(forecasts, series, time)
    if series is None and time is None and of_index is None and not {SERIES, TIME} <= set(frame.columns):
        series, time = list(frame.columns[:2]) if frame.shape[1] > 2 else (None, None)
    series, time = keys_of(frame, of_index, series, time)
    if series is None:
        raise ValueError("expected series= to name the column of series, got None")
    origin = native(series, time)
    names = [name for name in frame.columns if name not in (series, time)]
    additive, bounds = _kinds(names)
    if bounds and errors is None:
        raise ValueError(
            f"expected errors=backtest(...) of the same series to reconcile intervals, got None beside {bounds[0]!r}; "
            "or reconcile the table of predict_samples"
        )
    needed = hierarchy.leaves if method == "bottom_up" and not bounds else hierarchy.labels
    values, times = _cube(frame, hierarchy, series, time, names, needed)
    seen = None if errors is None else _errors(errors, hierarchy)
    projection = _projection(hierarchy, method, seen)
    found = dict(zip(names, np.moveaxis(values, 2, 0), strict=True))
    made = {name: projection @ found[name] for name in additive}
    if bounds:
        assert seen is not None
        made |= _bounds(found, made, bounds, _growth(projection, seen))
    flat = {name: made[name].ravel() for name in names}
    keys = pd.Index(hierarchy.labels, tupleize_cols=False).repeat(len(times))
    table = pd.DataFrame({series: keys, time: times[np.tile(np.arange(len(times)), len(hierarchy.labels))], **flat})
    return table if origin is None else origin.give_back(table)


def _kinds(names: list[Hashable]) -> tuple[list[str], list[str]]:
    """The columns that add up, and the bounds of intervals; a ValueError for others."""
    additive = [str(name) for name in names if _ADDITIVE.fullmatch(str(name))]
    bounds = [str(name) for name in names if _BOUND.fullmatch(str(name))]
    other = [name for name in names if str(name) not in (*additive, *bounds)]
    if other or not names:
        raise ValueError(
            f"expected columns of predict, predict_samples or predict_interval beside series and times, got {other}; "
            "quantiles of sums are no sums of quantiles"
        )
    for name in bounds:
        found = _BOUND.fullmatch(name)
        assert found is not None
        if f"{found['prefix'] or ''}forecast" not in additive:
            raise ValueError(f"expected the column of the forecast beside {name!r}, got none: merge both tables")
    return additive, bounds


def _cube(
    frame: pd.DataFrame, hierarchy: Hierarchy, series: Any, time: Any, names: list[Hashable], needed: list[Hashable]
) -> tuple[Array, pd.Index]:
    """The values (n_series, n_times, n_names) of all series, 0 for those that are not needed, and the times."""
    ordered, index = Columns((), series, time).ordered(frame, "forecasts")
    labels, moments = index.get_level_values(0), index.get_level_values(1)
    check_labels(hierarchy.labels, needed, labels, "forecasts")
    times = moments.unique().sort_values()
    numbers = ordered[names].to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(numbers).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        raise ValueError(
            f"expected finite forecasts, got {numbers[row, column]} in column {names[column]!r} for {labels[row]!r}"
        )
    places = pd.Index(hierarchy.labels, tupleize_cols=False).get_indexer(labels), times.get_indexer(moments)
    values = np.full((len(hierarchy.labels), len(times), len(names)), np.nan)
    values[places] = numbers
    is_needed = np.array([label in needed for label in hierarchy.labels])
    lacking = np.isnan(values).any(axis=2) & is_needed[:, np.newaxis]
    if lacking.any():
        i, at = (int(each) for each in np.argwhere(lacking)[0])
        label = hierarchy.labels[i]
        raise ValueError(f"expected the same times for all series, got no forecast of {label!r} for {times[at]}")
    return np.where(is_needed[:, np.newaxis, np.newaxis], values, 0.0), times


def _errors(errors: BacktestResult, hierarchy: Hierarchy) -> Array:
    """Errors (n_series, n) of a backtest at cutoffs and steps that all series have, in units of their mean size."""
    table = in_usual_names(errors, errors.forecasts)
    if "series" not in table:
        raise ValueError("expected errors of a backtest of the series of structure, got one of a single series")
    check_labels(hierarchy.labels, hierarchy.labels, table["series"], "errors")
    error = table["truth"] - table["forecast"]
    sizes = error.abs().groupby(table["variable"], observed=True).transform("mean")
    table = table.assign(error=error / sizes.where(sizes > 0, 1.0))
    wide = table.pivot(index=["cutoff", "step", "variable"], columns="series", values="error")[hierarchy.labels]
    known = wide.dropna().to_numpy().T
    if known.shape[1] < 2:
        raise ValueError(f"expected two or more errors at the same cutoffs for all series, got {known.shape[1]}")
    return known


def _projection(hierarchy: Hierarchy, method: str, errors: Array | None) -> Array:
    """The matrix (n_series, n_series) that maps forecasts to forecasts that add up."""
    n, n_leaves = hierarchy.sums.shape
    if method == "bottom_up":
        return np.hstack([np.zeros((n, n - n_leaves)), hierarchy.sums])
    try:
        from hierarchicalforecast.methods import MinTrace
    except ImportError as error:
        words = 'pip install "lstmforecast[hierarchy]"'
        raise ImportError(f"method={method!r} needs hierarchicalforecast: {words}") from error

    fitted = MinTrace(method)
    seen = {} if errors is None else {"y_insample": errors, "y_hat_insample": np.zeros_like(errors)}
    fitted.fit(S=hierarchy.sums, y_hat=np.zeros((n, 1)), **seen)
    projection: Array = hierarchy.sums @ fitted.P
    return projection


def _growth(projection: Array, errors: Array) -> Array:
    """The standard deviations (n_series,) of the errors after the projection, divided by those before."""
    before, after = (np.sqrt((each**2).mean(axis=1)) for each in (errors, projection @ errors))
    growth: Array = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    return growth


def _bounds(found: dict[Hashable, Array], made: dict[str, Array], bounds: list[str], growth: Array) -> dict[str, Array]:
    """The bounds around the new forecasts: as far from them as before, times the growth of the errors."""
    moved = {}
    for name in bounds:
        part = _BOUND.fullmatch(name)
        assert part is not None
        forecast = f"{part['prefix'] or ''}forecast"
        moved[name] = made[forecast] + growth[:, np.newaxis] * (found[name] - found[forecast])
    return moved
