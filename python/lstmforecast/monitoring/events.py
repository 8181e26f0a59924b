"""Events: runs of anomalies, joined where they are near each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# An event names the variables whose error at its peak is at least this share of the greatest.
LEAST_PART = 0.5


class Run(NamedTuple):
    """The rows of an event: the first, the last, and the one of greatest severity."""

    first: int
    last: int
    peak: int


def find_runs(severity: NDArray[np.float64], level: float, min_gap: int) -> list[Run]:
    """Find rows whose severity is above a level, joined if at most ``min_gap`` other rows are between them.

    Examples
    --------
    >>> find_runs(np.array([0.0, 2.0, 3.0, 0.5, 2.0, 0.0, 0.0, 4.0]), level=1.0, min_gap=1)
    [Run(first=1, last=4, peak=2), Run(first=7, last=7, peak=7)]
    """
    above = np.flatnonzero(severity > level)
    if not len(above):
        return []
    breaks = np.flatnonzero(np.diff(above) > min_gap + 1) + 1
    parts = np.split(above, breaks)
    return [Run(int(p[0]), int(p[-1]), int(p[severity[p].argmax()])) for p in parts]


def events_frame(
    runs: Sequence[Run],
    severity: NDArray[np.float64],
    errors: NDArray[np.float64],
    labels: pd.Index,
    names: Sequence[Any],
) -> pd.DataFrame:
    """A row for each run: labels of start, end and peak, severity, and the variables with the largest errors.

    ``errors`` (n, k) are the smoothed errors of the variables ``names``.
    """
    variables = []
    for run in runs:
        found = np.nan_to_num(errors[run.peak])
        order = [int(i) for i in np.argsort(-found, kind="stable") if found[i] >= LEAST_PART * found.max()]
        variables.append([names[i] for i in order])
    columns = {name: labels[[getattr(run, name) for run in runs]] for name in ("first", "last", "peak")}
    frame = pd.DataFrame({"start": columns["first"], "end": columns["last"], "peak": columns["peak"]})
    frame["severity"] = severity[[run.peak for run in runs]].astype(float)
    frame["variables"] = pd.Series(variables, dtype=object)
    return frame
