"""Four plots of residuals: over time, their distribution, their autocorrelations, their quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.style import COLORS, DASHED, INK, axes_for, count_by_whole_numbers, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_LAGS = 48
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
    _draw_over_time(axes[0], residuals)
    _draw_histogram(axes[1], known.to_numpy(float))
    _draw_autocorrelations(axes[2], residuals.to_numpy(float))
    _draw_quantiles(axes[3], known.to_numpy(float))
    axes[0].set_ylabel("residual")
    axes[0].set_title(f"{name}: {len(known):,} forecasts {ahead}", fontsize="small", loc="left")
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


def _draw_over_time(ax: Axes, residuals: pd.Series) -> None:
    index = residuals.index
    index = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    ax.plot(index, residuals.to_numpy(float), ".", color=COLORS[0], markersize=2.5, alpha=0.7)
    ax.axhline(0, color=INK, linewidth=0.8)
    finish(ax, index, narrow=True)


def _draw_histogram(ax: Axes, values: NDArray[np.float64]) -> None:
    """Draw a histogram, and the normal curve with the same mean and standard deviation."""
    from scipy.stats import norm

    ax.hist(values, bins="auto" if len(values) > 10 else 5, density=True, color=COLORS[5], alpha=0.7, linewidth=0)
    if values.std() > 0:
        x = np.linspace(values.min(), values.max(), 200)
        ax.plot(x, norm.pdf(x, values.mean(), values.std()), color=INK, linewidth=1.3, linestyle=DASHED, label="normal")
    ax.set_ylabel("density")
    finish(ax)


def _draw_autocorrelations(ax: Axes, values: NDArray[np.float64]) -> None:
    """Draw autocorrelations, and a band with 95 % of those of independent residuals (Bartlett)."""
    lags = np.arange(1, max(min(MOST_LAGS, len(values) // 4), 1) + 1)
    ax.vlines(lags, 0, autocorrelations(values, len(lags)), color=COLORS[0], linewidth=1.6)
    bound = Z / np.sqrt(np.count_nonzero(~np.isnan(values)))
    ax.axhspan(-bound, bound, color=INK, alpha=0.15, linewidth=0, zorder=0, label="independent (95 %)")
    ax.axhline(0, color=INK, linewidth=0.8)
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
    ax.fill_between(expected, lower, upper, color=INK, alpha=0.15, linewidth=0, label="normal (95 %)")
    ax.axline((0, 0), slope=1, color=INK, linewidth=0.8)
    ax.plot(expected, _standardised(values[np.newaxis])[0], ".", color=COLORS[0], markersize=3)
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
