"""How a text file is laid out as a table: the separator of columns, and the line with their names."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SEPARATORS = (",", ";", "\t", "|")
WHITE_SPACE = r"\s+"
# Stands for the separator of a file of one column, whose numbers may have commas.
NONE = "\x1f"
# The number of lines that the layout is found in.
_MOST_LINES = 300
_NUMBER = re.compile(r"[-+]?(?:[\d .,'\u2019\u00a0\u202f]*\d[\d .,]*)(?:[eE][-+]?\d+)?\s*%?")
# A number with a comma as the only field of a row.
_WITH_COMMA = re.compile(r"[-+]?\d[\d.' ]*(?:,\d+)?|[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_LIKE_TIME = re.compile(r"\d{1,4}[-/.]\s?(?:\d{1,2}|[A-Za-z]{3,9})[-/.]\s?\d{1,4}.*|\d{1,2}:\d{2}.*")
_COMMENT = "#"


class Layout(NamedTuple):
    """The layout of a table in a text.

    Attributes
    ----------
    separator : str
        One character, or the pattern of white space.
    names : list of str
        Of the columns; one without a name is called ``Unnamed: 0`` after its place, as pandas does it.
    skipped : int
        Lines of the text above that of the names.
    first_line : int
        The line of the first row, from 1.
    is_sure : bool
        False if the names may be those of a first row instead: all look like numbers or times.
    """

    separator: str
    names: list[str]
    skipped: int
    first_line: int
    is_sure: bool


class _Record(NamedTuple):
    """A line, or several with a quoted field over them, as fields: those from ``start`` to before ``end``."""

    start: int
    end: int
    fields: list[str]


def find_layout(text: str, separator: str | None, name: str) -> Layout:
    """Find the separator, unless it is given, and the line of names: the first with a name for each column below.

    Parameters
    ----------
    text : str
        The beginning of the file; its last line may be cut.
    separator : str or None
        The separator.
    name : str
        The name of the file in messages.

    Raises
    ------
    ValueError
        If there is no line of names.
    """
    lines = list(io.StringIO(text, newline=None))[:_MOST_LINES]
    if not any(line.strip() for line in lines):
        raise ValueError(f"{name} is not a CSV table: it is empty")
    if separator is not None:
        return _with_separator(lines, separator, name)
    found = [layout for each in SEPARATORS if (layout := _layout(lines, each))]
    if found:
        scores = [_score(lines, layout) for layout in found]
        # of separators that divide the lines alike, the one whose names stand higher
        best = max(range(len(found)), key=lambda i: (round(scores[i], 1), -found[i].skipped, scores[i]))
        return found[best]
    spaced = _layout(lines, WHITE_SPACE)
    if spaced is not None and _share(lines, spaced) == 1:
        return spaced
    return _with_separator(lines, _of_one_column(lines), name)


def header_of(rows: Sequence[Sequence[str]], name: str) -> tuple[int, list[str], bool]:
    """The place of the row of names among rows of one width, the names, and whether they can't be a row of values.

    Raises
    ------
    ValueError
        If there is no such row.
    """
    for place, row in enumerate(rows):
        if place and any(map(_is_value, row)):
            break
        if "" not in row[1:]:
            names = [field or f"Unnamed: {i}" for i, field in enumerate(row)]
            return place, names, not all(_is_value(field) for field in row if field)
    raise ValueError(f"expected a row with a name for each column in {name}, got none above the values")


def _with_separator(lines: Sequence[str], separator: str, name: str) -> Layout:
    layout = _layout(lines, separator, least=1)
    if layout is None:
        raise ValueError(
            f"{name} is not a CSV table: expected a line with a name for each column, got rows with more fields than "
            "the header"
        )
    return layout


def _of_one_column(lines: Sequence[str]) -> str:
    body = [line.strip() for line in lines[1:] if line.strip()]
    return NONE if all(_WITH_COMMA.fullmatch(line) or not set(line) & set(",;|") for line in body) else ","


def _records(lines: Sequence[str], separator: str) -> Iterator[_Record]:
    """Lines that are neither blank nor comments before the header."""
    if separator == WHITE_SPACE:
        lines, separator = [re.sub(r"\s+", " ", line.strip()) + "\n" for line in lines], " "
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator != " ")
    any_before, start = False, 0
    try:
        for fields in reader:
            fields = [field.strip() for field in fields]
            if any(fields) and (any_before or not fields[0].startswith(_COMMENT)):
                any_before = True
                yield _Record(start, reader.line_num, fields)
            start = reader.line_num
    except csv.Error:
        # pandas reads the file later, and says what is wrong with it
        return


def _layout(lines: Sequence[str], separator: str, least: int = 2) -> Layout | None:
    """The layout with this separator; None if it makes no columns, or no line has their names."""
    records = list(_records(lines, separator))
    if not records:
        return None
    half = records[len(records) // 2 :]
    width = Counter(len(record.fields) for record in half).most_common(1)[0][0]
    if width < least:
        return None
    ends_blank = all(len(record.fields) < width or not record.fields[-1] for record in half)
    for place, record in enumerate(records):
        fields, n = record.fields, len(record.fields)
        if not (n == width or (n == width - 1 and ends_blank)):
            continue
        # of lines above a header only this says that they are none: the fields are names
        if place and any(map(_is_value, fields)):
            return None
        if "" in fields[1:-1] or (fields[-1] == "" and not ends_blank):
            continue
        if fields[-1] == "" and n > 1:
            fields = fields[:-1]
        names = [field or f"Unnamed: {i}" for i, field in enumerate(fields)]
        is_sure = not all(_is_value(field) for field in fields if field)
        return Layout(separator, names, record.start, record.end + 1, is_sure)
    return None


def _is_value(field: str) -> bool:
    return bool(_NUMBER.fullmatch(field) or _LIKE_TIME.fullmatch(field))


def _share(lines: Sequence[str], layout: Layout) -> float:
    """The share of rows with a field for each name."""
    body = [record for record in _records(lines, layout.separator) if record.start > layout.skipped]
    n = len(layout.names)
    whole = [len(record.fields) == n or (len(record.fields) == n + 1 and not record.fields[-1]) for record in body]
    return sum(whole) / len(whole) if whole else 1.0


def _score(lines: Sequence[str], layout: Layout) -> float:
    """How well a separator divides the lines: whole rows, and fields without another separator in them."""
    others = set(SEPARATORS) - {layout.separator}
    fields = [*layout.names, *(field for record in _records(lines, layout.separator) for field in record.fields)]
    apart = [not set(field) & others or bool(_NUMBER.fullmatch(field)) for field in fields]
    return _share(lines, layout) * sum(apart) / len(apart)
