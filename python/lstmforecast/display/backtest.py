"""The display of a backtest: its last forecasts, errors by step and over time beside naive ones, residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.residuals import draw_residuals
from lstmforecast.display.style import (
    COLORS,
    DASHED,
    DOTTED,
    INK,
    Display,
    axes_for,
    count_by_whole_numbers,
    draw_path,
    finish,
    name_of,
    pick,
)

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
# Of the first method, then of the naive ones; they differ in grey print too.
STYLES: tuple[dict[str, Any], ...] = (
    {"color": COLORS[0], "linewidth": 1.8, "zorder": 3},
    {"color": COLORS[1], "linewidth": 1.3, "linestyle": DOTTED},
    {"color": COLORS[2], "linewidth": 1.3, "linestyle": DASHED},
    *({"color": color, "linewidth": 1.3} for color in COLORS[3:]),
)


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
        With ``kind="horizon"`` or ``"cutoff"``, by method.

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
        return cls(_with_naive(result)).plot(ax, **options)

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
        frame = self._part(variable, self._pick_series(series))
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
        series: Hashable = None,
        step: int = 1,
    ) -> Self:
        """Draw one of the plots.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on, four for ``kind="residuals"``; by default those of a new figure.
        kind : {"forecasts", "horizon", "cutoff", "residuals"}, default="forecasts"
            ``"forecasts"``: the last forecasts, end to end, over the truth. ``"horizon"``: errors by step ahead.
            ``"cutoff"``: errors by the time of the forecast, as moving means if there are many. ``"residuals"``: four
            plots of residuals: over time, a histogram with a normal curve, autocorrelations, and quantiles against
            those of the normal distribution.
        metric : {"MAE", "RMSE"}, default="MAE"
            For ``"horizon"`` and ``"cutoff"``, in the data's units.
        variable : label, optional
            The variable to draw; by default the first.
        series : label, optional
            The series of a panel. None: the first; for errors the mean over all.
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
            For an unknown kind or metric, or if there is no such variable, series or step.
        """
        if kind not in KINDS:
            raise ValueError(f"expected kind to be one of {KINDS}, got {kind!r}")
        name = self._pick_variable(variable)
        if kind == "residuals":
            axes = draw_residuals(self.residuals(step, variable=name, series=series), name_of(name), step, ax)
        else:
            axes = self._draw(ax, kind, metric, name, series)
        self._keep(axes)
        return self

    def _draw(self, ax: Any, kind: str, metric: str, variable: Hashable, series: Hashable) -> NDArray[np.object_]:
        # before a figure is made: an error leaves no empty figure
        errors = (
            None
            if kind == "forecasts"
            else self.errors(metric, by="step" if kind == "horizon" else "cutoff", variable=variable, series=series)
        )
        windows = self._last_windows(variable, series) if errors is None else []
        axes = axes_for(ax)
        if errors is None:
            self._draw_windows(axes[0], windows, variable)
        else:
            n = 1 if kind == "horizon" else max(1, len(errors) // SHOWN_ERRORS)
            self._draw_errors(axes[0], errors.rolling(n, center=True).mean())
            axes[0].set_xlabel("steps ahead" if kind == "horizon" else _of_means("forecast at", n))
            if kind == "horizon":
                count_by_whole_numbers(axes[0])
            axes[0].set_ylabel(f"{metric} of {name_of(variable)}")
        return axes

    def _draw_errors(self, ax: Axes, errors: pd.DataFrame) -> None:
        errors = _with_times(errors)
        self.lines_: dict[str, Any] = {}
        for style, method in zip(STYLES, self.methods, strict=False):
            self.lines_[method] = draw_path(ax, errors[method], label=method, **style)
        ax.set_ylim(bottom=0)
        finish(ax, errors.index)

    def _draw_windows(self, ax: Axes, windows: list[pd.DataFrame], variable: Hashable) -> None:
        truth = pd.concat(windows)["truth"]
        draw_path(ax, truth, color=INK, linewidth=1.1, label="truth")
        for i, window in enumerate(windows):
            path = window[self.methods[0]]
            draw_path(ax, path, color=COLORS[0], linewidth=1.8, label=None if i else "forecast")
            ax.plot(path.index[:1], path.iloc[:1], "o", color=COLORS[0], markersize=4)
        ax.set_ylabel(name_of(variable))
        if "series" in windows[0]:
            ax.set_title(f"series {windows[0]['series'].iloc[0]}", fontsize="medium", loc="left")
        finish(ax, truth.index)

    def _last_windows(self, variable: Hashable, series: Hashable) -> list[pd.DataFrame]:
        """The last windows of one series that don't overlap, in time order."""
        frame = self._part(variable, self._pick_series(series))
        windows = [_with_times(window.set_index("time")) for _, window in frame.groupby("cutoff", sort=True)]
        chosen: list[pd.DataFrame] = []
        for window in reversed(windows):
            if len(chosen) < SHOWN_WINDOWS and (not chosen or window.index[-1] < chosen[-1].index[0]):
                chosen.append(window)
        return chosen[::-1]

    def _part(self, variable: Hashable, series: Hashable) -> pd.DataFrame:
        frame: pd.DataFrame = self.forecasts[self.forecasts["variable"] == self._pick_variable(variable)]
        return frame if series is None else frame[frame["series"] == self._pick_series(series)]

    def _pick_variable(self, variable: Hashable) -> Any:
        return pick("variable", variable, self.forecasts["variable"].unique().tolist())

    def _pick_series(self, series: Hashable) -> Any:
        known = self.forecasts["series"].unique().tolist() if "series" in self.forecasts else [None]
        if series is not None and series not in known:
            raise ValueError(f"expected series to be one of those that were forecast, got {series!r}")
        return known[0] if series is None else series


def _of_means(name: str, n: int) -> str:
    return name if n == 1 else f"{name} (moving means of {n} forecasts)"


def _with_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn periods into times, which can be drawn."""
    return frame.set_axis(frame.index.to_timestamp()) if isinstance(frame.index, pd.PeriodIndex) else frame


def _with_naive(result: BacktestResult) -> pd.DataFrame:
    """The forecasts of a backtest, with columns of the two naive forecasts."""
    from lstmforecast.evaluation.backtest_result import in_usual_names
    from lstmforecast.evaluation.rolling import Origins
    from lstmforecast.evaluation.scoring import MODEL, REPEAT_LAST, SEASONAL_NAIVE, carried, naive_forecast, seasons_at

    observations, steps = result.observations, np.arange(result.values.shape[1])
    rows = Origins(result.which, result.origins).first_rows(observations)[:, np.newaxis]
    values, seasons = carried(observations), seasons_at(result.origins, result.season_length)[:, np.newaxis]
    naive = {
        REPEAT_LAST: naive_forecast(values, rows, 1, steps),
        SEASONAL_NAIVE: naive_forecast(values, rows, seasons, steps),
    }
    columns = {name: forecast.ravel() for name, forecast in naive.items()}
    forecasts = in_usual_names(result, result.forecasts)
    return forecasts.rename(columns={"forecast": MODEL}).assign(**columns)
