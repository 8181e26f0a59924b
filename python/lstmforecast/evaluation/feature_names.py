"""What features are called in results: by the user's columns, with their table where a name is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

Source = tuple[str, Hashable]


def names_of(sources: Iterable[Source]) -> dict[Source, Hashable]:
    """The name of each table and column, ``"0 (X_past)"`` where several tables have a column of that name.

    Examples
    --------
    >>> names_of([("y", "load"), ("X", 0), ("X_past", 0), ("X", 0)])
    {('y', 'load'): 'load', ('X', 0): '0 (X)', ('X_past', 0): '0 (X_past)'}
    """
    unique = list(dict.fromkeys(sources))
    counts = Counter(column for _, column in unique)
    return {(table, column): column if counts[column] == 1 else f"{column} ({table})" for table, column in unique}
