"""Errors of forecasts on held-out rows, from which intervals are computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.error_scale import ErrorScale, scale_from_errors
from lstmforecast.fitting.distribution import COUNTS, from_middle, quantile
from lstmforecast.uncertainty.levels import check_level, rank_of, share_of
from lstmforecast.uncertainty.phases import PhaseSpread, spread_by_phase

# Windows that are kept: enough for a coverage of 99 %, with little memory for any horizon. For hourly data they are six
# weeks, so that intervals adapt to the series.
MOST_WINDOWS = 1000
# Windows that are kept of all series of a panel together.
MOST_OF_PANEL = 4000
# The least width by which the error of a distribution is divided, as a fraction of the mean width.
LEAST_WIDTH = 0.1


@dataclass(frozen=True, eq=False)
class Calibration:
    """Split conformal prediction for each step and variable (Vovk et al. 2005; Lei et al. 2018), for point forecasts or
    quantiles (Romano et al. 2019), adaptive to newer errors (Gibbs and Candès 2021).

    Errors of one series are signed; of a panel, their absolute values are used.

    Attributes
    ----------
    truth : ndarray of shape (n_windows, horizon, k)
        True values in time order, minus the middle of the forecast: point, median quantile or location. Errors can be
        stored in single precision, the level of the data can't. Counts are not shifted.
    parameters : ndarray of shape (n_windows, horizon, k, p) or None
        Parameters of the forecast distributions, minus the middle.
    distribution : str, dict or None
        The kind of distribution; see `lstmforecast.fitting.distribution`.
    spreads : ndarray of shape (n_windows, k) or None
        Divisors of the errors, by which the caller multiplies quantiles: the error scales of the series of a panel.
    rate : float
        How much a newer error outside of its interval shifts the level; one inside shifts it less. 0: no shift.
    n_learned : int
        The number of windows, the last ones, that `update` added.
    when : ndarray of shape (n_windows,) or None
        The first row of each window as the number of its step, whose rest by ``season`` is its phase; see
        `lstmforecast.data.season.steps_of`. None: there is no season.
    season : int
        The number of phases.
    longer_seasons : tuple of int
        Those of longer seasons, each a multiple of the one before: the hours of a week.
    """

    truth: NDArray[np.float32]
    parameters: NDArray[np.float32] | None = None
    distribution: Any = None
    spreads: NDArray[np.float64] | None = None
    rate: float = 0.0
    n_learned: int = 0
    when: NDArray[np.int64] | None = None
    season: int = 1
    longer_seasons: tuple[int, ...] = ()

    @classmethod
    def of(cls, truth: NDArray[np.float64], forecast: NDArray[np.float64], **options: Any) -> Calibration:
        """Make it from truth and forecasts: points (n_windows, horizon, k) or parameters (n_windows, horizon, k, p)."""
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
        *,
        when: NDArray[np.int64] | None = None,
        **options: Any,
    ) -> tuple[Calibration, ErrorScale]:
        """Make it from windows of the series ``which`` of a panel; also corrects the error scale by the errors."""
        distribution = options.get("distribution")
        parameters = forecast if forecast.ndim == 4 else forecast[..., np.newaxis]
        sizes = np.abs(truth - quantile(distribution, parameters, 0.5)).mean(axis=1)
        error_scale = scale_from_errors(error_scale, sizes, which)
        pooled = error_scale.are_pooled(which)
        options |= {
            "spreads": error_scale.divisors(which[pooled]),
            "when": None if when is None else when[pooled],
        }
        return cls.of(truth[pooled], forecast[pooled], **options), error_scale

    def extended(
        self,
        truth: NDArray[np.float64],
        forecast: NDArray[np.float64],
        spreads: NDArray[np.float64] | None = None,
        when: NDArray[np.int64] | None = None,
    ) -> Calibration:
        """Add newer forecasts, and drop the oldest beyond `MOST_WINDOWS`, or `MOST_OF_PANEL` with spreads."""
        newer = Calibration.of(truth, forecast, distribution=self.distribution, spreads=spreads, when=when)
        joined: dict[str, Any] = {}
        for name in ("truth", "parameters", "spreads", "when"):
            parts = (getattr(self, name), getattr(newer, name))
            joined[name] = None if parts[0] is None else np.concatenate(parts)[-self.most :]
        return replace(self, **joined, n_learned=min(self.n_learned + len(truth), len(joined["truth"])))

    def pack(self) -> dict[str, NDArray[Any]]:
        """The arrays for a file."""
        arrays = {name: getattr(self, name) for name in ("truth", "parameters", "spreads", "when")}
        kept: dict[str, NDArray[Any]] = {name: array for name, array in arrays.items() if array is not None}
        season = {} if self.when is None else {"season": np.array(self.seasons)}
        return kept | {"n_learned": np.array([self.n_learned])} | season

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]], distribution: Any, rate: float) -> Calibration | None:
        """The inverse of `pack`; None without errors."""
        if "truth" not in arrays:
            return None
        errors = (arrays["truth"], arrays.get("parameters"), distribution, arrays.get("spreads"))
        season, *longer = arrays["season"].tolist() if "season" in arrays else [1]
        return cls(*errors, rate, int(arrays["n_learned"][0]), arrays.get("when"), int(season), tuple(longer))

    def __getstate__(self) -> dict[str, Any]:
        # without caches, to which a forecast in another thread may add during pickling
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def most(self) -> int:
        """The largest number of windows that are kept."""
        return MOST_WINDOWS if self.spreads is None else MOST_OF_PANEL

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def seasons(self) -> tuple[int, ...]:
        """The numbers of phases of all seasons, the shortest first."""
        return (self.season, *self.longer_seasons)

    @property
    def is_signed(self) -> bool:
        """Whether errors keep their sign: in a panel, and where there is a single one, they don't."""
        return self.spreads is None and len(self) > 1

    @property
    def errors(self) -> NDArray[np.float32]:
        """Truth minus forecast, or minus the median of its distribution: (n_windows, horizon, k)."""
        return self._errors(0.5)

    @cached_property
    def of_middles(self) -> Calibration:
        """The same windows with medians as point forecasts."""
        if self.parameters is None:
            return self
        errors = self.truth - quantile(self.distribution, self.parameters, 0.5)
        return replace(self, truth=_single(errors), parameters=None, distribution=None)

    @cached_property
    def by_phase(self) -> tuple[Calibration, PhaseSpread] | None:
        """The same windows with errors divided by their usual size at their phase of the season, and these sizes.

        The errors of a distribution are measured in its own width, and its distances from the median are multiplied by
        the sizes, as errors are. None without a season, where phases are alike, and for counts, whose errors are whole
        numbers.
        """
        if self.when is None or self.distribution in COUNTS:
            return None
        middle: Any = 0.0
        sizes = np.abs(self.errors.astype(np.float64))
        if self.parameters is not None:
            middle = quantile(self.distribution, self.parameters, 0.5)
            ends = (quantile(self.distribution, self.parameters, level) for level in (0.1, 0.9))
            width = -np.subtract(*ends)
            sizes = np.abs(self.truth - middle)
            least = LEAST_WIDTH * width.mean(axis=0)
            sizes = np.divide(sizes, np.maximum(width, least), out=np.zeros(sizes.shape), where=least > 0)
        spread = spread_by_phase(sizes, self.when, self.seasons)
        if spread is None:
            return None
        truth = _single(middle + (self.truth - middle) / spread.of_windows)
        return replace(self, truth=truth, when=None), spread

    def _errors(self, level: float) -> NDArray[np.float32]:
        errors = self.truth
        if self.parameters is not None:
            errors = _single(errors - quantile(self.distribution, self.parameters, level))
        return errors if self.spreads is None else _single(errors / self.spreads[:, np.newaxis])

    def quantile(self, level: float, wanted: str) -> NDArray[np.float64]:
        """The correction of a point forecast, or of its quantile of this level.

        The truth is at most their sum with at least (for levels under one half: at most) this probability.

        Parameters
        ----------
        level : float
            Between 0 and 1.
        wanted : str
            The argument that asks for it, for messages.

        Returns
        -------
        ndarray of shape (horizon, k)
            A past error: the ceil((n + 1) * level)-th smallest of n for levels from one half on (with the finite-sample
            correction), and mirrored for levels below. In a panel it is the ceil((n + 1) * (2 * level - 1))-th smallest
            absolute error. Newer errors shift the level, separately for each step and variable.

        Raises
        ------
        ValueError
            If there are too few errors for the level.
        """
        check_level(level, len(self), wanted, of_panel=self.spreads is not None)
        share, side = share_of(level, signed=self.is_signed), 1 if level >= 0.5 else -1
        if share == 0:
            return np.zeros(self.truth.shape[1:])
        if self.n_learned == 0 or self.rate == 0:
            found: NDArray[np.float64] = self._sorted(level)[rank_of(share, len(self)) - 1].astype(np.float64)
            return side * found
        # at least half of the errors remain as the past of the first newer error
        return side * _adapted(self._scores(level), share, self.rate, min(self.n_learned, len(self) // 2))

    def _scores(self, level: float) -> NDArray[np.float32]:
        """The distance of the truth beyond the quantile of this level; in a panel, beyond it or its mirror image.

        All windows of a panel are in the same few weeks, in which errors of its series may have a common sign. They are
        used in both directions, because the sign may be different in the next weeks.
        """
        if self.is_signed:
            return self._errors(level) if level >= 0.5 else -self._errors(level)
        upper = max(level, 1 - level)
        return np.maximum(self._errors(upper), -self._errors(1 - upper))

    def _sorted(self, level: float) -> NDArray[np.float32]:
        """The scores in ascending order, cached: a backtest needs twenty quantiles many times."""
        key = (0.5 if self.parameters is None else max(level, 1 - level), self.is_signed and level < 0.5)
        if key not in self._cache:
            self._cache[key] = np.sort(self._scores(level), axis=0)
        return self._cache[key]

    @cached_property
    def _cache(self) -> dict[tuple[float, bool], NDArray[np.float32]]:
        return {}


def _single(values: NDArray[Any]) -> NDArray[np.float32]:
    """Convert to single precision; larger errors become its largest number."""
    most = np.finfo(np.float32).max
    single: NDArray[np.float32] = np.clip(values, -most, most).astype(np.float32)
    return single


# The past errors are sorted again after so many newer ones.
_SORTED_ANEW = 50


def _adapted(errors: NDArray[np.float32], level: float, rate: float, n_learned: int) -> NDArray[np.float64]:
    """The quantile of errors (n, horizon, k) after adaptive conformal inference over the last ``n_learned``.

    Each of these is compared with the quantile of the errors before it, at the current level: if it is greater, the
    current level rises by ``rate * level``, else it falls by ``rate * (1 - level)``.
    """
    n = len(errors)
    first = max(1, n - n_learned)
    levels = np.full(errors.shape[1:], level)
    for start in range(first, n, _SORTED_ANEW):
        ascending = np.sort(errors[:start], axis=0)
        for error in errors[start : start + _SORTED_ANEW]:
            # at level 1 the bound is infinite, and no error is greater
            missed = (error > _at_levels(ascending, levels)) & (levels < 1)
            levels += rate * (missed - (1 - level))
    return _at_levels(np.sort(errors, axis=0), levels)


def _at_levels(ascending: NDArray[np.float32], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(ascending)
    ranks = np.ceil(np.round((n + 1) * levels, 9)).astype(np.int64)
    places = np.clip(ranks - 1, 0, n - 1)[np.newaxis]
    found: NDArray[np.float64] = np.take_along_axis(ascending, places, axis=0)[0].astype(np.float64)
    return found


def interval_columns(variables: pd.Index, coverages: list[float]) -> pd.MultiIndex:
    """Name the columns of intervals as sktime does: variable, coverage, lower or upper."""
    columns = [(variable, coverage, side) for variable in variables for coverage in coverages for side in SIDES]
    return pd.MultiIndex.from_tuples(columns, names=["variable", "coverage", "bound"])


def quantile_columns(variables: pd.Index, levels: list[float]) -> pd.MultiIndex:
    """Name the columns of quantiles as sktime does: variable, level."""
    return pd.MultiIndex.from_product([variables, levels], names=["variable", "alpha"])


# The nearest that probabilities come to 0 and 1: rounding makes 0 and 1 of nearer ones.
NEAREST = 1e-9
SIDES = ("lower", "upper")


def levels_of(coverage: float) -> tuple[float, float]:
    """The levels of the quantiles that bound an interval of this coverage.

    Examples
    --------
    >>> levels_of(0.8)
    (0.1, 0.9)
    """
    return round((1 - coverage) / 2, 12), round((1 + coverage) / 2, 12)


def check_probabilities(name: str, values: object) -> list[float]:
    """Read a probability or a list of them; a ValueError for one that isn't between 0 and 1, or nearer to these than
    `NEAREST`, or for a duplicate.
    """
    try:
        array = np.atleast_1d(np.asarray(values))
    except ValueError:  # a ragged list
        array = np.array([None])
    if array.dtype.kind not in "fiu" or array.ndim > 1 or array.size == 0:
        raise TypeError(f"expected {name} to be a number or a list of numbers, got {values!r}")
    for value in array:
        if not 0 < value < 1:
            raise ValueError(f"expected {name} between 0 and 1, got {value:g}")
        if not NEAREST <= value <= 1 - NEAREST:
            raise ValueError(f"expected {name} from {NEAREST:g} to 1 - {NEAREST:g}, got {float(value)!r}")
    if len(np.unique(array)) < len(array):
        raise ValueError(f"expected each {name} once, got {values!r}")
    return [float(value) for value in array]
