"""Errors of forecasts on held-out rows, from which intervals are computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.error_scale import ErrorScale, scale_from_errors
from lstmforecast.fitting.distribution import from_middle, quantile

# Windows that are kept: enough for a coverage of 99 %, few enough for any horizon, and six weeks of hours, so that
# intervals adapt to the series.
MOST_WINDOWS = 1000
# Of all series of a panel together.
MOST_OF_PANEL = 4000


@dataclass(frozen=True, eq=False)
class Calibration:
    """Split conformal prediction for each step and variable (Vovk et al. 2005; Lei et al. 2018), of points or of
    quantiles (Romano et al. 2019), and adaptive where newer errors have been learned (Gibbs and Candès 2021).

    Errors of one series keep their sign, those of a panel don't.

    Attributes
    ----------
    truth : ndarray of shape (n_windows, horizon, k)
        True values in time order, minus the middle of the forecast: point, median quantile or location. Single
        precision has digits for errors, but not for the level of the data. Counts are not shifted.
    parameters : ndarray of shape (n_windows, horizon, k, p) or None
        Parameters of the forecast distributions, minus the middle.
    distribution : str, dict or None
        Their kind; see `lstmforecast.fitting.distribution`.
    spreads : ndarray of shape (n_windows, k) or None
        Divisors of the errors, by which the caller multiplies quantiles: the error scales of the series of a panel.
    rate : float
        By how much a miss among newer errors shifts the level, a hit by a part of it; 0: not at all.
    n_learned : int
        How many of the windows, the last ones, were added by `update`.
    """

    truth: NDArray[np.float32]
    parameters: NDArray[np.float32] | None = None
    distribution: Any = None
    spreads: NDArray[np.float64] | None = None
    rate: float = 0.0
    n_learned: int = 0

    @classmethod
    def of(cls, truth: NDArray[np.float64], forecast: NDArray[np.float64], **options: Any) -> Calibration:
        """Keep truth and forecasts, points (n_windows, horizon, k) or parameters (n_windows, horizon, k, p)."""
        distribution = options.get("distribution")
        if forecast.ndim == 3 or distribution is None:
            return cls(_single(truth - forecast.reshape(truth.shape)), **options)
        truth, forecast = from_middle(distribution, truth, forecast)
        return cls(_single(truth), _single(forecast), **options)

    @classmethod
    def of_panel(
        cls,
        truth: NDArray[np.float64],
        forecast: NDArray[np.float64],
        error_scale: ErrorScale,
        which: NDArray[np.int64],
        **options: Any,
    ) -> tuple[Calibration, ErrorScale]:
        """The same for windows of the series ``which`` of a panel; also the error scale, corrected by the errors."""
        distribution = options.get("distribution")
        parameters = forecast if forecast.ndim == 4 else forecast[..., np.newaxis]
        sizes = np.abs(truth - quantile(distribution, parameters, 0.5)).mean(axis=1)
        error_scale = scale_from_errors(error_scale, sizes, which)
        pooled = error_scale.are_pooled(which)
        spreads = error_scale.divisors(which[pooled])
        return cls.of(truth[pooled], forecast[pooled], spreads=spreads, **options), error_scale

    def extended(
        self, truth: NDArray[np.float64], forecast: NDArray[np.float64], spreads: NDArray[np.float64] | None = None
    ) -> Calibration:
        """Add newer forecasts, and drop the oldest beyond `MOST_WINDOWS`, or `MOST_OF_PANEL` with spreads."""
        newer = Calibration.of(truth, forecast, distribution=self.distribution, spreads=spreads)
        joined: dict[str, Any] = {}
        for name in ("truth", "parameters", "spreads"):
            parts = (getattr(self, name), getattr(newer, name))
            joined[name] = None if parts[0] is None else np.concatenate(parts)[-self.most :]
        return replace(self, **joined, n_learned=min(self.n_learned + len(truth), len(joined["truth"])))

    def pack(self) -> dict[str, NDArray[Any]]:
        """The arrays that a file keeps."""
        arrays = {"truth": self.truth, "parameters": self.parameters, "spreads": self.spreads}
        kept: dict[str, NDArray[Any]] = {name: array for name, array in arrays.items() if array is not None}
        return kept | {"n_learned": np.array([self.n_learned])}

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]], distribution: Any, rate: float) -> Calibration | None:
        """The inverse of `pack`; None where there are no errors."""
        if "truth" not in arrays:
            return None
        errors = (arrays["truth"], arrays.get("parameters"), distribution, arrays.get("spreads"))
        return cls(*errors, rate, int(arrays["n_learned"][0]))

    def __getstate__(self) -> dict[str, Any]:
        # without caches, to which a forecast in another thread may add during pickling
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def most(self) -> int:
        """How many windows are kept."""
        return MOST_WINDOWS if self.spreads is None else MOST_OF_PANEL

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def errors(self) -> NDArray[np.float32]:
        """Truth less forecast, or less the median of what was forecast: (n_windows, horizon, k)."""
        return self._errors(0.5)

    @cached_property
    def of_middles(self) -> Calibration:
        """The same windows, as if points had been forecast: the medians."""
        if self.parameters is None:
            return self
        errors = self.truth - quantile(self.distribution, self.parameters, 0.5)
        return replace(self, truth=_single(errors), parameters=None, distribution=None)

    def _errors(self, level: float) -> NDArray[np.float32]:
        errors = self.truth
        if self.parameters is not None:
            errors = _single(errors - quantile(self.distribution, self.parameters, level))
        return errors if self.spreads is None else _single(errors / self.spreads[:, np.newaxis])

    def quantile(self, level: float, wanted: str) -> NDArray[np.float64]:
        """What to add to a forecast, or to its own quantile of this level, so that the truth is at most as high with at
        least (below one half: at most) this probability.

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
            (with the finite-sample correction), and the mirror image below. In a panel it is the
            ceil((n + 1) * (2 * level - 1))-th distance. Errors that were learned since have shifted the level, step by
            step and variable by variable.

        Raises
        ------
        ValueError
            If there are too few errors for the level.
        """
        check_level(level, len(self), wanted, of_panel=self.spreads is not None)
        share, side = _share(level, of_panel=self.spreads is not None), 1 if level >= 0.5 else -1
        if share == 0:
            return np.zeros(self.truth.shape[1:])
        if self.n_learned == 0 or self.rate == 0:
            found: NDArray[np.float64] = self._sorted(level)[_rank(share, len(self)) - 1].astype(np.float64)
            return side * found
        # the other half stays to judge the first of them by
        return side * _adapted(self._scores(level), share, self.rate, min(self.n_learned, len(self) // 2))

    def _scores(self, level: float) -> NDArray[np.float32]:
        """How far the truth was beyond the quantile of this level; in a panel, beyond it or its mirror image.

        The windows of a panel are in the same few weeks. What all its series have in common there, above or below the
        forecast, counts in both directions, because it will not be repeated in the next weeks.
        """
        if self.spreads is None:
            return self._errors(level) if level >= 0.5 else -self._errors(level)
        upper = max(level, 1 - level)
        return np.maximum(self._errors(upper), -self._errors(1 - upper))

    def _sorted(self, level: float) -> NDArray[np.float32]:
        """The scores in ascending order: a backtest asks for twenty quantiles, again and again."""
        key = (0.5 if self.parameters is None else max(level, 1 - level), self.spreads is None and level < 0.5)
        if key not in self._cache:
            self._cache[key] = np.sort(self._scores(level), axis=0)
        return self._cache[key]

    @cached_property
    def _cache(self) -> dict[tuple[float, bool], NDArray[np.float32]]:
        return {}


def _single(values: NDArray[Any]) -> NDArray[np.float32]:
    """Single precision; an error that is beyond it is as large as can be."""
    most = np.finfo(np.float32).max
    single: NDArray[np.float32] = np.clip(values, -most, most).astype(np.float32)
    return single


# The errors that the level is tried on are sorted anew after so many.
_SORTED_ANEW = 50


def _adapted(errors: NDArray[np.float32], level: float, rate: float, n_learned: int) -> NDArray[np.float64]:
    """The quantile of errors (n, horizon, k) after adaptive conformal inference over the last of them.

    Each of these was judged by the quantile of those before it, at the level of then: a miss raises the level by
    ``rate`` times ``level``, a hit lowers it by ``rate`` times what it lacks to 1.
    """
    n = len(errors)
    first = max(1, n - n_learned)
    levels = np.full(errors.shape[1:], level)
    for start in range(first, n, _SORTED_ANEW):
        ascending = np.sort(errors[:start], axis=0)
        for error in errors[start : start + _SORTED_ANEW]:
            # beyond all errors of the past lies a bound that can't be missed
            missed = (error > _at_levels(ascending, levels)) & (levels < 1)
            levels += rate * (missed - (1 - level))
    return _at_levels(np.sort(errors, axis=0), levels)


def _at_levels(ascending: NDArray[np.float32], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(ascending)
    ranks = np.ceil(np.round((n + 1) * levels, 9)).astype(np.int64)
    places = np.clip(ranks - 1, 0, n - 1)[np.newaxis]
    found: NDArray[np.float64] = np.take_along_axis(ascending, places, axis=0)[0].astype(np.float64)
    return found


def check_level(level: float, n: int, wanted: str, *, of_panel: bool) -> None:
    """Raise a ValueError if ``n`` errors are too few for a quantile of this level, which is ``wanted`` for that.

    Examples
    --------
    >>> check_level(0.95, 19, "coverage=0.9", of_panel=False)
    >>> check_level(0.95, 9, "coverage=0.9", of_panel=True)
    """
    share = _share(level, of_panel=of_panel)
    if _rank(share, n) > n:
        needed = math.ceil(round(1 / (1 - share), 9)) - 1
        raise ValueError(f"expected at least {needed} windows held out for {wanted}, got {n}")


def _share(level: float, *, of_panel: bool) -> float:
    """The part of the scores that is at most as high as what a quantile of this level is corrected by."""
    return round(abs(2 * level - 1), 12) if of_panel else max(level, 1 - level)


def _rank(share: float, n: int) -> int:
    """Which of ``n`` errors, from 1 in ascending order, is that of a share, with the finite-sample correction."""
    # rounded first: 0.95 * 20 is a little more than 19
    return math.ceil(round((n + 1) * share, 9))


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
    """Read a probability or a list of them; a ValueError for one that isn't between 0 and 1, or for a duplicate."""
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
