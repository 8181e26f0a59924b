"""Static features: reads a table with a row for each series and encodes its columns as numbers."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.container import is_number
from lstmforecast.data.frames import SERIES, to_pandas
from lstmforecast.data.saved_labels import pack_label, unpack_label

Array = NDArray[np.float64]
# The Python types of values of Arrow's text and dictionary types.
WORDS_OF_ARROW = (str, pd.CategoricalDtype.type)
# The number of categories that a message lists at most.
_SHOWN = 8


@dataclass(frozen=True)
class StaticColumn:
    """A column of ``static`` at `fit`.

    Attributes
    ----------
    name : label
        Its name.
    categories : tuple of str or None
        The categories of the series of ``y``, each of which is a feature ``name_category`` of 0 or 1; None: numbers or
        booleans.
    unknown : {"error", "ignore"}
        What is done with other categories later: an error, or 0 in every feature.
    """

    name: Hashable
    categories: tuple[str, ...] | None = None
    unknown: str = "error"

    @property
    def features(self) -> list[Hashable]:
        """The features that the column is encoded as."""
        return [self.name] if self.categories is None else [f"{self.name}_{category}" for category in self.categories]

    def encode(self, column: pd.Series) -> dict[Hashable, Array]:
        """Encode the column of another table.

        Raises
        ------
        TypeError
            If a column of numbers at fit holds other values.
        ValueError
            If a category is one that no series had at fit, unless it is ignored.
        """
        if self.categories is None:
            return {self.name: _numbers(column, "as at fit")}
        known = {category: i for i, category in enumerate(self.categories)}
        places = np.array([self._place(value, series, known) for series, value in column.items()])
        return {feature: places == i for i, feature in enumerate(self.features)}

    def _place(self, value: Any, series: Hashable, known: Mapping[str, int]) -> int:
        """The number of the category of a value; 1, 1.0 and "1" are equal."""
        if str(value) in known:
            return known[str(value)]
        if is_number(value):
            for category, i in known.items():
                if _as_number(category) == value:
                    return i
        if self.unknown == "ignore":
            return -1
        more = len(known) - _SHOWN
        listed = ", ".join(map(repr, list(known)[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
        raise ValueError(
            f"expected a category that series had at fit in column {self.name!r} of static ({listed}), got "
            f"{reprlib.repr(value)} for series {series!r}; fit with unknown='ignore' to let it count as none of them"
        )

    def pack(self) -> dict[str, Any]:
        """Write as plain values for model files."""
        packed = {"name": pack_label(self.name), "categories": self.categories}
        return packed | ({} if self.unknown == "error" else {"unknown": self.unknown})

    @classmethod
    def unpack(cls, saved: dict[str, Any]) -> StaticColumn:
        """Read what `pack` wrote."""
        categories = None if saved["categories"] is None else tuple(saved["categories"])
        return cls(unpack_label(saved["name"]), categories, read_unknown(saved.get("unknown", "error")))


def check_words_differ(name: Hashable, words: Sequence[str], values: Sequence[Any]) -> None:
    """Raise a ValueError for two of the different values of a column whose words are the same.

    Examples
    --------
    >>> check_words_differ("kind", ["1", "2"], [1, "2"])
    """
    first: dict[str, Any] = {}
    for word, value in zip(words, values, strict=True):
        if word in first:
            raise ValueError(
                f"expected categories that differ as text in column {name!r}, got {first[word]!r} and {value!r}; if "
                "they are one category, convert the column with astype(str), else rename one"
            )
        first[word] = value


def read_unknown(unknown: Any) -> str:
    """Check the argument ``unknown``; a ValueError for another word."""
    if unknown not in ("error", "ignore"):
        raise ValueError(f"expected unknown to be 'error' or 'ignore', got {unknown!r}")
    return str(unknown)


def read_static(static: Any, keys: pd.Index, unknown: str = "error") -> tuple[pd.DataFrame, tuple[StaticColumn, ...]]:
    """Read the static features at `fit`: a column of text becomes a feature of 0 and 1 for each category.

    Parameters
    ----------
    static : DataFrame
        A row for each series, named by the index or a column ``unique_id``. A column of numbers or booleans is one
        feature.
    keys : Index
        The series of ``y``.
    unknown : {"error", "ignore"}
        See `StaticColumn`.

    Returns
    -------
    encoded : DataFrame of shape (n_series, n_features), float64
        With the index of ``static``.
    columns : tuple of StaticColumn
        The columns that later tables must have.

    Raises
    ------
    TypeError
        If ``static`` is no DataFrame, or a column holds times, lists or complex numbers.
    ValueError
        If a value is missing or infinite, or a series or a column is duplicated.
    """
    frame = _opened(static)
    _check_complete(frame)
    of_y = frame.index.isin(keys)
    parts, columns = {}, []
    for name, column in frame.items():
        if _holds_words(column):
            parts[name], values = column, column.unique().tolist()
            check_words_differ(name, list(map(str, values)), values)
            columns.append(StaticColumn(name, tuple(sorted({str(category) for category in column[of_y]})), unknown))
        else:
            parts[name] = pd.Series(_numbers(column, "or words"), frame.index)
            columns.append(StaticColumn(name))
    encoded = pd.get_dummies(pd.DataFrame(parts, columns=frame.columns)).astype(np.float64)
    if not encoded.columns.is_unique:
        twice = encoded.columns[encoded.columns.duplicated()][0]
        raise ValueError(f"expected static without two features named {twice!r} (column_category), rename a column")
    return encoded, tuple(columns)


def static_rows(encoded: pd.DataFrame, columns: Sequence[StaticColumn] | None, static: Any, keys: pd.Index) -> Array:
    """The static features of series: from a newer table where it has a row, else from the table of `fit`.

    Parameters
    ----------
    encoded, columns
        As returned by `read_static`. Columns may be None for files of older versions, which have only the names of
        features.
    static : DataFrame or None
        The newer table, with the columns of `fit` in any order; rows of series that are not in ``keys`` are ignored.
    keys : Index of shape (n_series,)
        The series.

    Returns
    -------
    ndarray of shape (n_series, n_features)

    Raises
    ------
    TypeError, ValueError
        If columns, types or categories are not those of `fit`, or a series has no row.
    """
    tables = [encoded]
    if static is not None:
        frame = _opened(static)
        frame = frame[frame.index.isin(keys)]
        if not len(frame):
            raise ValueError(
                f"expected static with a row for series {keys.tolist()[0]!r}, got rows of other series only"
            )
        tables.append(_encode(frame, encoded.columns, columns))
    rows = np.full((len(keys), encoded.shape[1]), np.nan)
    absent = np.ones(len(keys), bool)
    for table in tables:
        places = table.index.get_indexer(pd.Index(keys.tolist(), tupleize_cols=False))
        found = places >= 0
        rows[found] = table.to_numpy()[places[found]]
        absent &= ~found
    if absent.any():
        raise ValueError(f"expected a row of static for every series, got none for {keys[absent].tolist()[0]!r}")
    return rows if columns is None else _learned(rows, encoded.columns, columns, keys)


def _learned(rows: Array, features: pd.Index, columns: Sequence[StaticColumn], keys: pd.Index) -> Array:
    """Set to 0 categories in the table of `fit` that no series of ``y`` had, which were not trained; raise a ValueError
    for them unless they are ignored.
    """
    learned = [feature for column in columns for feature in column.features]
    unknown = ~features.isin(learned) & (rows > 0)
    if unknown.any() and all(column.unknown == "error" for column in columns):
        row, feature = (int(i) for i in np.argwhere(unknown)[0])
        raise ValueError(
            f"expected static with categories that series of y had at fit, got {features[feature]!r} (column_category) "
            f"for series {keys.tolist()[row]!r}"
        )
    return np.where(unknown, 0.0, rows)


def _encode(frame: pd.DataFrame, features: pd.Index, columns: Sequence[StaticColumn] | None) -> pd.DataFrame:
    columns = columns or _columns_of(features, frame.columns)
    _check_names([column.name for column in columns], frame.columns)
    _check_complete(frame)
    values = {name: part for column in columns for name, part in column.encode(frame[column.name]).items()}
    # categories that no series of y had at fit are features as well
    return pd.DataFrame({name: values.get(name, 0.0) for name in features}, frame.index, features).astype(np.float64)


def _columns_of(features: pd.Index, given: pd.Index) -> list[StaticColumn]:
    """The columns of features from a file that doesn't name them, as far as a table has them."""
    made: dict[Hashable, list[str]] = {}
    for feature in features:
        starts = [name for name in given if str(feature).startswith(f"{name}_")]
        if feature not in given and starts:
            name = max(starts, key=lambda each: len(str(each)))
            made.setdefault(name, []).append(str(feature).removeprefix(f"{name}_"))
        else:
            made[feature] = []
    return [StaticColumn(name, tuple(categories) or None) for name, categories in made.items()]


