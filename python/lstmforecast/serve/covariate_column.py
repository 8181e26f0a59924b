"""A covariate of a served model: how requests write its values, and how they become the features of `fit`."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast.serve.json_values import kind_of
from lstmforecast.serve.limits import LARGEST_VALUE, Refused

Array = NDArray[np.float64]
# Numbers, or the numbers of categories.
Values = NDArray[Any]
_NUMBERS = {int, float, bool}
# In place of the number of a category: a missing one, and one that `fit` had not.
MISSING, OTHER = -2, -1
# The number of categories that a message lists at most.
_SHOWN = 8


@dataclass(frozen=True)
class ServedColumn:
    """A covariate: numbers, truth values as 0 and 1, or the categories of `fit`.

    Attributes
    ----------
    name : str
        The name that requests use.
    label : label
        Its name at `fit`.
    categories : tuple of str or None
        None: numbers.
    nullable : bool
        Whether values may be missing: where `fit` had gaps, with ``missing="mask"``.
    unknown : {"error", "ignore"}
        What is done with other categories; as at `fit`.
    """

    name: str
    label: Hashable
    categories: tuple[str, ...] | None = None
    nullable: bool = False
    unknown: str = "error"

    @property
    def n_features(self) -> int:
        """The number of features that the column is encoded as."""
        return 1 if self.categories is None else len(self.categories)

    @cached_property
    def places(self) -> dict[Any, int]:
        """The number of each category by what requests may write: its text, or the number that it is the text of."""
        places: dict[Any, int] = {}
        for i, text in enumerate(self.categories or ()):
            places[text] = i
            number = _number_of(text)
            if number is not None:
                places.setdefault(number, i)
        return places

    def place(self, value: Any) -> int | None:
        """The number of the category of a value, `MISSING` or `OTHER`; None if it is refused.

        1 and 1.0 are equal, true is "True".
        """
        if value is None and self.nullable:
            return MISSING
        if type(value) not in (str, int, float, bool):
            return None
        found = self.places.get(str(value))
        if found is None and type(value) is not bool:
            found = self.places.get(value)
        return OTHER if found is None and self.unknown == "ignore" else found

    def read(self, given: Any, where: str, n_rows: int, rows: str) -> Values:
        """Read an array of numbers or categories: (n_rows,), as `features` takes them.

        Raises
        ------
        Refused
            With 422 and one sentence.
        """
        if type(given) is not list or len(given) != n_rows:
            got = f"{len(given)}" if type(given) is list else kind_of(given)
            raise Refused(422, f"expected {where} to be an array of {n_rows} values, for {rows}, got {got}")
        if self.categories is None:
            kinds = _NUMBERS | {type(None)} if self.nullable else _NUMBERS
            if not set(map(type, given)) <= kinds:
                wrong = next(i for i, value in enumerate(given) if type(value) not in kinds)
                raise Refused(422, f"expected {self._words} in {where}, got {kind_of(given[wrong])} in row {wrong}")
            values = np.array(given, np.float64)
            if n_rows and not (np.abs(values[~np.isnan(values)]) <= LARGEST_VALUE).all():
                raise Refused(422, f"expected {self._words} in {where}, got others")
            return values
        places = [self.place(value) for value in given]
        if None in places:
            wrong = places.index(None)
            raise Refused(422, f"expected {self._words} in {where}, got {_shown(given[wrong])} in row {wrong}")
        return np.array(places, np.intp)

    def features(self, values: Values) -> Array:
        """The features of `fit`: (n, n_features)."""
        if self.categories is None:
            return values[:, np.newaxis]
        made: Array = (values[:, np.newaxis] == np.arange(len(self.categories))).astype(np.float64)
        made[values == MISSING] = np.nan
        return made

    def values(self, features: Array) -> Values:
        """The inverse of `features`."""
        if self.categories is None:
            return features[:, 0]
        gone = np.isnan(features).any(axis=1)
        return np.where(gone, MISSING, np.where(features.any(axis=1), features.argmax(axis=1), OTHER))

    def read_one(self, value: Any, where: str) -> Any:
        """Read a static value: a number or a category; `Refused` with 422 and one sentence."""
        if self.categories is None:
            if type(value) not in _NUMBERS or not abs(value) <= LARGEST_VALUE:
                got = "another" if type(value) in _NUMBERS else kind_of(value)
                raise Refused(422, f"expected {self._words} in {where}, got {got}")
            return float(value)
        place = self.place(value)
        if place is None:
            raise Refused(422, f"expected {self._words} in {where}, got {_shown(value)}")
        return str(value) if place == OTHER else self.categories[place]

    @property
    def _words(self) -> str:
        """What is expected, for messages."""
        if self.categories is None:
            numbers = f"numbers between -{LARGEST_VALUE:g} and {LARGEST_VALUE:g}, true or false"
            return f"{numbers} (or null)" if self.nullable else numbers
        more = len(self.categories) - _SHOWN
        listed = ", ".join(map(repr, self.categories[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
        return f"a category of fit ({listed})"

    def written(self, values: Values) -> list[Any]:
        """The inverse of `read`."""
        if self.categories is None:
            return [
                None if value != value else int(value) if value.is_integer() else value for value in values.tolist()
            ]
        # a category that was ignored may have any name
        return [None if place == MISSING else "other" if place == OTHER else self.categories[place] for place in values]

    def schema(self) -> dict[str, Any]:
        """The schema of a value."""
        if self.categories is None:
            kinds = ["number", "boolean", *["null"] * self.nullable]
            return {"type": kinds, "minimum": -LARGEST_VALUE, "maximum": LARGEST_VALUE}
        if self.unknown == "ignore":
            return {"type": ["string", "number", "boolean", *["null"] * self.nullable]}
        truths = [value for value in (False, True) if str(value) in self.categories]
        return {"enum": [*self.places, *truths, *[None] * self.nullable]}

    def description(self) -> dict[str, Any]:
        """Its properties for clients, for JSON."""
        kind = "number" if self.categories is None else "category"
        found = {"name": self.name, "kind": kind, "categories": self.categories}
        return found | {"nullable": self.nullable, "unknown": self.unknown}


def _number_of(text: str) -> float | None:
    """The number that is written as this text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and text in (str(number), f"{number:.0f}") else None


def _shown(value: Any) -> str:
    return reprlib.repr(value) if type(value) in (str, int, float, bool) else kind_of(value)
