"""Intermittent demand: values from 0 on, many of which are 0, as the sales of spare parts or of rare products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.observations import Observations

# The mean number of steps from one sale to the next, from which demand is intermittent (Syntetos and Boylan 2005).
LEAST_INTERVAL = 1.32
# A phase of the season with such a share of zeros is a time without sales, such as a night or a Sunday.
MOSTLY_ZERO = 0.95
# The seasons that are needed to tell.
LEAST_SEASONS = 3


def share_of_intermittent(observations: Observations, season: int = 1) -> float:
    """The share of intermittent series, or variables, among those with a value that isn't 0.

    These have no negative value, and from one value above 0 to the next there are at least `LEAST_INTERVAL` steps in
    the mean, as in the classes "intermittent" and "lumpy" of Syntetos and Boylan (2005). Phases of the season that are
    nearly always 0 don't count, if others have values: zeros of every night or Sunday are no surprise.

    Parameters
    ----------
    observations : Observations
        Missing values don't count.
    season : int, default=1
        Steps of a season; 1: none is known.
    """
    truth, begins = observations.truth, np.cumsum(observations.lengths) - observations.lengths
    # comparisons with a missing value are false
    n_above, n_zero, n_below = (
        np.add.reduceat(each, begins, dtype=np.int64) for each in (truth > 0, truth == 0, truth < 0)
    )
    often_zero = (n_below == 0) & (n_above > 0) & (n_above + n_zero >= LEAST_INTERVAL * n_above)
    n_found = 0
    for i, column in np.argwhere(often_zero).tolist():
        n_found += _is_irregular(truth[begins[i] : begins[i] + observations.lengths[i], column], season)
    return n_found / max(int((n_above + n_below > 0).sum()), 1)


def _is_irregular(values: NDArray[np.float64], season: int) -> bool:
    """Whether zeros are many at other phases than those that are nearly always 0, too."""
    season = season if len(values) >= LEAST_SEASONS * season else 1
    phase = np.arange(len(values)) % season
    n_above, n_zero = (np.bincount(phase, each, season) for each in (values > 0, values == 0))
    counted = n_zero < MOSTLY_ZERO * (n_above + n_zero)
    above, zero = n_above[counted].sum(), n_zero[counted].sum()
    return bool(above + zero >= LEAST_INTERVAL * above)
