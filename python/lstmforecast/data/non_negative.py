"""Targets that were never negative at `fit` are not forecast below 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.observations import Observations


def never_negative(observations: Observations) -> NDArray[np.bool_]:
    """Which targets of each series have no value below 0: (n_series, k)."""
    begins = np.cumsum(observations.lengths) - observations.lengths
    # a missing value compares as false
    return np.logical_not(np.logical_or.reduceat(observations.values < 0, begins))


def require_non_negative(observations: Observations) -> None:
    """Raise a ValueError for the first value below 0."""
    negative = observations.values < 0
    if negative.any():
        raise ValueError(
            f"expected values from 0 on, as non_negative=True says, got {observations.first_of(negative)}; correct "
            "them, or fit with non_negative='auto'"
        )


def same_of_all(never: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Which targets were never negative, for a module that doesn't know the series of a window: (k,).

    A ValueError if series differ.
    """
    if never is not None and (never != never[0]).any():
        raise ValueError(
            "expected all series to have negative values, or none, for to_torch, which doesn't know the series of a "
            "window, got both; fit with non_negative=False"
        )
    return None if never is None else never[0]


def lowest_forecasts(
    never: NDArray[np.bool_],
    observations: Observations,
    which: NDArray[np.int64],
    origins: NDArray[np.int64],
    size: int,
) -> NDArray[np.float64]:
    """The lowest forecasts (n, k) from the windows of ``size`` rows before origins in the series ``which``: 0 for a
    target that was ``never`` negative (n_series, k) at `fit` and is not in the window, else minus infinity.
    """
    chosen, negative = never[which], observations.values < 0
    if negative.any():
        before = np.concatenate([np.zeros((1, negative.shape[1]), np.int64), np.cumsum(negative, axis=0)])
        ends = observations.row_of(which, origins)
        begins = observations.row_of(which, np.maximum(origins - size, 0))
        chosen = chosen & (before[ends] == before[begins])
    return np.where(chosen, 0.0, -np.inf)
