"""Columns of words as numbers: a feature of 0 and 1 for each category."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.container import row_name
from lstmforecast.data.saved_labels import pack_label, unpack_label
from lstmforecast.data.static import WORDS_OF_ARROW, read_unknown

# The number of categories that a message lists at most.
_SHOWN = 8


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
            For a value such as a list.
        """
        if wrong := [value for value in column if not isinstance(value, Hashable)]:
            raise TypeError(f"expected words or numbers in column {column.name!r}, got {reprlib.repr(wrong[0])}")
        return cls(column.name, tuple(sorted({str(value) for value in column.dropna().unique()})), unknown)

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
        places = pd.Index(self.categories, dtype=object).get_indexer(
            pd.Index([None if gone else str(word) for word, gone in zip(words, missing, strict=True)], dtype=object)
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
