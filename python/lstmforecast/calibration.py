"""How far forecasts have been off on rows that no weight was fitted to: what intervals are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Windows that are remembered: enough for a coverage of 99 %, few enough for any horizon, and, of hours, six weeks:
# intervals follow the series.
MOST_WINDOWS = 1000


def calibration_origins(n_train: int, n_rows: int, horizon: int) -> NDArray[np.int64]:
    """Choose the rows, evenly spread over those held out, at which forecasts begin that are compared with the truth."""
    n_windows = n_rows - n_train - horizon + 1
    if n_windows < 1:
        return np.zeros(0, np.int64)
    places = np.linspace(0, n_windows - 1, min(n_windows, MOST_WINDOWS)).round()
    return n_train + places.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Split conformal prediction for each step and variable (Vovk et al. 2005; Lei et al. 2018).

    Attributes
    ----------
    errors : ndarray of shape (n_windows, horizon, k)
        Truth less forecast, in time order.
    """

    errors: NDArray[np.float32]

    @classmethod
    def of(cls, truth: NDArray[np.float64], forecast: NDArray[np.float64]) -> Calibration:
        """Remember the errors of forecasts (n_windows, horizon, k)."""
        return cls((truth - forecast).astype(np.float32))

    def extended(self, truth: NDArray[np.float64], forecast: NDArray[np.float64]) -> Calibration:
        """Remember newer errors, and forget the oldest beyond `MOST_WINDOWS`."""
        both = np.concatenate([self.errors, Calibration.of(truth, forecast).errors])
        return Calibration(both[-MOST_WINDOWS:])

    def quantile(self, level: float, wanted: str) -> NDArray[np.float64]:
        """What to add to a forecast so that the truth is at most as high with at least (below one half: at most) this
        probability.

        Parameters
        ----------
        level : float
            Between 0 and 1.
        wanted : str
            What it is for, as messages say it.

        Returns
        -------
        ndarray of shape (horizon, k)
            An error of the past: of n, in ascending order, the ceil((n + 1) * level)-th for levels from one half on
            (with the finite-sample correction), and the mirror image below.

        Raises
        ------
        ValueError
            If there are too few errors for the level.
        """
        quantile: NDArray[np.float64] = self._sorted[place_of(level, len(self.errors), wanted)].astype(np.float64)
        return quantile

    @cached_property
    def _sorted(self) -> NDArray[np.float32]:
        """The errors in ascending order: a backtest asks for twenty quantiles, again and again."""
        return np.sort(self.errors, axis=0)


def place_of(level: float, n: int, wanted: str) -> int:
    """Which of ``n`` errors in ascending order is the quantile; a ValueError if there are too few for it.

    Examples
    --------
    >>> place_of(0.95, 19, "coverage=0.9"), place_of(0.05, 19, "coverage=0.9")
    (18, 0)
    """
    # rounded first: 0.95 * 20 is a little more than 19
    rank = math.ceil(round((n + 1) * max(level, 1 - level), 9))
    if rank > n:
        needed = math.ceil(round(1 / min(level, 1 - level), 9)) - 1
        raise ValueError(f"expected at least {needed} windows held out for {wanted}, got {n}")
    return rank - 1 if level >= 0.5 else n - rank


def interval_columns(variables: pd.Index, coverages: list[float]) -> pd.MultiIndex:
    """Name the columns of intervals as sktime does: variable, coverage, lower or upper."""
    columns = [(variable, coverage, side) for variable in variables for coverage in coverages for side in SIDES]
    return pd.MultiIndex.from_tuples(columns, names=["variable", "coverage", "bound"])


def quantile_columns(variables: pd.Index, levels: list[float]) -> pd.MultiIndex:
    """Name the columns of quantiles as sktime does: variable, level."""
    return pd.MultiIndex.from_product([variables, levels], names=["variable", "alpha"])


SIDES = ("lower", "upper")


def levels_of(coverage: float) -> tuple[float, float]:
    """The levels of the quantiles between which a coverage lies.

    Examples
    --------
    >>> levels_of(0.8)
    (0.1, 0.9)
    """
    return round((1 - coverage) / 2, 12), round((1 + coverage) / 2, 12)


def check_probabilities(name: str, values: object) -> list[float]:
    """Read a probability or a list of them; a ValueError for one that isn't between 0 and 1, or comes twice."""
    try:
        array = np.atleast_1d(np.asarray(values))
    except ValueError:  # a ragged list
        array = np.array([None])
    if array.dtype.kind not in "fiu" or array.ndim > 1 or array.size == 0:
        raise TypeError(f"expected {name} to be a number or a list of numbers, got {values!r}")
    for value in array:
        if not 0 < value < 1:
            raise ValueError(f"expected {name} between 0 and 1, got {value:g}")
    if len(np.unique(array)) < len(array):
        raise ValueError(f"expected each {name} once, got {values!r}")
    return [float(value) for value in array]
