"""The display of a backtest: its last forecasts, errors by step and over time beside naive ones, residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.colors import check_lines, look_of
from lstmforecast.display.naive import with_naive
from lstmforecast.display.residuals import draw_residuals
from lstmforecast.display.scale import limit, mark_outside, top_of
from lstmforecast.display.series import Chosen, choose, share_scales
from lstmforecast.display.style import Display, axes_for, count_by_whole_numbers, draw_path, finish, pick
from lstmforecast.display.words import caption, name_of, note, say_missing, say_none

if TYPE_CHECKING:
    from collections.abc import Hashable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from typing_extensions import Self

    from lstmforecast.estimators.forecaster import LSTMForecaster
    from lstmforecast.evaluation.backtest_result import BacktestResult

SHOWN_WINDOWS = 7
# Points of errors over time; of more cutoffs, moving means are drawn.
SHOWN_ERRORS = 60
KINDS = ("forecasts", "horizon", "cutoff", "residuals")
METRICS = ("MAE", "RMSE")
LABELS = ("series", "cutoff", "time", "step", "variable", "truth")
PANEL_HEIGHT = 1.9


class BacktestDisplay(Display):
    """Forecasts of a backtest and the actual values, in four kinds of plots.

    Make it with `from_result`, `from_estimator` or `from_predictions`.

    Parameters
    ----------
    forecasts : DataFrame
        A row for each forecast: ``cutoff``, ``time``, ``step`` (from 1), ``variable``, ``truth`` (NaN: missing), for a
        panel ``series``; then a column for each method. The first method is compared with the others.

    Attributes
    ----------
    forecasts : DataFrame
        The data.
    methods : list of str
        Names of the methods.
    ax_, axes_, figure_
        The first axes, all of them, and their figure, once drawn.
    lines_ : dict of str to matplotlib.lines.Line2D
        With ``kind="horizon"`` or ``"cutoff"``, by method; with several series, those of the first.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import BacktestDisplay, LSTMForecaster
    >>> y = np.sin(np.arange(300) / 5)
    >>> model = LSTMForecaster(4, hidden_size=8, max_epochs=2, random_state=0)
    >>> display = BacktestDisplay.from_estimator(model, y, folds=40, kind="horizon")
    >>> list(display.lines_)
    ['LSTMForecaster', 'repeat-last', 'seasonal-naive']
    >>> display.errors("MAE", by="step").shape
    (4, 3)
    """

    def __init__(self, forecasts: pd.DataFrame) -> None:
        if not len(forecasts):
            raise ValueError("expected one forecast or more, got an empty table")
        self.forecasts = forecasts
        self.methods = [str(name) for name in forecasts if name not in LABELS]

    @classmethod
    def from_estimator(
        cls, forecaster: LSTMForecaster, y: Any, X: Any = None, *, ax: Any = None, **options: Any
    ) -> Self:
        """Backtest a forecaster, and draw the result.

        Parameters
        ----------
        forecaster : LSTMForecaster
            Fitted or not; clones of it are fitted.
        y, X
            As in `lstmforecast.backtest`.
        ax
            As in `plot`.
        **options
            Of `plot` (``kind``, ``metric``, ``variable``, ``series``, ``step``) and of `lstmforecast.backtest`.

        Returns
        -------
        BacktestDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError, ValueError
            As `lstmforecast.backtest` and `plot`.
        """
        from lstmforecast.evaluation.backtesting import backtest

        names = ("kind", "metric", "variable", "series", "step")
        of_plot = {name: options.pop(name) for name in names if name in options}
        return cls.from_result(backtest(forecaster, y, X, **options), ax=ax, **of_plot)

    @classmethod
    def from_result(cls, result: BacktestResult, *, ax: Any = None, **options: Any) -> Self:
        """Draw a backtest and the two naive forecasts.

        Parameters
        ----------
        result : BacktestResult
            From `lstmforecast.backtest`.
        ax, **options
            As in `plot`.

        Returns
        -------
        BacktestDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            As `plot`.
        """
        return cls(with_naive(result)).plot(ax, **options)

    @classmethod
    def from_predictions(cls, forecasts: pd.DataFrame, *, ax: Any = None, **options: Any) -> Self:
        """Draw forecasts of any models.

        Parameters
        ----------
        forecasts : DataFrame
            As in the class, or as Nixtla's ``cross_validation`` returns it, where ``unique_id``, ``ds`` and ``y`` are
            series, time and truth.
        ax, **options
            As in `plot`.

        Returns
        -------
        BacktestDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If a column is missing; also as `plot`.
        """
        frame = forecasts.rename(columns={"unique_id": "series", "ds": "time", "y": "truth"})
        wanted = ["cutoff", "time", "truth"]
        if missing := [name for name in wanted if name not in frame]:
            raise ValueError(f"expected forecasts with columns {wanted}, got none called {missing}")
        if "variable" not in frame:
            frame = frame.assign(variable="y")
        if "step" not in frame:
            of_window = [name for name in ("series", "cutoff", "variable") if name in frame]
            frame = frame.assign(step=frame.groupby(of_window)["time"].rank().astype(int))
        return cls(frame).plot(ax, **options)

    def errors(
        self,
        metric: str = "MAE",
        *,
        by: str = "step",
        variable: Hashable = None,
        series: Hashable = None,
    ) -> pd.DataFrame:
        """Compute the errors of each method.

        Parameters
        ----------
        metric : {"MAE", "RMSE"}, default="MAE"
            In the data's units.
        by : {"step", "cutoff"}, default="step"
            A row for each step ahead, or for each time at which forecasts were made.
        variable, series : label, optional
            The variable, by default the first, and the series of a panel, by default all.

        Returns
        -------
        DataFrame
            A row for each step or cutoff, a column for each method.

        Raises
        ------
        ValueError
            For another metric, or if there is no such variable or series.
        """
        if metric not in METRICS:
            raise ValueError(f"expected metric to be one of {METRICS}, got {metric!r}")
        frame = self._part(variable, series)
        found = {method: frame["truth"] - frame[method] for method in self.methods}
        sizes = pd.DataFrame({method: each.abs() if metric == "MAE" else each**2 for method, each in found.items()})
        means: pd.DataFrame = sizes.groupby(frame[by]).mean()
        return means if metric == "MAE" else means**0.5

    def residuals(self, step: int = 1, *, variable: Hashable = None, series: Hashable = None) -> pd.Series:
        """Compute the residuals of the first method: truth minus forecast.

        Parameters
        ----------
        step : int, default=1
            Steps ahead.
        variable, series : label, optional
            The variable, and the series of a panel; by default the first.

        Returns
        -------
        Series
            Indexed by time; NaN where the truth is missing.

        Raises
        ------
        ValueError
            If there is no such step, variable or series.
        """
        frame = self._part(variable, self._choose(series, one=True).keys[0])
        frame = frame[frame["step"] == pick("step", step, sorted(frame["step"].unique().tolist()))]
        residuals: pd.Series = (frame["truth"] - frame[self.methods[0]]).set_axis(pd.Index(frame["time"]))
        return residuals

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "forecasts",
        metric: str = "MAE",
        variable: Hashable = None,
        series: Any = None,
        step: int = 1,
    ) -> Self:
        """Draw one of the plots.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on, four for ``kind="residuals"``, of several series one for each; by default those of a new
            figure.
        kind : {"forecasts", "horizon", "cutoff", "residuals"}, default="forecasts"
            ``"forecasts"``: the last forecasts, end to end, over the truth. ``"horizon"``: errors by step ahead.
            ``"cutoff"``: errors by the time of the forecast, as moving means if there are many. ``"residuals"``: four
            plots of residuals: over time, a histogram with a normal curve, autocorrelations, and quantiles against
            those of the normal distribution.
        metric : {"MAE", "RMSE"}, default="MAE"
            For ``"horizon"`` and ``"cutoff"``, in the data's units.
        variable : label, optional
            The variable to draw; by default the first.
        series : label or list of label, optional
            The series of a panel, or several for a panel of axes each. None: for errors the mean over all series, for
            forecasts the first four, for residuals and on your own ``ax`` the first.
        step : int, default=1
            Steps ahead of the residuals.

        Returns
        -------
        BacktestDisplay
            Itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            For an unknown kind or metric, or if there is no such variable, series or step; for several series of
            residuals, and more than 12 methods.
        """
        if kind not in KINDS:
            raise ValueError(f"expected kind to be one of {KINDS}, got {kind!r}")
        name = self._pick_variable(variable)
        if kind == "residuals":
            chosen = self._choose(series, one=True)
            residuals = self.residuals(step, variable=name, series=chosen.keys[0])
            axes = draw_residuals(residuals, _of_series(name_of(name), chosen), step, ax)
            if words := chosen.words():
                note(axes[2], words)
        else:
            axes = self._draw(ax, kind, metric, name, series)
        self._keep(axes)
        return self

    def _draw(self, ax: Any, kind: str, metric: str, variable: Hashable, series: Any) -> NDArray[np.object_]:
        # before a figure is made: an error leaves no empty figure
        mean_over_all = kind != "forecasts" and series is None
        chosen = self._choose(None, one=True) if mean_over_all else self._choose(series, ax)
        keys = [None] if mean_over_all else chosen.keys
        n = len(keys)
        errors: list[pd.DataFrame] = []
        if kind != "forecasts":
            check_lines(len(self.methods), "methods", "pass a table with fewer columns")
            by = "step" if kind == "horizon" else "cutoff"
            errors = [self.errors(metric, by=by, variable=variable, series=key) for key in keys]
        axes = axes_for(ax, n, height=3.2 if n == 1 else 0.6 + PANEL_HEIGHT * n, sharex=True)
        for i, (panel, key) in enumerate(zip(axes, keys, strict=True)):
            if errors:
                self._draw_errors(panel, errors[i], kind, legend=not i)
                panel.set_ylabel(f"{metric} of {name_of(variable)}")
            else:
                self._draw_windows(panel, self._last_windows(variable, key), variable, legend=not i)
            if key is not None:
                caption(panel, f"series {key}")
        words = [chosen.words()]
        if mean_over_all:
            words = [f"mean of {chosen.total:,} series" if chosen.total > 1 else None]
        if n > 1 and not share_scales(list(axes)):
            words.append("each on its own scale")
        if shown := ", ".join(each for each in words if each):
            note(axes[-1], shown)
        return axes

    def _draw_errors(self, ax: Axes, errors: pd.DataFrame, kind: str, *, legend: bool) -> None:
        n = 1 if kind == "horizon" else max(1, len(errors) // SHOWN_ERRORS)
        errors, look = _with_times(errors.rolling(n, center=True).mean()), look_of(ax)
        lines: dict[str, Any] = {}
        for i, method in enumerate(self.methods):
            style = look.style(i) | ({"linewidth": 1.8, "zorder": 3} if i == 0 else {})
            style |= {"marker": "o"} if len(errors) == 1 else {}
            lines[method] = draw_path(ax, errors[method], label=method, **style)
        top = top_of(errors[method] for method in self.methods)
        if np.isfinite(top):
            limit(ax, 0.0, top)
            mark_outside(ax, [(errors.index, errors[name], line.get_color()) for name, line in lines.items()], look.ink)
        else:
            say_none(ax, "no errors: no true value is known")
        ax.set_xlabel("steps ahead" if kind == "horizon" else _of_means("forecast at", n))
        if kind == "horizon":
            count_by_whole_numbers(ax)
        finish(ax, errors.index, legend=legend)
        if legend:
            self.lines_ = lines

    def _draw_windows(self, ax: Axes, windows: list[pd.DataFrame], variable: Hashable, *, legend: bool) -> None:
        truth, look = pd.concat(windows)["truth"], look_of(ax)
        draw_path(ax, truth, color=look.ink, linewidth=1.1, label="truth")
        for i, window in enumerate(windows):
            path = window[self.methods[0]]
            style: dict[str, Any] = {"color": look.colors[0], "linewidth": 1.8, "label": None if i else "forecast"}
            # a mark where each begins
            draw_path(ax, path, **style, marker="o", markersize=4, markevery=[0])
        columns = {"truth": "truth", "forecast": self.methods[0]}
        none = [name for name, column in columns.items() if pd.concat(windows)[column].isna().all()]
        say_missing(ax, none, whole=len(none) == len(columns))
        ax.set_ylabel(name_of(variable))
        finish(ax, truth.index, legend=legend)

    def _last_windows(self, variable: Hashable, series: Hashable) -> list[pd.DataFrame]:
        """The last windows of one series that don't overlap, in time order."""
        frame = self._part(variable, series)
        windows = [_with_times(window.set_index("time")) for _, window in frame.groupby("cutoff", sort=True)]
        chosen: list[pd.DataFrame] = []
        for window in reversed(windows):
            if len(chosen) < SHOWN_WINDOWS and (not chosen or window.index[-1] < chosen[-1].index[0]):
                chosen.append(window)
        return chosen[::-1]

    def _part(self, variable: Hashable, series: Hashable) -> pd.DataFrame:
        frame: pd.DataFrame = self.forecasts[self.forecasts["variable"] == self._pick_variable(variable)]
        return frame if series is None else frame[frame["series"] == self._choose(series, one=True).keys[0]]

    def _pick_variable(self, variable: Hashable) -> Any:
        return pick("variable", variable, self.forecasts["variable"].unique().tolist())

    def _choose(self, series: Any, ax: Any = None, *, one: bool = False) -> Chosen:
        """The series to draw; with ``one``, a single one."""
        known = self.forecasts["series"].unique().tolist() if "series" in self.forecasts else []
        chosen = choose(known, series, True if one else ax, "those that were forecast")
        if one and len(chosen.keys) > 1:
            raise ValueError(f"expected one series, got {len(chosen.keys)}: {chosen.keys}; take them one by one")
        return chosen


def _of_series(name: str, chosen: Chosen) -> str:
    return name if chosen.keys[0] is None else f"{name} of series {chosen.keys[0]}"


def _of_means(name: str, n: int) -> str:
    return name if n == 1 else f"{name} (moving means of {n} forecasts)"


def _with_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn periods into times, which can be drawn."""
    return frame.set_axis(frame.index.to_timestamp()) if isinstance(frame.index, pd.PeriodIndex) else frame
