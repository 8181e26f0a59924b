"""Regular gaps: rows known at every second step only, for example."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.observations import Observations

# The longest distance between two rows that is looked at.
_MOST_STEPS = 100
# Pairs of known rows at a distance are lacking below this part of those of gaps at random.
_LACKING = 0.25
# With fewer pairs to expect, few may be chance.
_LEAST_PAIRS = 10
# Variables and series with regular gaps count if they have this part of the missing values.
_PART = 0.1


def regular_gap(observations: Observations) -> int:
    """The number of rows between one known value and the next where gaps are regular; 0 where they are not.

    Of a variable that is known at every second row, two neighbours are never known: no data say how it goes on to the
    next row. Where gaps are at random, as many pairs are known at each distance.

    Examples
    --------
    >>> regular_gap(Observations.read(np.tile([1.0, np.nan, np.nan], 40), missing="mask"))
    2
    >>> gone = np.random.default_rng(0).random(120) < 0.6
    >>> regular_gap(Observations.read(np.where(gone, np.nan, 1.0), missing="mask"))
    0
    """
    if observations.filled is None:
        return 0
    ends = np.cumsum(observations.lengths)
    missing: dict[int, int] = {}
    for end, n in zip(ends.tolist(), np.asarray(observations.lengths).tolist(), strict=True):
        for known in ~observations.filled[end - n : end].T:
            gap = _gap_of(known)
            missing[gap] = missing.get(gap, 0) + n - int(known.sum())
    many = _PART * sum(missing.values())
    return max(gap for gap, n_missing in missing.items() if gap == 0 or n_missing >= many)


def _gap_of(known: NDArray[np.bool_]) -> int:
    """`regular_gap` of one variable of one series."""
    part = known.mean()
    for distance in range(1, min(_MOST_STEPS, len(known) - 1) + 1):
        pairs = int((known[distance:] & known[:-distance]).sum())
        expected = (len(known) - distance) * part**2
        if expected < _LEAST_PAIRS or pairs >= _LACKING * expected:
            return distance - 1
    return 0
