"""The score of the Numenta Anomaly Benchmark, standard profile (Lavin & Ahmad 2015).

Of the detections in a labelled window only the earliest counts, for the more the earlier it is; a window without one
costs a point. Each detection elsewhere costs 0.11, and less just behind a window. The first rows count for nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MISSED, FALSE_ALARM = 1.0, 0.11
PROBATION, MOST_PROBATION = 0.15, 750


class Window(NamedTuple):
    """First and last row of a labelled window."""

    first: int
    last: int


def probation(n_rows: int) -> int:
    """The rows at the beginning that are there to learn from."""
    return min(math.floor(PROBATION * n_rows), MOST_PROBATION)


def _sigmoid(place: float) -> float:
    """1 far before the place 0, -1 far behind it; places count in widths of a window."""
    return -1.0 if place >= 3 else 2 / (1 + math.exp(5 * place)) - 1


def detection_weight(row: int, windows: list[Window]) -> float:
    """What a detection in this row is worth: up to 1 in a window, down to -0.11 outside."""
    for window in windows:
        if window.first <= row <= window.last:
            width = window.last - window.first + 1
            return _sigmoid(-(window.last - row + 1) / width) / _sigmoid(-1.0)
    before = [window for window in windows if window.last < row]
    if not before:
        return -FALSE_ALARM
    nearest = max(before, key=lambda window: window.last)
    return FALSE_ALARM * _sigmoid((row - nearest.last) / (nearest.last - nearest.first))


def score(detections: ArrayLike, windows: list[Window], n_rows: int) -> float:
    """The raw score of the rows that a detector flagged; from minus the number of windows to that number."""
    rows = np.unique(np.asarray(detections, int))
    rows = rows[rows >= probation(n_rows)]
    total = 0.0
    for window in windows:
        inside = rows[(rows >= window.first) & (rows <= window.last)]
        total += detection_weight(int(inside[0]), windows) if len(inside) else -MISSED
        rows = np.setdiff1d(rows, inside)
    return total + sum(detection_weight(int(row), windows) for row in rows)


def rows_of(times: NDArray[np.datetime64], windows: list[tuple[str, str]]) -> list[Window]:
    """Windows by their first and last times as windows by rows; of a time that stands twice the first row counts."""
    found = []
    for first, last in windows:
        ends = [np.flatnonzero(times == np.datetime64(end)) for end in (first, last)]
        found.append(Window(int(ends[0][0]), int(ends[1][0])))
    return found
