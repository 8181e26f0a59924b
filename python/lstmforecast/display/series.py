"""Which series of a panel are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from lstmforecast.display.scale import marks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Series that are drawn unless others are asked for.
MOST_SERIES = 4
# Series share a y-axis if each of them fills this share of it or more.
COMPARABLE = 0.5


class Chosen(NamedTuple):
    """Series that are drawn.

    Attributes
    ----------
    keys : list
        Their labels; ``[None]`` where there is no panel.
    total : int
        Series of the panel.
    several : bool
        Whether each has axes of its own and data are kept with the series in the index.
    """

    keys: list[Any]
    total: int
    several: bool

    def words(self) -> str | None:
        """How many series are shown of how many; None for all of them."""
        return None if len(self.keys) >= self.total else f"{len(self.keys)} of {self.total:,} series"


def choose(known: list[Any], series: Any, ax: Any, what: str) -> Chosen:
    """Choose series of those that are known: one by its label, several by a list, by default the first.

    Parameters
    ----------
    known : list
        Labels; empty where there is no panel.
    series : label, list of label or None
        What the user asked for. None: the first four; on the user's axes the first.
    ax : object
        The user's axes, or None.
    what : str
        The known series, for the message.

    Raises
    ------
    ValueError
        For an unknown label, an empty list, or labels without a panel.
    """
    if not known:
        if series is not None:
            raise ValueError(f"expected no series, because the data are one series, got {series!r}")
        return Chosen([None], 1, several=False)
    if series is None:
        keys = known[: MOST_SERIES if ax is None else 1]
        return Chosen(keys, len(known), several=len(keys) > 1)
    several = isinstance(series, list | np.ndarray | pd.Index)
    keys = list(series) if several else [series]
    if not keys:
        raise ValueError("expected a series or a list of series, got an empty list")
    for key in keys:
        if key not in known:
            raise ValueError(f"expected series to be one of {what}, got {key!r}")
    return Chosen(keys, len(known), several=several)


def share_scales(axes: list[Axes]) -> bool:
    """Give all axes the same y-axis, unless some lines would be flat on it; returns whether they have.

    Axes on which values lie outside keep their own.
    """
    if any(marks_of(ax) for ax in axes):
        return False
    ranges = [ax.get_ylim() for ax in axes]
    low, high = min(map(min, ranges)), max(map(max, ranges))
    if min(max(each) - min(each) for each in ranges) < COMPARABLE * (high - low):
        return False
    for ax in axes:
        ax.set_ylim(low, high)
    return True
