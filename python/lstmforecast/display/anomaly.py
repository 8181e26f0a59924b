"""The display of an anomaly detector: series and forecast, score and threshold, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.colors import DASHED, look_of
from lstmforecast.display.scale import limit, mark_outside
from lstmforecast.display.style import Display, axes_for, finish, pick
from lstmforecast.display.words import name_of, say_none

if TYPE_CHECKING:
    from collections.abc import Hashable

    from matplotlib.axes import Axes
    from typing_extensions import Self

    from lstmforecast.monitoring.anomaly import LSTMAnomalyDetector

# The scale of scores ends at so many thresholds: a large event would make all others invisible.
MOST_SEVERE = 6.0


class AnomalyDisplay(Display):
    """Above, a series and its forecast one step ahead; below, score and threshold; events are shaded in both.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    trace : DataFrame
        As `LSTMAnomalyDetector.trace` returns it.
    events : DataFrame, optional
        As `LSTMAnomalyDetector.detect` returns it.
    variable : label, optional
        The variable to draw; by default the first.

    Attributes
    ----------
    trace, events, variable
        The data.
    ax_, axes_, figure_
        The first axes, both of them, and their figure, once drawn.
    lines_ : dict of str to matplotlib.lines.Line2D
        ``"series"``, ``"forecast"``, ``"anomaly"``, ``"score"``, ``"threshold"``.

    Raises
    ------
    ValueError
        If there is no such variable.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import AnomalyDisplay, LSTMAnomalyDetector, LSTMForecaster
    >>> y = np.sin(np.arange(400) / 4) + np.random.default_rng(0).normal(0, 0.05, 400)
    >>> y[350] += 2
    >>> forecaster = LSTMForecaster(window_size=24, hidden_size=8, max_epochs=2, random_state=0)
    >>> detector = LSTMAnomalyDetector(forecaster).fit(y[:300])
    >>> display = AnomalyDisplay.from_estimator(detector, y[300:])
    >>> bool(50 in display.lines_["anomaly"].get_xdata())
    True
    """

    def __init__(self, trace: pd.DataFrame, events: pd.DataFrame | None = None, *, variable: Hashable = None) -> None:
        self.trace, self.events = trace, events
        self.variable = pick("variable", variable, list(trace["value"].columns))

    @classmethod
    def from_estimator(
        cls, detector: LSTMAnomalyDetector, X: Any, *, variable: Hashable = None, ax: Any = None
    ) -> Self:
        """Draw the scores and events of rows by a fitted detector.

        Parameters
        ----------
        detector : LSTMAnomalyDetector
            Fitted.
        X : array-like, Series or DataFrame
            As in `LSTMAnomalyDetector.detect`, which warns about gaps.
        variable : label, optional
            The variable to draw; by default the first.
        ax : two matplotlib.axes.Axes, optional
            As in `plot`.

        Returns
        -------
        AnomalyDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As `LSTMAnomalyDetector.detect`; also if there is no such variable.
        """
        return cls.from_predictions(detector.trace(X), detector.detect(X), variable=variable, ax=ax)

    @classmethod
    def from_predictions(
        cls, trace: pd.DataFrame, events: pd.DataFrame | None = None, *, variable: Hashable = None, ax: Any = None
    ) -> Self:
        """Draw a trace and events.

        Parameters
        ----------
        trace : DataFrame
            From `LSTMAnomalyDetector.trace`; pass only the rows to be shown, such as ``trace["2014-01":]``.
        events : DataFrame, optional
            From `LSTMAnomalyDetector.detect`.
        variable : label, optional
            The variable to draw; by default the first.
        ax : two matplotlib.axes.Axes, optional
            As in `plot`.

        Returns
        -------
        AnomalyDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If there is no such variable.
        """
        return cls(trace, events, variable=variable).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : two matplotlib.axes.Axes, optional
            Axes of the series and of the scores; by default those of a new figure.

        Returns
        -------
        AnomalyDisplay
            Itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If another number of axes than two is given.
        """
        axes = axes_for(ax, 2, height=4.4, sharex=True, height_ratios=(3, 2))
        index = self.trace.index
        index = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
        self.lines_: dict[str, Any] = {}
        self._draw_series(axes[0], index)
        self._draw_score(axes[1], index)
        if self.events is not None:
            self._shade(index, axes)
        for panel in axes:
            finish(panel, index)
        self._keep(axes)
        return self

    def _draw_series(self, ax: Axes, index: pd.Index) -> None:
        look = look_of(ax)
        values = self.trace["value", self.variable].to_numpy(float)
        forecast = self.trace["forecast", self.variable].to_numpy(float)
        marked = self.trace["anomaly"].to_numpy(bool).ravel()
        style: dict[str, Any] = {"color": look.ink, "linewidth": 0.9, "zorder": 3}
        [self.lines_["series"]] = ax.plot(index, values, **style, label="series")
        # below the series and broad: where both agree, the series is drawn on it
        style = {"color": look.soft(), "linewidth": 2.4, "zorder": 2}
        [self.lines_["forecast"]] = ax.plot(index, forecast, **style, label="forecast")
        style = {"color": look.colors[1], "markersize": 5, "zorder": 4}
        label = "anomaly" if marked.any() else "no anomaly"
        [self.lines_["anomaly"]] = ax.plot(index[marked], values[marked], "o", **style, label=label)
        if not np.isfinite(values).any():
            say_none(ax, "no values: all are missing" if len(values) else "no rows")
        ax.set_ylabel(name_of(self.variable))

    def _draw_score(self, ax: Axes, index: pd.Index) -> None:
        look = look_of(ax)
        score, threshold = (self.trace[kind].to_numpy(float).ravel() for kind in ("score", "threshold"))
        styles: dict[str, dict[str, Any]] = {
            "score": {"color": look.ink, "linewidth": 1.0},
            "threshold": {"color": look.colors[1], "linewidth": 1.3, "linestyle": DASHED},
        }
        for name, values in (("score", score), ("threshold", threshold)):
            [self.lines_[name]] = ax.plot(index, values, **styles[name], label=name)
        known = np.concatenate([score, threshold])
        known = known[np.isfinite(known)]
        if not np.isfinite(score).any():
            say_none(ax, "no scores")
        elif np.isfinite(threshold).any():
            limit(ax, 0.0, min(float(known.max()), MOST_SEVERE * float(np.nanmedian(threshold))))
            mark_outside(ax, [(index, score, look.ink)], look.ink)
        else:
            limit(ax, 0.0, float(known.max()))
        ax.set_ylabel("score (usual errors)")

    def _shade(self, index: pd.Index, axes: Any) -> None:
        """Draw a band for each event within the rows, at least as wide as a line."""
        assert self.events is not None
        for start, end in zip(_times(self.events["start"]), _times(self.events["end"]), strict=True):
            if len(index) and end >= index[0] and start <= index[-1]:
                for ax in axes:
                    ax.axvspan(start, end, color=look_of(ax).colors[4], alpha=0.3, linewidth=1.5, zorder=0)


def _times(labels: pd.Series) -> pd.Series:
    return labels.dt.to_timestamp() if isinstance(labels.dtype, pd.PeriodDtype) else labels
