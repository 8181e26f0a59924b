"""Four plots of residuals: over time, their distribution, their autocorrelations, their quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.colors import DASHED, look_of
from lstmforecast.display.scale import limit, mark_outside, usual_range
from lstmforecast.display.style import axes_for, count_by_whole_numbers, finish
from lstmforecast.display.words import caption, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_LAGS = 48
# Residuals are wild beyond so many ranges of nine in ten of them: 10 standard deviations of normal ones.
WILD = 2.5
# Two-sided 95 % quantile of the normal distribution.
Z = 1.96


def draw_residuals(residuals: pd.Series, name: str, step: int, ax: Any = None) -> NDArray[np.object_]:
    """Draw residuals, indexed by time, on four axes; on those of a new figure if ``ax`` is None.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If fewer than three residuals are known, or another number of axes than four is given.
    """
    known = residuals.dropna()
    if len(known) < 3:
        raise ValueError(f"expected at least 3 forecasts whose truth is known, got {len(known)}")
    axes = axes_for(ax, 2, 2, height=4.8)
    ahead = "a step ahead" if step == 1 else f"{step} steps ahead"
    low, high = usual_range(known.to_numpy(float), WILD)
    # a wild value would make all others equal
    inside = residuals.clip(low, high)
    n_wild = int((inside != residuals)[residuals.notna()].sum())
    _draw_over_time(axes[0], residuals, low, high)
    _draw_histogram(axes[1], inside.dropna().to_numpy(float), n_wild)
    _draw_autocorrelations(axes[2], inside.to_numpy(float))
    _draw_quantiles(axes[3], inside.dropna().to_numpy(float))
    for ax in axes[2:] if n_wild else []:
        note(ax, f"{n_wild:,} wild {'value' if n_wild == 1 else 'values'} clipped")
    axes[0].set_ylabel("residual")
    caption(axes[0], f"{name}: {len(known):,} forecasts {ahead}")
    axes[1].set_xlabel("residual")
    return axes


def autocorrelations(values: NDArray[np.float64], n_lags: int) -> NDArray[np.float64]:
    """Autocorrelations at lags 1 to ``n_lags``; missing values are left out of the sums.

    Examples
    --------
    >>> autocorrelations(np.array([1.0, -1.0, 1.0, -1.0]), 2)
    array([-0.75,  0.5 ])
    """
    centred = np.nan_to_num(values - np.nanmean(values))
    total = centred @ centred
    found = [centred[lag:] @ centred[:-lag] for lag in range(1, n_lags + 1)]
    return np.array(found) / total if total > 0 else np.zeros(n_lags)


def _draw_over_time(ax: Axes, residuals: pd.Series, low: float, high: float) -> None:
    index = residuals.index
    index = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    look, values = look_of(ax), residuals.to_numpy(float)
    ax.plot(index, values, ".", color=look.colors[0], markersize=3)
    ax.axhline(0, color=look.ink, linewidth=0.8)
    limit(ax, min(low, 0.0), max(high, 0.0))
    mark_outside(ax, [(index, values, look.colors[1])], look.colors[1])
    finish(ax, index)


def _draw_histogram(ax: Axes, values: NDArray[np.float64], n_wild: int) -> None:
    """Draw a histogram, and the normal curve with the same mean and standard deviation."""
    from scipy.stats import norm

    look = look_of(ax)
    ax.hist(values, bins="auto" if len(values) > 10 else 5, density=True, color=look.soft(), linewidth=0)
    if n_wild:
        ax.plot([], [], " ", label=f"{n_wild:,} wild in the outer bars")
    if values.std() > 0:
        x = np.linspace(values.min(), values.max(), 200)
        style: dict[str, Any] = {"color": look.ink, "linewidth": 1.3, "linestyle": DASHED, "label": "normal"}
        ax.plot(x, norm.pdf(x, values.mean(), values.std()), **style)
    ax.set_ylabel("density")
    finish(ax)


def _draw_autocorrelations(ax: Axes, values: NDArray[np.float64]) -> None:
    """Draw autocorrelations, and a band with 95 % of those of independent residuals (Bartlett)."""
    lags = np.arange(1, max(min(MOST_LAGS, len(values) // 4), 1) + 1)
    look = look_of(ax)
    ax.vlines(lags, 0, autocorrelations(values, len(lags)), color=look.colors[0], linewidth=1.6)
    bound = Z / np.sqrt(np.count_nonzero(~np.isnan(values)))
    ax.axhspan(-bound, bound, color=look.tint(look.ink, 0.2), linewidth=0, zorder=0, label="independent (95 %)")
    ax.axhline(0, color=look.ink, linewidth=0.8)
    ax.set_xlabel("lag (forecasts)")
    count_by_whole_numbers(ax)
    ax.set_ylabel("autocorrelation")
    finish(ax)


def _draw_quantiles(ax: Axes, values: NDArray[np.float64]) -> None:
    """Draw standardised residuals against normal quantiles, and a band with 95 % of normal ones at each point."""
    from scipy.stats import norm

    n = len(values)
    expected = norm.ppf((np.arange(n) + 0.5) / n)
    lower, upper = np.quantile(_normal_samples(n), [0.025, 0.975], axis=0)
    look = look_of(ax)
    band: dict[str, Any] = {"color": look.tint(look.ink, 0.2), "linewidth": 0, "label": "normal (95 %)"}
    ax.fill_between(expected, lower, upper, **band)
    ax.axline((0, 0), slope=1, color=look.ink, linewidth=0.8)
    ax.plot(expected, _standardised(values[np.newaxis])[0], ".", color=look.colors[0], markersize=3)
    ax.set_xlabel("normal quantile")
    ax.set_ylabel("residual / deviation")
    finish(ax)


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows scaled to mean 0 and standard deviation 1, sorted."""
    centred = np.sort(values, axis=1) - values.mean(axis=1, keepdims=True)
    deviation = values.std(axis=1, keepdims=True)
    standardised: NDArray[np.float64] = centred / np.where(deviation > 0, deviation, 1.0)
    return standardised


def _normal_samples(n: int) -> NDArray[np.float64]:
    """Normal samples of n values, standardised as residuals are.

    The known distributions of order statistics are for samples that aren't standardised: their bands would contain
    99.7 % in place of 95 %.
    """
    n_samples = min(max(1_000_000 // n, 100), 1000)
    return _standardised(np.random.default_rng(0).normal(size=(n_samples, n)))