def _check_names(expected: list[Hashable], given: pd.Index) -> None:
    missing = [name for name in expected if name not in given]
    unknown = [name for name in given if name not in expected]
    if not missing and not unknown:
        return
    got = f"got {unknown} in place of {missing}" if missing and unknown else f"got none named {missing}"
    if not missing:
        got = f"got {unknown} as well"
    raise ValueError(f"expected static with the columns at fit, {expected}, {got}")


def _opened(static: Any) -> pd.DataFrame:
    frame, _ = to_pandas(static, "static")
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"expected static to be a DataFrame with a row for each series, got {type(static).__name__}")
    if SERIES in frame:
        frame = frame.set_index(SERIES)
    if not frame.shape[1]:
        raise ValueError("expected static with a column of features, got none")
    for labels, what in ((frame.index, "one row for each series"), (frame.columns, "every column once")):
        if not labels.is_unique:
            raise ValueError(f"expected static with {what}, got {labels[labels.duplicated()].tolist()[0]!r} twice")
    # pandas has no dummies for text types of Arrow
    kinds = {name: dtype.type for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.ArrowDtype)}
    return frame.astype({name: object for name, kind in kinds.items() if issubclass(kind, WORDS_OF_ARROW)})


def _check_complete(frame: pd.DataFrame) -> None:
    gone = frame.isna().to_numpy()
    if gone.any():
        row, column = (int(i) for i in np.argwhere(gone)[0])
        raise ValueError(
            f"expected a value in every row and column of static, got {frame.iloc[:, column].tolist()[row]} in column "
            f"{frame.columns[column]!r} for series {frame.index.tolist()[row]!r}"
        )


def _holds_words(column: pd.Series) -> bool:
    """Whether the values are categories, to be encoded as a feature each."""
    if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    if column.dtype != object or all(map(is_number, column)):
        return False
    return all(isinstance(value, Hashable) for value in column)


def _numbers(column: pd.Series, allowed: str) -> Array:
    """The values of a column of numbers or booleans; a TypeError for a value of another type."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        values = column.to_numpy(np.float64)
    else:
        for series, value in column.items():
            if not (is_number(value) or isinstance(value, bool | np.bool_)):
                raise TypeError(
                    f"expected numbers {allowed} in column {column.name!r} of static, got {reprlib.repr(value)} for "
                    f"series {series!r}"
                )
        values = np.array([float(value) for value in column])
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(
            f"expected finite numbers in column {column.name!r} of static, got {values[wrong[0]]} for series "
            f"{column.index.tolist()[wrong[0]]!r}"
        )
    return values


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
