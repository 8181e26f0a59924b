"""Scales that a few wild values don't flatten; what lies outside is marked at the edge and said in the legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# A scale ends at so many times what is usual.
FACTOR = 4.0
# Share of the values of a line that are usual.
USUAL = 0.9


def top_of(lines: Iterable[Any], base: float = 0.0) -> float:
    """Where a scale from ``base`` upwards ends, so that a line in the middle fills a quarter of it; NaN without values.

    Parameters
    ----------
    lines : iterable of array-like of float
        The values of each line.
    base : float, default=0.0
        Where the scale begins.

    Examples
    --------
    >>> top_of([[1.0, 2.0], [2.0, 3.0], [100.0, 900.0]]), top_of([[1.0, 2.0], [2.0, 3.0]])
    (11.6, 3.0)
    """
    known = [values[np.isfinite(values)] for values in (np.asarray(line, float) for line in lines)]
    known = [values for values in known if len(values)]
    if not known:
        return np.nan
    usual = sorted(float(np.quantile(values, USUAL)) - base for values in known)
    middle = usual[(len(usual) - 1) // 2]
    highest = max(float(values.max()) for values in known)
    return highest if middle <= 0 else min(highest, float(round(base + FACTOR * middle, 12)))


def usual_range(values: NDArray[np.float64], factor: float) -> tuple[float, float]:
    """The range of finite values, without those that are ``factor`` ranges of nine in ten of them away from these.

    Examples
    --------
    >>> usual_range(np.r_[np.arange(100.0), 1e6], 4)
    (0.0, 455.0)
    """
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [(1 - USUAL) / 2, (1 + USUAL) / 2])
    reach = factor * (high - low)
    if reach == 0:
        return float(known.min()), float(known.max())
    return max(float(known.min()), float(low - reach)), min(float(known.max()), float(high + reach))


def limit(ax: Axes, low: float, high: float) -> None:
    """Set the limits of the y-axis with a small margin; a scale from 0 begins there."""
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    ax.set_ylim(low - margin if low else 0.0, high + margin)


def mark_outside(ax: Axes, lines: Sequence[tuple[Any, Any, Any]], color: str) -> None:
    """Mark at the edge which values lie outside of the y-axis, and say in the legend how many and how far.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its limits are set.
    lines : list of (x, y, color)
        Values (n,) and their colour.
    color : str
        Of the mark in the legend.
    """
    low, high = sorted(ax.get_ylim())
    for sign, edge, name, way, marker in ((1, high, "above", "up", "^"), (-1, low, "below", "down", "v")):
        n, furthest = 0, edge
        for x, y, own in lines:
            values = np.asarray(y, float)
            outside = sign * values > sign * edge
            if count := int(outside.sum()):
                n += count
                furthest = sign * max(sign * furthest, float((sign * values[outside]).max()))
                style: dict[str, Any] = {"marker": marker, "s": 30, "color": own, "clip_on": False, "zorder": 5}
                ax.scatter(np.asarray(x)[outside], np.full(count, edge), **style)
        if n:
            words = f"{n:,} {name} {edge:,.4g}, {way} to {furthest:,.4g}"
            ax.scatter([], [], marker=marker, s=30, color=color, label=words)
    ax.set_ylim(low, high)


def marks_of(ax: Axes) -> list[Any]:
    """The marks of values that lie outside."""
    from matplotlib.collections import PathCollection

    return [each for each in ax.collections if isinstance(each, PathCollection)]
