"""Series that are sums of others: the structure of a hierarchy, and the table of all its series."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.columns import Columns
from lstmforecast.data.container import read_table
from lstmforecast.data.table_columns import keys_of, labels_of, opened

__all__ = ["aggregate"]


@dataclass(frozen=True)
class Hierarchy:
    """Which series are sums of which.

    Attributes
    ----------
    totals, leaves : list of labels
        The series that are sums, in the order of the structure, and those that are none.
    sums : ndarray of shape (n_totals + n_leaves, n_leaves)
        1 where a leaf is part of a series; the last rows are those of the leaves.
    """

    totals: list[Hashable]
    leaves: list[Hashable]
    sums: NDArray[np.float64]

    @classmethod
    def read(cls, structure: Any) -> Hierarchy:
        """Read a dict of lists.

        Raises
        ------
        TypeError, ValueError
            If it is no such dict, or empty, a series is part of itself, or a leaf is twice part of a series.
        """
        if not isinstance(structure, Mapping) or not structure:
            raise TypeError(
                f'expected structure as a dict of lists, {{"total": ["north", "south"]}}, got {structure!r}'
            )
        for total, parts in structure.items():
            if isinstance(parts, str) or not isinstance(parts, Sequence | pd.Index | np.ndarray) or not len(parts):
                raise TypeError(f"expected a list of the parts of {total!r} in structure, got {parts!r}")
            if odd := [part for part in parts if not isinstance(part, Hashable)]:
                raise TypeError(f"expected names of series as the parts of {total!r} in structure, got {odd[0]!r}")
        leaves = [part for parts in structure.values() for part in parts if part not in structure]
        leaves = list(dict.fromkeys(leaves))
        place = {leaf: i for i, leaf in enumerate(leaves)}

        def of(label: Hashable, above: tuple[Hashable, ...]) -> NDArray[np.float64]:
            if label in above:
                raise ValueError(f"expected no series of structure to be part of itself, got {label!r}")
            row = np.zeros(len(leaves))
            if label not in structure:
                row[place[label]] = 1
                return row
            for part in structure[label]:
                row += of(part, (*above, label))
            if (row > 1).any():
                twice = leaves[int(row.argmax())]
                raise ValueError(f"expected every series once in {label!r}, got {twice!r} more than once")
            return row

        rows = [of(label, ()) for label in (*structure, *leaves)]
        return cls(list(structure), leaves, np.array(rows))

    @property
    def labels(self) -> list[Hashable]:
        """All series, in the order of `sums`."""
        return [*self.totals, *self.leaves]


def aggregate(df: Any, structure: Any, *, target: Any = "y", series: Any = None, time: Any = None) -> Any:
    """Make the table of all series of a hierarchy from that of its leaves.

    Parameters
    ----------
    df : DataFrame
        A table of pandas, polars or pyarrow with a row for each leaf and time.
    structure : dict of label to list of labels
        The parts of each series that is a sum: ``{"total": ["north", "south"], "north": ["a", "b"]}``. A part is
        another such series, or one of the table.
    target : label or list of labels, default="y"
        The columns to add up; a sum is missing where a part is.
    series, time : label or None, default=None
        Names of columns, as in `LSTMForecaster.fit`.

    Returns
    -------
    DataFrame
        A table of the same library with the columns of series, times and targets: first the sums, in the order of
        ``structure``, then the leaves.

    Raises
    ------
    TypeError, ValueError
        If a name is no column, the structure is none, or a leaf has no rows.

    Examples
    --------
    >>> df = pd.DataFrame({"shop": ["a", "a", "b", "b"], "day": [1, 2, 1, 2], "sales": [1.0, 2.0, 10.0, 20.0]})
    >>> aggregate(df, {"all": ["a", "b"]}, target="sales", series="shop", time="day")["sales"].tolist()
    [11.0, 22.0, 1.0, 2.0, 10.0, 20.0]
    """
    hierarchy = Hierarchy.read(structure)
    frame, native, of_index = opened(df, series, time)
    series, time = keys_of(frame, of_index, series, time)
    targets = labels_of("target", target, list(frame.columns))
    if series is None:
        raise ValueError("expected series= to name the column of series, got None")
    origin = native(series, time)
    ordered, index = Columns(targets, series, time).ordered(frame, "the table")
    labels = index.get_level_values(0)
    check_labels(hierarchy.leaves, hierarchy.leaves, labels, "the table")
    numbers, _ = read_table(ordered[list(targets)].set_axis(index), "the table")
    values = pd.DataFrame(numbers, index, pd.Index(targets, tupleize_cols=False))
    leaves = pd.Index(hierarchy.leaves, tupleize_cols=False)
    wide = {name: values[name].unstack(level=0).reindex(columns=leaves) for name in targets}
    parts = []
    for label, row in zip(hierarchy.labels, hierarchy.sums, strict=True):
        total = pd.concat(
            {name: each.iloc[:, row == 1].sum(axis=1, skipna=False) for name, each in wide.items()}, axis=1
        )
        if label not in structure:
            total = total.loc[index[labels == label].get_level_values(1)]
        total.insert(0, time, total.index)
        total.insert(0, series, pd.Index([label], tupleize_cols=False).repeat(len(total)))
        parts.append(total)
    made = pd.concat(parts, ignore_index=True)
    return made if origin is None else origin.give_back(made)


def check_labels(labels: Sequence[Hashable], needed: Sequence[Hashable], given: Any, name: str) -> None:
    """Raise a ValueError for a series that is needed and not among those ``given``, or given and not in ``labels``."""
    found = set(given)
    absent = [label for label in needed if label not in found]
    other = [label for label in dict.fromkeys(given) if label not in set(labels)]
    if absent or other:
        got = " and ".join([f"none of {absent}"] * bool(absent) + [f"{other}, which structure hasn't"] * bool(other))
        raise ValueError(f"expected the series of structure in {name}, {list(labels)}, got {got}")
