"""The display of the intervals of a backtest: coverage and width of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.colors import Look, check_lines, look_of
from lstmforecast.display.scale import limit, mark_outside, top_of
from lstmforecast.display.style import Display, axes_for, count_by_whole_numbers, finish
from lstmforecast.display.words import caption, say_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from typing_extensions import Self

    from lstmforecast.estimators.forecaster import LSTMForecaster
    from lstmforecast.evaluation.backtest_result import BacktestResult

# Probability that the band contains the observed coverage of intervals with the nominal coverage.
CONFIDENCE = 0.95


class IntervalDisplay(Display):
    """Observed and nominal coverage of intervals at each step ahead, and their width.

    Make it with `from_result`, `from_estimator` or `from_predictions`.

    Parameters
    ----------
    by_step : DataFrame
        A row for each ``step`` and nominal coverage ``promised``: the observed ``coverage``, the ``width``, and ``n``,
        the number of independent forecasts.
    name : str, optional
        What the intervals are of, for the title.

    Attributes
    ----------
    by_step : DataFrame
        The data, with the bounds ``low`` and ``high`` of the binomial band: with correct intervals, the observed
        coverage is within it in 95 of 100 backtests.
    name : str or None
        What the intervals are of.
    ax_, axes_, figure_
        The first axes, both of them, and their figure, once drawn.
    coverage_lines_, width_lines_, bands_ : dict of float to artist
        By nominal coverage.

    Notes
    -----
    Forecasts h steps ahead from neighbouring origins overlap: only one in h rows is counted as independent. All
    variables together are counted once, each series of a panel is counted.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import IntervalDisplay, LSTMForecaster
    >>> y = np.sin(np.arange(400) / 5) + np.random.default_rng(0).normal(0, 0.1, 400)
    >>> model = LSTMForecaster(3, hidden_size=8, max_epochs=2, random_state=0)
    >>> display = IntervalDisplay.from_estimator(model, y, coverage=[0.5, 0.8], folds=90)
    >>> display.by_step["n"].tolist()
    [88, 88, 44, 44, 29, 29]
    """

    def __init__(self, by_step: pd.DataFrame, *, name: str | None = None) -> None:
        from scipy.stats import binom

        low, high = binom.interval(CONFIDENCE, by_step["n"], by_step["promised"])
        self.name = name
        self.by_step = by_step.assign(low=low / by_step["n"], high=high / by_step["n"])

    @classmethod
    def from_estimator(
        cls,
        forecaster: LSTMForecaster,
        y: Any,
        X: Any = None,
        *,
        coverage: float | Sequence[float] = (0.5, 0.8, 0.95),
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Backtest a forecaster, and draw its intervals.

        Parameters
        ----------
        forecaster : LSTMForecaster
            Fitted or not; clones of it are fitted.
        y, X, coverage, **options
            As in `lstmforecast.backtest`.
        ax
            As in `plot`.

        Returns
        -------
        IntervalDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError, ValueError
            As `lstmforecast.backtest`.
        """
        from lstmforecast.evaluation.backtesting import backtest

        return cls.from_result(backtest(forecaster, y, X, coverage=coverage, **options), ax=ax)

    @classmethod
    def from_result(cls, result: BacktestResult, *, ax: Any = None) -> Self:
        """Draw the intervals of a backtest.

        Parameters
        ----------
        result : BacktestResult
            From `lstmforecast.backtest`, called with a ``coverage``.
        ax
            As in `plot`.

        Returns
        -------
        IntervalDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the backtest has no intervals.
        """
        from lstmforecast.evaluation.backtest_result import in_usual_names

        if result.intervals is None:
            raise ValueError("expected a backtest with intervals, got one without: call backtest(..., coverage=0.9)")
        # intervals are in the order of the forecasts
        truth = result.forecasts["truth"].to_numpy().repeat(len(result.coverages))
        return cls.from_predictions(in_usual_names(result, result.intervals).assign(truth=truth), ax=ax)

    @classmethod
    def from_predictions(cls, intervals: pd.DataFrame, *, ax: Any = None) -> Self:
        """Draw intervals of any model, from many cutoffs.

        Parameters
        ----------
        intervals : DataFrame
            A row for each interval: ``cutoff``, ``step`` (from 1), ``coverage`` (nominal), ``lower``, ``upper``,
            ``truth`` (NaN: missing) and, if there are several, ``variable`` and ``series``.
        ax
            As in `plot`.

        Returns
        -------
        IntervalDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If a column is missing.
        """
        wanted = ["cutoff", "step", "coverage", "lower", "upper", "truth"]
        if missing := [name for name in wanted if name not in intervals]:
            raise ValueError(f"expected intervals with columns {wanted}, got none called {missing}")
        known = intervals[intervals["truth"].notna()].rename(columns={"coverage": "promised"})
        known = known.assign(
            coverage=known["truth"].between(known["lower"], known["upper"]), width=known["upper"] - known["lower"]
        )
        groups = known.groupby(["step", "promised"])
        by_step = groups[["coverage", "width"]].mean().reset_index()
        variables = known["variable"].unique().tolist() if "variable" in known else [None]
        n_origins = groups.size().to_numpy() / len(variables)
        shared = np.maximum(np.ceil(by_step["step"] / _rows_between(known)), 1)
        n = np.maximum(n_origins / shared, 1).astype(int)
        name = variables[0] if len(variables) == 1 and isinstance(variables[0], str) else None
        n_series = known["series"].nunique() if "series" in known else 1
        if n_series > 1:
            name = f"{name or f'{len(variables)} variables'}, {n_series:,} series together"
        return cls(by_step.assign(n=n), name=name).plot(ax)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : two matplotlib.axes.Axes, optional
            Axes of coverage and width; by default those of a new figure.
        **kwargs
            Style of the lines, as in `matplotlib.axes.Axes.plot`.

        Returns
        -------
        IntervalDisplay
            Itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If another number of axes than two is given.
        """
        levels = sorted(self.by_step["promised"].unique().tolist())
        check_lines(len(levels), "coverages", "pass fewer, such as coverage=[0.5, 0.8, 0.95]")
        axes = axes_for(ax, 1, 2, height=3.0)
        look = look_of(axes[0])
        self.coverage_lines_: dict[float, Any] = {}
        self.width_lines_: dict[float, Any] = {}
        self.bands_: dict[float, Any] = {}
        for i, promised in enumerate(levels):
            part = self.by_step[self.by_step["promised"] == promised]
            style: dict[str, Any] = look.style(i) | ({"marker": "o"} if len(part) < 2 else {}) | kwargs
            self._draw_coverage(axes[0], promised, part, style, look)
            label = f"{100 * promised:g} % interval"
            [self.width_lines_[promised]] = axes[1].plot(part["step"], part["width"], label=label, **style)
        axes[0].set_ylabel("truths in the interval (%)")
        axes[1].set_ylabel("mean width")
        if self.name is not None:
            caption(axes[0], self.name)
        self._limit(axes)
        for panel in axes:
            panel.set_xlabel("steps ahead")
            count_by_whole_numbers(panel)
            finish(panel, legend=panel is axes[1])
        self._keep(axes)
        return self

    def _limit(self, axes: Any) -> None:
        lines = [(line.get_xdata(), line.get_ydata(), line.get_color()) for line in self.width_lines_.values()]
        top = top_of(widths for _, widths, _ in lines)
        if np.isfinite(top):
            limit(axes[1], 0.0, top)
            mark_outside(axes[1], lines, look_of(axes[1]).ink)
        else:
            for panel in axes:
                say_none(panel, "no interval\nwhose truth is known")

    def _draw_coverage(self, ax: Axes, promised: float, part: pd.DataFrame, style: dict[str, Any], look: Look) -> None:
        steps = part["step"].to_numpy()
        band = {"color": style["color"], "alpha": look.veil, "linewidth": 0, "zorder": 1}
        self.bands_[promised] = ax.fill_between(steps, 100 * part["low"], 100 * part["high"], **band)
        ax.plot(steps, np.full(len(steps), 100 * promised), color=look.ink, linewidth=0.8)
        [self.coverage_lines_[promised]] = ax.plot(steps, 100 * part["coverage"], **style)


def _rows_between(intervals: pd.DataFrame) -> float:
    """Number of rows from one cutoff to the next; 1 without times."""
    if "time" not in intervals or intervals["cutoff"].nunique() < 2:
        return 1.0
    times, cutoffs = (intervals[name].drop_duplicates().sort_values().diff().dropna() for name in ("time", "cutoff"))
    return float(cutoffs.median() / times.min())
