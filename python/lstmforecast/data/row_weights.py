"""The weights of rows: how much the values of each row of the targets count in the loss."""

from __future__ import annotations

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


def is_column_name(weights: Any) -> bool:
    """Whether weights are the name of a column, and not numbers.

    Examples
    --------
    >>> is_column_name("importance"), is_column_name([1.0, 2.0]), is_column_name(None)
    (True, False, False)
    """
    if weights is None or isinstance(weights, str):
        return weights is not None
    return isinstance(weights, Hashable) and not hasattr(weights, "__len__")


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
        finite, negative or all 0.

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
    return found


def _labelled(weights: Any, y: Any, title: str) -> Any:
    """The weights with the labels of the rows of ``y``, where they have none of their own."""
    y, origin_of_y = to_pandas(y, "y")
    rows = indexed(y, "y")[0]
    table, origin = to_pandas(weights, title)
    if isinstance(table, pd.Series | pd.DataFrame) and (origin is None or origin.time is not None):
        labelled, is_long = indexed(table, title)
        # a column of a table in the long format has the row labels of the table
        return table.set_axis(rows.index) if rows is not y and not is_long and table.index.equals(y.index) else labelled
    values = np.ma.filled(table.astype(np.float64), np.nan) if np.ma.isMaskedArray(table) else np.asarray(table)
    n_rows = len(rows)
    if values.shape not in ((n_rows,), (n_rows, 1)):
        raise ValueError(
            f"expected {title} with one number for each of the {n_rows} rows of y, got the shape {values.shape}"
        )
    has_index = isinstance(rows, pd.Series | pd.DataFrame) and (origin_of_y is None or rows is not y)
    has_index = has_index or (origin_of_y is not None and origin_of_y.time is not None)
    return pd.Series(values.reshape(-1), rows.index if has_index else None, name="weights")
