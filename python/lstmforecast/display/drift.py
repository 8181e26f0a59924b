"""The display of a drift monitor: its tests divided by their thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmforecast.display.colors import check_lines, look_of
from lstmforecast.display.scale import limit, mark_outside, top_of
from lstmforecast.display.style import Display, axes_for, finish
from lstmforecast.display.words import say_none

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self

    from lstmforecast.monitoring.drift import DriftMonitor


class DriftDisplay(Display):
    """Tests of a monitor over time, divided by their thresholds; of each kind the largest over the features.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    trace : DataFrame
        As `DriftMonitor.trace` returns it.

    Attributes
    ----------
    trace : DataFrame
        The data.
    greatest : DataFrame
        What is drawn: a column for each test, the largest over the features.
    ax_, axes_, figure_
        The axes, and their figure, once drawn.
    lines_ : dict of str to matplotlib.lines.Line2D
        By the name of the test.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import DriftDisplay, DriftMonitor
    >>> x = np.random.default_rng(0).normal(size=(600, 1))
    >>> monitor = DriftMonitor(window=100).fit(x[:400])
    >>> state = monitor.update(x[400:] + 2)
    >>> display = DriftDisplay.from_estimator(monitor)
    >>> state, list(display.lines_), bool(display.greatest["KS"].iloc[-1] > 1)
    ('drift', ['KS', 'PSI'], True)
    """

    def __init__(self, trace: pd.DataFrame) -> None:
        self.trace = trace
        tests = trace.columns.get_level_values("test")
        kinds = {test: trace.loc[:, tests == test].max(axis=1) for test in tests.unique()}
        self.greatest = trace.iloc[:, :0].droplevel("feature", axis=1).assign(**kinds)

    @classmethod
    def from_estimator(cls, monitor: DriftMonitor, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the last 1,000 tests of a fitted monitor.

        Parameters
        ----------
        monitor : DriftMonitor
            Fitted.
        ax, **kwargs
            As in `plot`.

        Returns
        -------
        DriftDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        sklearn.exceptions.NotFittedError
            If the monitor wasn't fitted.
        """
        return cls.from_predictions(monitor.trace(), ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, trace: pd.DataFrame, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw a trace.

        Parameters
        ----------
        trace : DataFrame
            From `DriftMonitor.trace`.
        ax, **kwargs
            As in `plot`.

        Returns
        -------
        DriftDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        return cls(trace).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it: rows since `DriftMonitor.fit` on the x-axis; above 1 is an alarm. ADWIN is 1 during its alarms.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure.
        **kwargs
            Style of the lines, as in `matplotlib.axes.Axes.plot`.

        Returns
        -------
        DriftDisplay
            Itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        check_lines(self.greatest.shape[1], "tests", "pass fewer columns of the trace")
        axes = axes_for(ax)
        panel, look = axes[0], look_of(axes[0])
        self.lines_: dict[str, Any] = {}
        for i, test in enumerate(map(str, self.greatest)):
            style: dict[str, Any] = look.style(i) | {"label": test} | kwargs
            [self.lines_[test]] = panel.plot(self.greatest.index, self.greatest[test], **style)
        panel.axhline(1, color=look.ink, linewidth=1.0, label="alarm")
        top = top_of([self.greatest[test] for test in self.greatest])
        if np.isfinite(top):
            limit(panel, 0.0, max(float(top), 1.2))
            lines = [(line.get_xdata(), line.get_ydata(), line.get_color()) for line in self.lines_.values()]
            mark_outside(panel, lines, look.ink)
        else:
            panel.set_ylim(0, 1.2)
            say_none(panel, "no tests yet: the monitor needs more rows")
        # the range of alarms: from 1 to the top
        panel.axhspan(1, panel.get_ylim()[1], color=look.tint(look.colors[1], 0.08), linewidth=0, zorder=0)
        panel.set_xlabel("row")
        n_features = self.trace.columns.get_level_values("feature").nunique()
        panel.set_ylabel("statistic / threshold" + (f",\nlargest of {n_features} features" if n_features > 1 else ""))
        finish(panel)
        self._keep(axes)
        return self
