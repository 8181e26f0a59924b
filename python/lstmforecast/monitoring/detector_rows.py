"""Reading and checking the rows of a detector: an array, and the index of their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from lstmforecast.data.container import read_table, row_name
from lstmforecast.data.frames import localising, to_pandas
from lstmforecast.monitoring.row_times import RowTimes, is_time_index

Array = NDArray[np.float64]
Labels = list[Any] | None


@dataclass(frozen=True)
class Rows:
    """Numbers (n, k), their time index if they have one, and the labels of the columns, None for those of an array."""

    table: Array
    index: pd.Index | None
    labels: Labels

    @property
    def names(self) -> list[Any]:
        """The labels of the columns, or their numbers."""
        return list(range(self.table.shape[1])) if self.labels is None else self.labels

    @property
    def row_labels(self) -> pd.Index:
        """The time index, or the numbers of the rows."""
        return pd.RangeIndex(len(self.table)) if self.index is None else self.index


def read_at_fit(detector: Any, X: Any) -> Rows:
    """Read rows, and remember their columns as scikit-learn does: ``n_features_in_``, ``feature_names_in_``."""
    X, index, _ = _time_index(X)
    if isinstance(X, pd.Series):
        X = X.to_frame()
    elif isinstance(X, list | tuple | np.ndarray) and np.ndim(X) == 1:
        X = np.reshape(X, (-1, 1))
    labels = list(X.columns) if isinstance(X, pd.DataFrame) else None
    return _checked(detector, X, index, labels, reset=True)


def read_rows(detector: Any, X: Any, times: RowTimes, labels: Labels) -> Rows:
    """Read rows with the columns of `fit`, times in the time zone of `fit`."""
    X, index, origin = _time_index(X)
    index = times.match_index(index, localising(origin))
    one_column = detector.n_features_in_ == 1
    if isinstance(X, pd.Series):
        X = X.to_frame(labels[0]) if X.name is None and labels is not None and one_column else X.to_frame()
    elif isinstance(X, list | tuple | np.ndarray) and np.ndim(X) == 1 and one_column:
        X = np.reshape(X, (-1, 1))
    return _checked(detector, X, index, labels, reset=False)


def read_newest(detector: Any, X: Any, times: RowTimes, labels: Labels) -> Rows:
    """Read the rows of a stream as `read_rows` does, arrays faster."""
    if isinstance(X, pd.Series | pd.DataFrame) or hasattr(X, "toarray") or to_pandas(X, "X")[1] is not None:
        return read_rows(detector, X, times, labels)
    table = np.asarray(X, np.float64)
    if table.ndim < 2:
        table = table.reshape((-1, 1) if detector.n_features_in_ == 1 else (1, -1))
    if table.ndim != 2 or table.shape[1] != detector.n_features_in_ or np.isinf(table).any():
        # raises the error
        return read_rows(detector, table, times, labels)
    return Rows(np.ascontiguousarray(table), None, labels)


def _time_index(X: Any) -> tuple[Any, pd.Index | None, Any]:
    """The data, frames as those of pandas, their time index, and their origin if they are of another library."""
    X, origin = to_pandas(X, "X")
    index = X.index if isinstance(X, pd.Series | pd.DataFrame) and is_time_index(X.index) else None
    if origin is not None and origin.time is None:
        index = None
    return X, index, origin


def _checked(detector: Any, X: Any, index: pd.Index | None, labels: Labels, *, reset: bool) -> Rows:
    if isinstance(X, pd.DataFrame) and not all(isinstance(name, str) for name in X.columns):
        X = X.set_axis(range(X.shape[1]), axis=1) if X.shape[1] else X
    if isinstance(X, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
        # raises an error that names the first value that isn't a number
        read_table(X, "X")
    table = validate_data(
        detector, X, reset=reset, dtype=np.float64, order="C", ensure_all_finite=False,
        ensure_min_samples=2 if reset else 1,
    )  # fmt: skip
    rows = Rows(table, index, labels)
    if (infinite := np.isinf(table)).any():
        row, column = (int(i) for i in np.argwhere(infinite)[0])
        at = f"column {rows.names[column]!r} at {row_name(index, row)}"
        raise ValueError(f"expected no infinity in X, got {int(infinite.sum())}, the first in {at}")
    return rows
