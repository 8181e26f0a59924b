"""Pictures of models in use: a drift monitor's tests, a comparison's bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmforecast.plot import COLORS, INK, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lstmforecast.comparison import Comparison
    from lstmforecast.drift import DriftMonitor


def drift(monitor: DriftMonitor, ax: Axes | None = None) -> Axes:
    """Draw a monitor's tests as multiples of their thresholds: of each kind the greatest over the features.

    Parameters
    ----------
    monitor : DriftMonitor
        Fitted; its last 1,000 tests are drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on: rows since `DriftMonitor.fit` to the right, 1 is an alarm. ADWIN is 1 for as long as it
        holds.

    Raises
    ------
    ImportError
        Without matplotlib.
    sklearn.exceptions.NotFittedError
        If the monitor wasn't fitted.
    """
    trace = monitor.trace()
    ax = new_axes(ax)
    tests = trace.columns.get_level_values("test")
    for color, test in zip(COLORS, tests.unique(), strict=False):
        greatest = trace.loc[:, tests == test].to_numpy(float).max(axis=1, initial=0)
        ax.plot(trace.index, greatest, color=color, linewidth=1.4, label=test)
    ax.axhline(1, color=INK, linewidth=1.0, linestyle="--", label="alarm")
    ax.set_ylim(bottom=0)
    ax.set_xlabel("row")
    ax.set_ylabel("statistic / threshold")
    return finish(ax, outside=True)


def comparison(result: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the mean loss difference so far and its bounds, which hold at all times together.

    Parameters
    ----------
    result : Comparison
        From `lstmforecast.compare`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on: below zero the first model is better; a line where it was decided.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    ax = new_axes(ax)
    sequence = result.sequence.replace([np.inf, -np.inf], np.nan).dropna()
    n, mean = sequence["n"].to_numpy(), sequence["mean"].to_numpy()
    first, second = result.names
    ax.fill_between(
        n,
        sequence["lower"],
        sequence["upper"],
        color=COLORS[0],
        alpha=0.2,
        linewidth=0,
        label=f"{100 * result.level:g} %",
    )
    ax.plot(n, mean, color=COLORS[0], linewidth=2.0, label=f"loss of {first} - {second}")
    ax.axhline(0, color=INK, linewidth=1.0)
    if result.decided_at is not None:
        ax.axvline(result.decided_at, color=COLORS[1], linestyle="--", label=f"{result.verdict} is better")
    if len(n):
        # early bounds are so wide that nothing else would be seen
        width = 4 * float(np.median(sequence["upper"] - sequence["lower"]))
        ax.set_ylim(max(sequence["lower"].min(), mean[-1] - width), min(sequence["upper"].max(), mean[-1] + width))
    ax.set_xlabel("rows")
    ax.set_ylabel("difference of losses")
    return finish(ax)
