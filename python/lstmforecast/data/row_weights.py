"""The weights of rows: how much the values of each row of the targets count in the loss."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.category import in_numbers
from lstmforecast.data.container import read_table, row_name
from lstmforecast.data.covariate_table import Table
from lstmforecast.data.frames import to_pandas
from lstmforecast.data.observations import Missing, Observations
from lstmforecast.data.panel_index import indexed

Array = NDArray[np.float64]
# Of the greatest weight to the least above 0: beyond it the least is 0 in single precision.
MOST_RATIO = 1e37


def is_column_name(weights: Any) -> bool:
    """Whether weights are the name of a column, or a list of it, and not numbers.

    Examples
    --------
    >>> is_column_name("importance"), is_column_name(["importance"]), is_column_name([1.0, 2.0]), is_column_name(None)
    (True, True, False, False)
    """
    if weights is None or isinstance(weights, str):
        return weights is not None
    if isinstance(weights, list | tuple) and weights:
        is_tuple = len(weights) == 1 and isinstance(weights[0], tuple)
        return is_tuple or all(isinstance(each, str) for each in weights)
    return isinstance(weights, Hashable) and not hasattr(weights, "__len__")


def refuse_as_name(weights: Any) -> None:
    """Raise a TypeError for what would be the name of a column beside data without names."""
    if isinstance(weights, str | list | tuple):
        raise TypeError(
            "expected weights to be numbers, one for each row, or the name of a column of a table with named columns, "
            f"got {reprlib.repr(weights)}"
        )
    raise TypeError(f"expected weights with one number for each row of y, got {reprlib.repr(weights)}")


def read_weights(weights: Any, y: Any, observations: Observations, missing: Missing, title: str = "weights") -> Array:
    """Read weights, and align them with the rows of the observations.

    Parameters
    ----------
    weights : array-like of shape (n,), Series or DataFrame of one column
        A pandas container is aligned by its index with that of ``y``, and may have more rows; other numbers are those
        of the rows of ``y`` as given.
    y : array-like, Series or DataFrame
        What the observations were read from.
    observations : Observations
        One series or a panel.
    missing : {"error", "mask", "ffill", "interpolate"}
        What the weight of a time that ``y`` lacks is: 0 with ``"mask"``, else it is filled as a value is.
    title : str
        The name of the weights in messages.

    Returns
    -------
    ndarray of shape (n,), float64
        Finite, 0 or more, and not all 0.

    Raises
    ------
    TypeError
        If the weights are no numbers.
    ValueError
        For another number of rows or columns, a row of ``y`` without a weight, and for weights that are missing, not
        finite, negative, all 0, or too different in size for single precision.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-04"])
    >>> y = pd.Series([3.0, 4.0, 5.0], days)
    >>> observations = Observations.read(y, freq="D", missing="mask")
    >>> read_weights([1, 2, 3], y, observations, "mask")
    array([1., 2., 0., 3.])
    """
    table = in_numbers(_labelled(weights, y, title), (), title)
    values, form = read_table(table, title)
    if values.shape[1] != 1:
        raise ValueError(
            f"expected {title} with one number for each row of y, which counts for all of its columns, got "
            f"{values.shape[1]} columns"
        )
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        where = row_name(table.index if isinstance(table, pd.Series | pd.DataFrame) else None, row)
        raise ValueError(f"expected {title} to be finite and 0 or more, got {values[row, 0]:g} at {where}")
    marked = (0,) if missing == "mask" else ()
    found: Array = np.nan_to_num(Table(title, form, 1, missing, marked).read(table, observations)[:, 0])
    if not found.any():
        raise ValueError(f"expected {title} above 0 for at least one row, got zeros only")
    least, most = found[found > 0].min(), found.max()
    if least < most / MOST_RATIO:
        raise ValueError(
            f"expected {title} within a ratio of {MOST_RATIO:g}, or 0, got from {least:g} to {most:g}; give rows that "
            "hardly count the weight 0"
        )
    return found


def _labelled(weights: Any, y: Any, title: str) -> Any:
    """The weights with the labels of the rows of ``y``, where they have none of their own."""
    y, origin_of_y = to_pandas(y, "y")
    rows = indexed(y, "y")[0]
    table, origin = to_pandas(weights, title)
    if isinstance(table, pd.Series | pd.DataFrame) and (origin is None or origin.time is not None):
        labelled, is_long = indexed(table, title)
        in_order = pd.RangeIndex(len(table))
        if not isinstance(rows, pd.Series | pd.DataFrame) and not (is_long or table.index.equals(in_order)):
            raise ValueError(
                f"expected {title} with the index 0 to {len(table) - 1} in order, as y has no index, got one that "
                f"begins with {table.index[0]!r}; pass weights.to_numpy() if they are in the order of the rows"
            )
        # a column of a table in the long format has the row labels of the table
        return table.set_axis(rows.index) if rows is not y and not is_long and table.index.equals(y.index) else labelled
    values = np.ma.filled(table.astype(np.float64), np.nan) if np.ma.isMaskedArray(table) else np.asarray(table)
    n_rows = len(rows)
    if not values.ndim:
        refuse_as_name(weights)
    if values.shape not in ((n_rows,), (n_rows, 1)):
        raise ValueError(
            f"expected {title} with one number for each of the {n_rows} rows of y, got the shape {values.shape}"
        )
    has_index = isinstance(rows, pd.Series | pd.DataFrame) and (origin_of_y is None or rows is not y)
    has_index = has_index or (origin_of_y is not None and origin_of_y.time is not None)
    return pd.Series(values.reshape(-1), rows.index if has_index else None, name="weights")
