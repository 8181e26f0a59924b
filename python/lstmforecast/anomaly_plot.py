"""The picture of a detector's trace: series and forecast, score and threshold, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.plot import COLORS, INK, check_matplotlib, finish

if TYPE_CHECKING:
    from collections.abc import Hashable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# What is beyond so many thresholds is cut off: a great event would make all others flat.
MOST_SEVERE = 6.0


def anomalies(
    trace: pd.DataFrame,
    events: pd.DataFrame | None = None,
    axes: Any = None,
    *,
    variable: Hashable = None,
) -> NDArray[np.object_]:
    """Draw what `LSTMAnomalyDetector.trace` returned, with the events of `LSTMAnomalyDetector.detect`.

    Parameters
    ----------
    trace : DataFrame
        From `LSTMAnomalyDetector.trace`; pass only the rows that should be seen, ``trace["2014-01":]``.
    events : DataFrame, optional
        From `LSTMAnomalyDetector.detect`: shaded in both panels.
    axes : two matplotlib.axes.Axes, optional
        Where to draw series and scores; a new figure if they aren't given.
    variable : label, optional
        Which variable of several; the first if it isn't given.

    Returns
    -------
    ndarray of two matplotlib.axes.Axes
        The axes drawn on: above, the series and its forecast a step ahead; below, score and threshold.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If there is no such variable.
    """
    names = list(trace["value"].columns)
    if variable is not None and variable not in names:
        raise ValueError(f"expected variable to be one of {names}, got {variable!r}")
    name = names[0] if variable is None else variable
    above, below = _two_axes() if axes is None else axes
    index = trace.index.to_timestamp() if isinstance(trace.index, pd.PeriodIndex) else trace.index
    _draw_series(above, index, trace, name)
    _draw_score(below, index, trace)
    if events is not None:
        _shade(events, index, above, below)
    above.set_ylabel(str(name) if isinstance(name, str) else f"variable {name}")
    below.set_ylabel("score (usual errors)")
    return np.array([finish(above, index, outside=True), finish(below, index, outside=True)])


def _two_axes() -> Any:
    check_matplotlib()
    from matplotlib import pyplot

    _, axes = pyplot.subplots(2, 1, sharex=True, figsize=(9.0, 4.6), height_ratios=(3, 2), layout="constrained")
    return axes


def _draw_series(ax: Axes, index: pd.Index, trace: pd.DataFrame, name: Hashable) -> None:
    values = trace["value", name].to_numpy(float)
    ax.plot(index, values, color=INK, linewidth=0.9, zorder=3, label="series")
    # below, and broad: where both agree the series is seen on it
    forecast = trace["forecast", name].to_numpy(float)
    ax.plot(index, forecast, color=COLORS[5], linewidth=2.4, alpha=0.8, zorder=2, label="forecast")
    marked = trace["anomaly"].to_numpy(bool).ravel()
    ax.plot(index[marked], values[marked], ".", color=COLORS[1], markersize=4, zorder=4, label="anomaly")


def _draw_score(ax: Axes, index: pd.Index, trace: pd.DataFrame) -> None:
    score, threshold = (trace[kind].to_numpy(float).ravel() for kind in ("score", "threshold"))
    top = MOST_SEVERE * np.nanmedian(threshold) if np.isfinite(threshold).any() else np.inf
    ax.plot(index, np.minimum(score, top), color=INK, linewidth=1.0, label="score")
    ax.plot(index, np.minimum(threshold, top), color=COLORS[1], linewidth=1.3, label="threshold")
    ax.set_ylim(bottom=0)


def _shade(events: pd.DataFrame, index: pd.Index, *axes: Axes) -> None:
    """A band for each event that is in the picture, at least as wide as a line."""
    for start, end in zip(_times(events["start"]), _times(events["end"]), strict=True):
        if len(index) and end >= index[0] and start <= index[-1]:
            for ax in axes:
                ax.axvspan(start, end, color=COLORS[4], alpha=0.3, linewidth=1.5, zorder=0)


def _times(labels: pd.Series) -> pd.Series:
    return labels.dt.to_timestamp() if isinstance(labels.dtype, pd.PeriodDtype) else labels
