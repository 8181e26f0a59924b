"""Columns of words as numbers: a feature of 0 and 1 for each category."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.container import row_name
from lstmforecast.data.saved_labels import pack_label, unpack_label
from lstmforecast.data.static import WORDS_OF_ARROW, check_words_differ, read_unknown

# The number of categories that a message lists at most.
_SHOWN = 8
# Of more different texts, mostly of numbers, one that is none is probably no category.
MOST_MIXED = 12


@dataclass(frozen=True)
class Category:
    """A column of words at `fit`.

    Attributes
    ----------
    name : label
        Its name.
    categories : tuple of str
        Its values, in alphabetical order.
    unknown : {"error", "ignore"}
        What is done with other values later: an error, or 0 in every feature.
    """

    name: Hashable
    categories: tuple[str, ...]
    unknown: str = "error"

    @classmethod
    def of(cls, column: pd.Series[Any], unknown: str = "error") -> Category:
        """The categories of a column; a missing value is none.

        Raises
        ------
        TypeError
            For a value such as a list, and for words among numbers.
        ValueError
            For two values with the same text.
        """
        if wrong := [value for value in column if not isinstance(value, Hashable)]:
            raise TypeError(f"expected words or numbers in column {column.name!r}, got {reprlib.repr(wrong[0])}")
        if not isinstance(column.dtype, pd.CategoricalDtype):
            _refuse_mixed(column)
        values = column.dropna().unique().tolist()
        words = [_word(value) for value in values]
        check_words_differ(column.name, words, values)
        return cls(column.name, tuple(sorted(words)), unknown)

    @property
    def features(self) -> list[str]:
        """The features that the column is encoded as."""
        return [f"{self.name}_{category}" for category in self.categories]

    def encode(self, column: pd.Series[Any], where: str) -> dict[Hashable, NDArray[np.float64]]:
        """The features of a column, NaN where it is missing.

        Raises
        ------
        ValueError
            For a category that was not there at `fit`, unless it is ignored.
        """
        words = column.to_numpy(dtype=object)
        missing = column.isna().to_numpy()
        known = {category: i for i, category in enumerate(self.categories)}
        # older files have "1.0" where columns were of that type
        places = np.array(
            [
                -1 if gone else known.get(_word(word), known.get(str(word), -1))
                for word, gone in zip(words, missing, strict=True)
            ],
            np.int64,
        )
        wrong = np.flatnonzero((places < 0) & ~missing)
        if len(wrong) and self.unknown == "error":
            more = len(self.categories) - _SHOWN
            listed = ", ".join(map(repr, self.categories[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
            raise ValueError(
                f"expected a category of fit in column {self.name!r} of {where} ({listed}), got "
                f"{reprlib.repr(words[wrong[0]])} at {row_name(column.index, int(wrong[0]))}; fit with "
                "unknown='ignore' to let it count as none of them"
            )
        return {
            feature: np.where(missing, np.nan, places == i).astype(np.float64)
            for i, feature in enumerate(self.features)
        }

    def pack(self) -> dict[str, Any]:
        """Write as plain values for model files."""
        packed = {"name": pack_label(self.name), "categories": list(self.categories)}
        return packed | ({} if self.unknown == "error" else {"unknown": self.unknown})

    @classmethod
    def unpack(cls, saved: Mapping[str, Any]) -> Category:
        """Read what `pack` wrote."""
        return cls(unpack_label(saved["name"]), tuple(saved["categories"]), read_unknown(saved.get("unknown", "error")))


def holds_words(column: pd.Series[Any]) -> bool:
    """Whether the values of a column are categories."""
    if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    if isinstance(column.dtype, pd.ArrowDtype):
        return issubclass(column.dtype.type, WORDS_OF_ARROW)
    return column.dtype == object and any(isinstance(value, str) for value in column)


def words_of(table: Any, unknown: str = "error") -> tuple[Category, ...]:
    """The columns of words of a frame; none of other containers."""
    if not isinstance(table, pd.DataFrame) or not table.columns.is_unique:
        return ()
    return tuple(Category.of(column, unknown) for _, column in table.items() if holds_words(column))


def in_numbers(table: Any, words: Sequence[Category], name: str) -> Any:
    """Covariates with words as a column of 0 and 1 for each category, and truth values as 0 and 1.

    A frame that has these columns already stays as it is.

    Raises
    ------
    ValueError
        For a category that was not there at `fit`, and for two features of one name.
    """
    if isinstance(table, pd.Series):
        return numbers_of(table)
    if not isinstance(table, pd.DataFrame) or not table.columns.is_unique:
        return table
    by_name = {category.name: category for category in words if category.name in table}
    if not by_name and not any(map(_may_be_no_number, table.dtypes)):
        return table
    made: dict[Hashable, Any] = {}
    of: dict[Hashable, Hashable] = {}
    for label, column in table.items():
        features = by_name[label].encode(column, name) if label in by_name else {label: numbers_of(column)}
        for feature in features:
            if feature in made:
                raise ValueError(
                    f"expected no two features of one name in {name}, got {feature!r} of columns {of[feature]!r} and "
                    f"{label!r} (a category is column_category); rename one of them"
                )
            of[feature] = label
        made |= features
    labels = pd.Index(list(made), tupleize_cols=False) if by_name else table.columns
    return pd.DataFrame(dict(enumerate(made.values())), index=table.index).set_axis(labels, axis=1)


def _word(value: Any) -> str:
    """The text of a category; 1 and 1.0 are the same, because a table may turn one into the other."""
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def _may_be_no_number(dtype: Any) -> bool:
    return pd.api.types.is_object_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)


def numbers_of(column: pd.Series[Any]) -> pd.Series[Any]:
    """Truth values as numbers; other columns stay as they are."""
    if pd.api.types.is_bool_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype("Float64" if column.hasnans else "float64")
    if column.dtype == object and column.map(lambda each: isinstance(each, bool | np.bool_) or pd.isna(each)).all():
        return column.astype("boolean").astype("Float64")
    return column


def _refuse_mixed(column: pd.Series[Any]) -> None:
    """Raise a TypeError for words among numbers, or among texts of numbers: these are no categories."""
    known = column.notna().to_numpy()
    is_word = np.array([isinstance(value, str) for value in column], bool)
    if is_word.any() and (known & ~is_word).any():
        few = is_word if is_word.sum() <= known.sum() / 2 else known & ~is_word
        raise _mixed(column, int(few.argmax()), "numbers" if few is is_word else "words")
    unique = column[is_word].unique()
    is_number = pd.to_numeric(pd.Series(unique, dtype=object), errors="coerce").notna().to_numpy()
    if len(unique) > MOST_MIXED and 0.5 <= is_number.mean() < 1:
        odd = unique[~is_number][0]
        raise _mixed(column, int((column == odd).to_numpy(bool, na_value=False).argmax()), "texts of numbers")


def _mixed(column: pd.Series[Any], row: int, others: str) -> TypeError:
    where = row_name(column.index, row)
    return TypeError(
        f"expected words or numbers in column {column.name!r}, got {reprlib.repr(column.iloc[row])} at {where} among "
        f"{others}; correct it, or make categories with astype('category')"
    )
