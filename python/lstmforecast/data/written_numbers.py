"""Numbers as people write them: decimal comma or point, thousands apart. Read rightly, or refused."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

# Text that stands for a missing value: the list of pandas.
MISSING = {
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
}
SPACES = " \u00a0\u202f\u2009"
_QUOTES = "'\u2019"
# The share of a column that must be numbers for the rest to be mistakes, and no words.
_MOSTLY = 0.8
_WITH_SIGN = re.compile(r"(?:[$€£¥%]|[A-Z]{3})?\s?[-+]?\d[\d.,' \u00a0\u202f]*\s?(?:[$€£¥%]|[A-Z]{3})?")
# An integer part of five digits in one piece: the column has no separators of thousands.
_IN_ONE_PIECE = r"[-+]?\d{5,}.*"
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60


@dataclass(frozen=True)
class Notation:
    """How numbers are written, as far as it was said.

    Attributes
    ----------
    decimal : {".", ","} or None
        The decimal sign; None: found.
    thousands : str or None
        What stands between groups of three digits; None: any sign but the decimal one.
    """

    decimal: str | None = None
    thousands: str | None = None

    @property
    def decimals(self) -> tuple[str, ...]:
        """The decimal signs that are possible."""
        if self.decimal is not None:
            return (self.decimal,)
        return tuple(each for each in (".", ",") if each != self.thousands)

    def read(self, values: pd.Series[Any], decimal: str) -> pd.Series[Any] | None:
        """Values of text as numbers with this decimal sign; None if they are not written so."""
        # most columns show their notation in the first rows
        if not all(self.are_numbers(part, decimal).all() for part in (values.iloc[:100], values)):
            return None
        groups = f"[{self._groups(decimal)}]"
        grouped = values.str.contains(groups)
        if grouped.any() and (~grouped & values.str.fullmatch(_IN_ONE_PIECE)).any():
            return None
        values = values.str.replace(groups, "", regex=True)
        numbers = pd.to_numeric(values.str.replace(decimal, ".", regex=False), errors="coerce")
        return None if numbers.isna().any() else numbers

    def are_numbers(self, values: pd.Series[Any], decimal: str) -> pd.Series[bool]:
        """Whether each value alone is a number with this decimal sign."""
        sign, exponent = re.escape(decimal), r"(?:[eE][-+]?\d+)?"
        simple = values.str.fullmatch(rf"[-+]?(?:\d+(?:{sign}\d*)?|{sign}\d+){exponent}").astype(bool)
        if simple.all():
            return simple
        grouped = rf"[-+]?[1-9]\d{{0,2}}(?P<group>[{self._groups(decimal)}])\d{{3}}(?:(?P=group)\d{{3}})*"
        pattern = re.compile(rf"{grouped}(?:{sign}\d*)?{exponent}", re.ASCII)
        return simple | values.where(~simple, "").map(pattern.fullmatch).astype(bool)

    def _groups(self, decimal: str) -> str:
        """Signs that may stand between groups, for a class of characters of a pattern."""
        other = "," if decimal == "." else "."
        if self.thousands is None:
            return other + SPACES + _QUOTES
        return SPACES if self.thousands in SPACES else _QUOTES if self.thousands in _QUOTES else self.thousands


@dataclass(frozen=True)
class Text:
    """A column of text in a file.

    Attributes
    ----------
    column : Series of str
        Without spaces around the values.
    file : str
        The name of the file, for messages.
    first_line : int
        The line of the first row, for messages.
    """

    column: pd.Series[Any]
    file: str
    first_line: int

    def values(self) -> pd.Series[Any]:
        """The values that are there."""
        return self.column[~self.column.isin(MISSING)]

    def numbers(self, notation: Notation, decimal_of_file: Callable[[], str | None]) -> pd.Series[Any]:
        """The column as numbers, as truth values, or as it is where it holds words.

        Parameters
        ----------
        notation : Notation
            What is known of numbers.
        decimal_of_file : function
            The decimal sign that other columns show; None if they show none. Called where this column shows none.

        Raises
        ------
        ValueError
            If the decimal sign is uncertain, or a column of numbers has a value that is none.
        """
        values = self.values()
        if values.empty:
            return pd.Series(float("nan"), self.column.index, name=self.column.name)
        numbers = plain(values, notation)
        if numbers is None:
            numbers = self._written(values, notation, decimal_of_file)
        if numbers is not None:
            return numbers if len(numbers) == len(self.column) else numbers.astype(float).reindex(self.column.index)
        lower = values.str.lower()
        if lower.isin(["true", "false"]).all():
            truth = lower == "true"
            return truth if len(truth) == len(self.column) else truth.astype(object).reindex(self.column.index)
        self._refuse_mixture(values, notation)
        return self.column.mask(self.column.isin(MISSING))

    def labels(self, *, as_text: bool | None = None) -> pd.Series[Any]:
        """The column as names: as whole numbers where no digit is lost, or as text; or as ``as_text`` says."""
        values = self.values()
        pattern = r"-?\d{1,18}" if as_text is False else r"0|-?[1-9]\d{0,17}"
        whole = len(values) == len(self.column) and len(values) and values.str.fullmatch(pattern).all()
        return values.astype("int64") if whole and not as_text else self.column.mask(self.column.isin(MISSING))

    def shown_decimal(self) -> str | None:
        """The decimal sign, if the column holds numbers that can only be read with one."""
        values = self.values()
        if values.empty or values.str.match(r"[-+]?0\d").any():
            return None
        possible = [decimal for decimal, numbers in _readings(values, Notation()) if numbers is not None]
        with_sign = values.str.contains("[.,]").any()
        return possible[0] if len(possible) == 1 and with_sign else None

    def _written(
        self, values: pd.Series[Any], notation: Notation, decimal_of_file: Callable[[], str | None]
    ) -> pd.Series[Any] | None:
        readings = {decimal: numbers for decimal, numbers in _readings(values, notation) if numbers is not None}
        if not readings:
            return None
        first, *others = readings.values()
        if all(first.astype(float).equals(other.astype(float)) for other in others):
            return first
        chosen = decimal_of_file()
        if chosen is None:
            raise ValueError(self._ambiguity(values, readings))
        return readings[chosen]

    def _ambiguity(self, values: pd.Series[Any], readings: dict[str, pd.Series[Any]]) -> str:
        differ = readings["."] != readings[","]
        row = differ.index[int(differ.to_numpy().argmax())]
        used = "," if "," in values[row] else "."
        other = "." if used == "," else ","
        return (
            f"{self.file}: expected numbers whose decimal sign is certain in column {self.column.name!r}, got "
            f"{values[row]!r} ({self.place(row)}), which is {readings[used][row]:.15g} with --decimal {used} "
            f"--thousands {other} or {readings[other][row]:.15g} with --decimal {other} --thousands {used}; say which"
        )

    def place(self, row: int) -> str:
        """The line of a row."""
        return f"line {row + self.first_line}"

    def _refuse_mixture(self, values: pd.Series[Any], notation: Notation) -> None:
        """Raise a ValueError for numbers with signs, and for a few words among numbers."""
        signed = values.map(_WITH_SIGN.fullmatch).astype(bool)
        numeric = Notation().are_numbers(values, ".") | Notation().are_numbers(values, ",")
        if signed.all() and not numeric.all():
            got = values[~numeric] if (~numeric).any() else values
            where, way = got.index[0], "write the numbers without signs and units, in one notation"
        elif numeric.mean() >= _MOSTLY and not numeric.all():
            where = values.index[int((~numeric).to_numpy().argmax())]
            way = "correct it, or leave it empty if it is missing"
            if where == self.column.index[0] and numeric.sum() == len(numeric) - 1:
                way = "delete this row if it holds units"
        elif numeric.all():
            raise ValueError(self._contradiction(values, notation))
        else:
            return
        raise ValueError(
            f"{self.file}: expected numbers in column {self.column.name!r}, got {_BRIEF.repr(values[where])} "
            f"({self.place(where)}); {way}"
        )

    def _contradiction(self, values: pd.Series[Any], notation: Notation) -> str:
        if len(notation.decimals) == 1:
            numeric = notation.are_numbers(values, notation.decimals[0])
            row = numeric.index[int((~numeric).to_numpy().argmax())]
            signs = [f"--decimal {notation.decimal}"] * (notation.decimal is not None)
            signs += [f"--thousands {notation.thousands}"] * (notation.thousands is not None)
            return (
                f"{self.file}: expected numbers as {' '.join(signs)} says in column {self.column.name!r}, got "
                f"{_BRIEF.repr(values[row])} ({self.place(row)})"
            )
        point, comma = (notation.are_numbers(values, decimal) for decimal in ".,")
        rows = [each.index[int((~each).to_numpy().argmax())] for each in (comma, point) if not each.all()]
        got = " and ".join(f"{_BRIEF.repr(values[row])} ({self.place(row)})" for row in sorted({*rows}))
        return (
            f"{self.file}: expected all numbers of column {self.column.name!r} in one notation, got {got or 'several'}"
        )


def plain(values: pd.Series[Any], notation: Notation) -> pd.Series[Any] | None:
    """Numbers as programs write them, such as -1.5e3; None for others, and where a point may part thousands."""
    if "." not in notation.decimals:
        if values.str.contains(".", regex=False).any():
            return None
    elif "," in notation.decimals:
        with_point = values[values.str.contains(".", regex=False)]
        if len(with_point) and with_point.str.fullmatch(r"[-+]?[1-9]\d{0,2}\.\d{3}").all():
            return None
    numbers = pd.to_numeric(values, errors="coerce")
    return None if numbers.isna().any() else numbers


def _readings(values: pd.Series[Any], notation: Notation) -> Iterator[tuple[str, pd.Series[Any] | None]]:
    for decimal in notation.decimals:
        yield decimal, notation.read(values, decimal)
