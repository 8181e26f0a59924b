"""Regular gaps: rows known at every second step only, for example."""

from __future__ import annotations

import numpy as np

from lstmforecast.data.observations import Observations

# The longest distance between two rows that is looked at.
_MOST_STEPS = 100
# Pairs of known rows at a distance are lacking below this part of those of gaps at random.
_LACKING = 0.25
# With fewer pairs to expect, few may be chance.
_LEAST_PAIRS = 20


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
    parts = [~observations.filled[end - n : end] for end, n in zip(ends, observations.lengths, strict=True)]
    longest = 0
    for column in range(observations.n_columns):
        known = [part[:, column] for part in parts]
        n_known, n_rows = sum(int(each.sum()) for each in known), len(observations)
        for distance in range(1, _MOST_STEPS + 1):
            pairs = sum(int((each[distance:] & each[:-distance]).sum()) for each in known)
            n_places = sum(max(0, len(each) - distance) for each in known)
            expected = n_places * (n_known / n_rows) ** 2
            if expected < _LEAST_PAIRS or pairs >= _LACKING * expected:
                break
            longest = max(longest, distance)
    return longest
