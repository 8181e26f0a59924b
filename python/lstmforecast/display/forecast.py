"""The display of a forecast: the history, the forecast, its intervals as bands, and actual values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.style import COLORS, DASHED, INK, Display, axes_for, draw_path, finish, place_legend, tint
from lstmforecast.display.tables import as_frame, check_alike, check_interval, intervals_of, is_array
from lstmforecast.uncertainty.calibration import SIDES

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from typing_extensions import Self

    from lstmforecast.estimators.forecaster import LSTMForecaster

PANEL_HEIGHT = 1.9
MOST_ROWS = 4
LEAST_HISTORY = 48


class ForecastDisplay(Display):
    """History, forecast and prediction intervals of one series, a panel for each of its variables.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    history : DataFrame of shape (n, k)
        The series before the forecast.
    forecast : DataFrame of shape (horizon, k)
        The steps after the history.
    truth : DataFrame of shape (m, k), optional
        Actual values of these steps.
    interval : DataFrame, optional
        Columns (variable, coverage, side) in the order of the forecast's, as `LSTMForecaster.predict_interval` returns
        them.

    Attributes
    ----------
    history, forecast, truth, interval
        The data.
    ax_, axes_, figure_
        The first axes, all of them, and their figure, once drawn.
    history_lines_, forecast_lines_, truth_lines_ : list of matplotlib.lines.Line2D
        A line for each variable.
    bands_ : list of matplotlib.collections.PolyCollection
        The intervals of each variable, the widest first.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import ForecastDisplay, LSTMForecaster
    >>> y = np.sin(np.arange(300) / 5)
    >>> model = LSTMForecaster(6, hidden_size=8, max_epochs=2, random_state=0).fit(y[:280])
    >>> display = ForecastDisplay.from_estimator(model, y, coverage=[0.5, 0.8])
    >>> len(display.forecast), len(display.truth), len(display.bands_)
    (6, 6, 2)
    """

    def __init__(
        self,
        history: pd.DataFrame,
        forecast: pd.DataFrame,
        *,
        truth: pd.DataFrame | None = None,
        interval: pd.DataFrame | None = None,
    ) -> None:
        self.history, self.forecast, self.truth, self.interval = history, forecast, truth, interval

    @classmethod
    def from_estimator(
        cls,
        forecaster: LSTMForecaster,
        y: Any = None,
        *,
        context: Any = None,
        X: Any = None,
        X_past: Any = None,
        static: Any = None,
        horizon: int | None = None,
        coverage: float | Sequence[float] | None = (0.5, 0.8, 0.95),
        n_history: int | None = None,
        series: Hashable = None,
        ax: Any = None,
        known: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the forecast of a fitted forecaster.

        Parameters
        ----------
        forecaster : LSTMForecaster
            Fitted.
        y : array-like, Series or DataFrame, optional
            The series to show: rows up to the cutoff are history, those after it the truth. An array starts with the
            first row of `fit` (or of ``context``). None: the rows that the forecaster remembers, or ``context``.
        context, X, X_past, static, horizon, known
            As in `LSTMForecaster.predict`.
        coverage : float, list of float or None, default=(0.5, 0.8, 0.95)
            Coverages of the intervals; None: no intervals.
        n_history : int or None, default=None
            Rows of history to show; None: five horizons, at least 48.
        series : label, optional
            The series of a panel to draw; by default the first.
        ax, **kwargs
            As in `plot`.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            As in `LSTMForecaster.predict_interval`; also if ``y`` has no rows before the forecast, or there is no such
            series.
        """
        from lstmforecast.estimators.containers import in_containers
        from lstmforecast.estimators.forecaster import known_in_advance

        X = known_in_advance(X, known)
        forecaster, y, given = in_containers(forecaster, y, X=X, X_past=X_past, context=context, static=static)
        context = given.get("context")
        forecast = forecaster.predict(horizon, **given)
        interval = None if coverage is None else forecaster.predict_interval(coverage, horizon, **given)
        known = forecaster.context_ if context is None else context
        start = forecaster.cutoff_ + 1 - len(known) if is_array(known) and context is None else 0
        before = as_frame(known, start=start, series=series)
        cutoff, truth = before.index[-1], None
        future = as_frame(forecast, start=cutoff + 1 if is_array(known) else 0, series=series)
        if y is not None:
            shown = as_frame(y, series=series)
            shown = shown[list(future.columns)] if set(future.columns) <= set(shown.columns) else shown
            before, truth = shown[shown.index <= cutoff], shown[shown.index > cutoff]
            truth = truth[truth.index <= future.index[-1]]
            if not len(before):
                raise ValueError(f"expected y with rows up to {cutoff}, after which the forecast begins, got none")
        n_shown = max(5 * len(future), LEAST_HISTORY) if n_history is None else n_history
        return cls.from_predictions(
            before.iloc[-n_shown:],
            future,
            truth=truth if truth is not None and len(truth) else None,
            interval=interval,
            series=series,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        history: Any,
        forecast: Any,
        *,
        truth: Any = None,
        interval: pd.DataFrame | None = None,
        quantiles: pd.DataFrame | None = None,
        series: Hashable = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw a forecast of any model.

        Parameters
        ----------
        history : array-like, Series or DataFrame of shape (n,) or (n, k)
            The series before the forecast; pass only the rows to be shown.
        forecast : the same kind, of shape (horizon,) or (horizon, k)
            Arrays start at the step after the history.
        truth : the same kind, optional
            Actual values after the history.
        interval : DataFrame, optional
            As `LSTMForecaster.predict_interval` returns it: a band for each coverage.
        quantiles : DataFrame, optional
            As `LSTMForecaster.predict_quantiles` returns it, in place of ``interval``: a band for each pair of levels.
        series : label, optional
            The series of a panel to draw; by default the first.
        ax, **kwargs
            As in `plot`.

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError, ValueError
            If they have different numbers of columns or kinds of index, or intervals and forecast different steps.
        """
        past = as_frame(history, series=series)
        start = int(past.index[-1]) + 1 if is_array(forecast) and pd.api.types.is_integer_dtype(past.index) else 0
        future = as_frame(forecast, start=start, series=series)
        known = None if truth is None else as_frame(truth, start=start, series=series)
        check_alike(past, future, "forecast")
        if known is not None:
            check_alike(past, known, "truth")
        if interval is not None and quantiles is not None:
            raise ValueError("expected interval or quantiles, got both")
        bands = interval if quantiles is None else intervals_of(quantiles)
        if isinstance(bands, pd.DataFrame):
            bands = as_frame(bands, series=series)
        if bands is not None:
            check_interval(bands, len(future), future.shape[1])
        display = cls(past, future, truth=known, interval=bands)
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, together: bool = False, **kwargs: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or several, optional
            Axes to draw on: one for each variable, or one for all. None: a new figure with a panel for each variable.
        together : bool, default=False
            Whether all variables are drawn on the same axes, each in its own colour, as on a single ``ax``.
        **kwargs
            Style of the line of the forecast, as in `matplotlib.axes.Axes.plot`.

        Returns
        -------
        ForecastDisplay
            Itself.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If several axes are given, but not one for each variable.
        """
        k = self.history.shape[1]
        self.history_lines_: list[Any] = []
        self.forecast_lines_: list[Any] = []
        self.truth_lines_: list[Any] = []
        self.bands_: list[Any] = []
        together = together or (ax is not None and np.size(ax) == 1)
        axes = self._panels(1 if together else k, ax)
        in_columns = ax is None and len(axes) > MOST_ROWS
        for i in range(k):
            panel = axes[0 if together else i]
            if together and k > 1:
                self._draw_among_others(panel, i, **kwargs)
            else:
                self._draw_alone(panel, i, **kwargs)
        for panel in axes:
            # a thin line at the last row of the history
            panel.axvline(self.history.index[-1], color=INK, linewidth=0.8, alpha=0.5, zorder=0)
            finish(panel, self.history.index, legend=panel is axes[0] and not in_columns, narrow=in_columns)
        if in_columns:
            place_legend(axes[0], above=axes[0].figure)
        self._keep(axes)
        return self

    def _panels(self, n: int, ax: Any) -> NDArray[np.object_]:
        """The given axes, or those of a new figure: below each other, many in two columns."""
        if ax is not None or n <= MOST_ROWS:
            return axes_for(ax, n, height=3.2 if n == 1 else 0.6 + PANEL_HEIGHT * n, sharex=True)
        n_rows = -(-n // 2)
        axes = axes_for(None, n_rows, 2, height=0.6 + PANEL_HEIGHT * n_rows, sharex=True)
        if n % 2:
            axes[-1].remove()
            # the last of its column now
            axes[n - 2].xaxis.set_tick_params(labelbottom=True)
            axes[n - 2].xaxis.offsetText.set_visible(True)
        return axes[:n]

    def _draw_alone(self, ax: Axes, i: int, **kwargs: Any) -> None:
        """Draw history and truth in grey, the forecast in colour, with a legend for all."""
        past, future, truth = self._variable(i)
        style: dict[str, Any] = {"color": COLORS[0], "linewidth": 1.8, "label": "forecast", "zorder": 3} | kwargs
        self.history_lines_.append(draw_path(ax, past, color=INK, linewidth=1.1, label="history"))
        self.forecast_lines_.append(draw_path(ax, future, **style))
        if truth is not None:
            style = {"color": INK, "linewidth": 1.1, "linestyle": DASHED, "label": "truth", "zorder": 4}
            self.truth_lines_.append(draw_path(ax, truth, **style))
        for (coverage, lower, upper), share in zip(self._fan(i), (0.16, 0.32, 0.48, 0.64), strict=False):
            style = {"color": tint(COLORS[0], share), "label": f"{100 * coverage:g} % interval"}
            self.bands_.append(ax.fill_between(future.index, lower, upper, **style, linewidth=0, zorder=1))
        if isinstance(past.name, str):
            ax.set_ylabel(past.name)

    def _draw_among_others(self, ax: Axes, i: int, **kwargs: Any) -> None:
        """Draw all in one colour, with a legend for the variable only."""
        past, future, truth = self._variable(i)
        color = COLORS[i % len(COLORS)]
        self.history_lines_.append(draw_path(ax, past, color=color, linewidth=1.1, alpha=0.55))
        style: dict[str, Any] = {"color": color, "linewidth": 1.8, "label": str(past.name), "zorder": 3} | kwargs
        self.forecast_lines_.append(draw_path(ax, future, **style))
        if truth is not None:
            label = "truth" if i == self.history.shape[1] - 1 else None
            style = {"color": color, "linewidth": 1.1, "linestyle": DASHED, "label": label}
            self.truth_lines_.append(draw_path(ax, truth, **style))
        for _, lower, upper in self._fan(i):
            style = {"color": color, "alpha": 0.14, "linewidth": 0, "zorder": 1}
            self.bands_.append(ax.fill_between(future.index, lower, upper, **style))

    def _variable(self, i: int) -> tuple[pd.Series, pd.Series, pd.Series | None]:
        """History, forecast (from the last row of the history, so that the lines meet) and truth of a variable."""
        past = self.history.iloc[:, i]
        future = pd.concat([past.iloc[-1:], self.forecast.iloc[:, i]])
        return past, future, None if self.truth is None else self.truth.iloc[:, i]

    def _fan(self, i: int) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64]]]:
        """Coverage and bounds of the intervals of variable i, the widest first, from the last row of the history."""
        if self.interval is None:
            return
        bands = self.interval[self.interval.columns.get_level_values(0).unique()[i]]
        last = self.history.iloc[-1:, i].to_numpy()
        for coverage in sorted(bands.columns.get_level_values(0).unique(), reverse=True):
            lower, upper = (np.r_[last, bands[coverage, side].to_numpy(float)] for side in SIDES)
            yield float(coverage), lower, upper
