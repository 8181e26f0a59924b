"""The display of a forecast: the history, the forecast, its intervals as bands, and actual values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.display.colors import DASHED, MARKERS, check_lines, look_of, marked
from lstmforecast.display.forecast_data import Part, checked, fan_of, joined, part_of, parts_of, variable_of
from lstmforecast.display.scale import limit, mark_outside
from lstmforecast.display.series import choose, share_scales
from lstmforecast.display.style import Display, axes_for, draw_path, finish, place_legend
from lstmforecast.display.tables import first_labels, intervals_of, is_array, series_in
from lstmforecast.display.words import caption, name_of, note, say_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from typing_extensions import Self

    from lstmforecast.estimators.forecaster import LSTMForecaster

PANEL_HEIGHT = 1.9
MOST_ROWS = 4
# Bands may make the scale so many times the range of the lines.
MOST_BAND = 3.0


class ForecastDisplay(Display):
    """History, forecast and prediction intervals: a panel for each variable of a series, or for each of several series.

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
    series : label or list of label, optional
        The series that is drawn, for the title. With a list, all data have an index of (series, time).
    n_series : int, optional
        Series of the panel from which these are: the picture says how many are shown of how many.

    Attributes
    ----------
    history, forecast, truth, interval, series, n_series
        The data.
    ax_, axes_, figure_
        The first axes, all of them, and their figure, once drawn.
    history_lines_, forecast_lines_, truth_lines_ : list of matplotlib.lines.Line2D
        A line for each variable, series after series.
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
        series: Any = None,
        n_series: int | None = None,
    ) -> None:
        self.history, self.forecast, self.truth, self.interval = history, forecast, truth, interval
        self.series, self.n_series = series, n_series

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
        series: Any = None,
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
        series : label or list of label, optional
            The series of a panel to draw. None: the first four, each in its own panel; on ``ax`` the first.
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
        keys = series_in(forecast)
        chosen = choose(keys, series, ax, first_labels(keys))
        start = forecaster.cutoff_ + 1 - len(known) if is_array(known) and context is None else 0
        rows: dict[str, Any] = {"n_history": n_history, "start": start}
        parts = [part_of(known, forecast, interval, y, key, **rows) for key in chosen.keys]
        return cls(**joined(parts, chosen), n_series=chosen.total).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        history: Any,
        forecast: Any,
        *,
        truth: Any = None,
        interval: pd.DataFrame | None = None,
        quantiles: pd.DataFrame | None = None,
        series: Any = None,
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
        series : label or list of label, optional
            The series of a panel to draw. None: the first four, each in its own panel; on ``ax`` the first.
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
        if interval is not None and quantiles is not None:
            raise ValueError("expected interval or quantiles, got both")
        bands = interval if quantiles is None else intervals_of(quantiles)
        keys = series_in(forecast)
        chosen = choose(keys, series, ax, first_labels(keys))
        parts = [checked(history, forecast, truth, bands, key) for key in chosen.keys]
        return cls(**joined(parts, chosen), n_series=chosen.total).plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, together: bool = False, **kwargs: Any) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or several, optional
            Axes to draw on: one for each variable, or one for all; of several series one for each. None: a new figure
            with such panels.
        together : bool, default=False
            Whether all variables are drawn on the same axes, each in its own colour, as on a single ``ax``, and as with
            several series.
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
            If several axes are given, but not one for each panel; for more than 12 variables on the same axes.
        """
        k, parts = self.history.shape[1], parts_of(self.series, self.history, self.forecast, self.truth, self.interval)
        self.history_lines_: list[Any] = []
        self.forecast_lines_: list[Any] = []
        self.truth_lines_: list[Any] = []
        self.bands_: list[Any] = []
        together = k > 1 and (together or len(parts) > 1 or (ax is not None and np.size(ax) == 1))
        if together:
            check_lines(
                k, "variables", "draw fewer, or use ForecastDisplay without ax= and together=, with a panel for each"
            )
        if self.interval is not None:
            n = self.interval.columns.get_level_values(1).nunique()
            check_lines(n, "coverages", "pass fewer, such as coverage=[0.5, 0.8, 0.95]")
        axes = self._panels(len(parts) if together or k == 1 else k, ax)
        in_columns = ax is None and len(axes) > MOST_ROWS
        # panels of one series have its variables, or there is a panel for each series
        for i, panel in enumerate(axes):
            key, part = list(parts.items())[i if len(parts) > 1 else 0]
            variables = range(k) if together else [i if len(parts) == 1 else 0]
            self._draw(panel, part, variables, **kwargs)
            if key is not None and (i == 0 or len(parts) > 1):
                caption(panel, f"series {key}")
            finish(panel, part.history.index, legend=panel is axes[0] and not in_columns)
        if in_columns:
            place_legend(axes[0], above=axes[0].figure)
        self._say_what_is_shown(axes, len(parts))
        self._keep(axes)
        return self

    def _say_what_is_shown(self, axes: NDArray[np.object_], n_shown: int) -> None:
        words = []
        if self.n_series is not None and n_shown < self.n_series:
            words.append(f"{n_shown} of {self.n_series:,} series")
        if n_shown > 1 and not share_scales(list(axes)):
            words.append("each on its own scale")
        if words:
            note(axes[-1], ", ".join(words))

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

    def _draw(self, ax: Axes, part: Part, variables: Sequence[int], **kwargs: Any) -> None:
        """Draw variables of one series on some axes."""
        bands: list[tuple[Any, Any, Any]] = []
        for i in variables:
            draw = self._draw_among_others if len(variables) > 1 else self._draw_alone
            bands += draw(ax, part, i, **kwargs)
        # a thin line at the last row of the history
        ax.axvline(part.history.index[-1], color=look_of(ax).ink, linewidth=0.6, zorder=0)
        tables = {"history": part.history, "forecast": part.forecast, "truth": part.truth}
        shown = {
            name: table.iloc[:, list(variables)].to_numpy(float) for name, table in tables.items() if table is not None
        }
        none = [name for name, values in shown.items() if not np.isfinite(values).any()]
        say_missing(ax, none, whole=len(none) == len(shown))
        _limit(ax, np.concatenate([values.ravel() for values in shown.values()]), bands)

    def _draw_alone(self, ax: Axes, part: Part, i: int, **kwargs: Any) -> list[tuple[Any, Any, Any]]:
        """Draw history and truth in grey, the forecast in colour, with a legend for all; return the bounds."""
        look = look_of(ax)
        past, future, truth = variable_of(part, i)
        blue = look.colors[0]
        style: dict[str, Any] = {"color": blue, "linewidth": 1.8, "label": "forecast", "zorder": 3} | kwargs
        self.history_lines_.append(draw_path(ax, past, color=look.ink, linewidth=1.1, label="history"))
        self.forecast_lines_.append(draw_path(ax, future, **style))
        if truth is not None:
            style = {"color": look.ink, "linewidth": 1.1, "linestyle": DASHED, "label": "truth", "zorder": 4}
            self.truth_lines_.append(draw_path(ax, truth, **style))
        fan = list(fan_of(part, i))
        for (coverage, lower, upper), share in zip(fan, _shares(len(fan)), strict=True):
            style = {"color": look.tint(blue, share), "label": f"{100 * coverage:g} % interval"}
            self.bands_.append(ax.fill_between(future.index, lower, upper, **style, linewidth=0, zorder=1))
        ax.set_ylabel(past.name if isinstance(past.name, str) else "")
        return [(future.index, bound, blue) for _, *bounds in fan for bound in bounds]

    def _draw_among_others(self, ax: Axes, part: Part, i: int, **kwargs: Any) -> list[tuple[Any, Any, Any]]:
        """Draw all in one colour and with one mark, with a legend for the variable only; return the bounds."""
        look = look_of(ax)
        past, future, truth = variable_of(part, i)
        color = look.colors[i % len(look.colors)]
        same: dict[str, Any] = {"color": color} | marked(MARKERS[i])
        self.history_lines_.append(draw_path(ax, past, **same, linewidth=0.9))
        style: dict[str, Any] = same | {"linewidth": 1.8, "label": name_of(past.name), "zorder": 3} | kwargs
        self.forecast_lines_.append(draw_path(ax, future, **style))
        if truth is not None:
            label = "truth" if i == part.history.shape[1] - 1 else None
            style = {"color": color, "linewidth": 1.1, "linestyle": DASHED, "label": label}
            self.truth_lines_.append(draw_path(ax, truth, **style))
        fan = list(fan_of(part, i))
        for _, lower, upper in fan:
            style = {"color": color, "alpha": look.veil, "linewidth": 0, "zorder": 1}
            self.bands_.append(ax.fill_between(future.index, lower, upper, **style))
        return [(future.index, bound, color) for _, *bounds in fan for bound in bounds]


def _shares(n: int) -> list[float]:
    """How strong the colours of n bands are, the widest first."""
    return [0.16 * (i + 1) for i in range(n)] if n <= MOST_ROWS else list(np.linspace(0.1, 0.7, n))


def _limit(ax: Axes, values: NDArray[np.float64], bounds: list[tuple[Any, Any, Any]]) -> None:
    """Keep all lines in sight; bands only as far as they don't flatten the lines, with a word on the rest."""
    values = values[np.isfinite(values)]
    reached = [bound[~np.isnan(bound)] for _, bound, _ in bounds]
    if not len(values) or not sum(map(len, reached)):
        return
    low, high = float(values.min()), float(values.max())
    reach = MOST_BAND * ((high - low) or abs(high) or 1.0)
    lowest, highest = (float(edge([edge(each) for each in reached if len(each)])) for edge in (np.min, np.max))
    if lowest < low - reach or highest > high + reach:
        limit(ax, max(lowest, low - reach), min(highest, high + reach))
        mark_outside(ax, bounds, look_of(ax).ink)
