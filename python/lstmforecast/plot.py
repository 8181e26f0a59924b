"""Short-hands for the displays: pictures on axes of yours or on new ones, which come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from lstmforecast.evaluation.backtest_result import BacktestResult
    from lstmforecast.evaluation.comparison import Comparison
    from lstmforecast.monitoring.drift import DriftMonitor
    from lstmforecast.tuning.tuning_result import TuneResult

__all__ = ["anomalies", "backtest", "comparison", "drift", "forecast", "history", "importance", "trials"]


def forecast(
    history: ArrayLike | pd.Series | pd.DataFrame,
    forecast: ArrayLike | pd.Series | pd.DataFrame,
    truth: ArrayLike | pd.Series | pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    interval: pd.DataFrame | None = None,
) -> Axes:
    """Draw the end of a series, the forecast that continues it and, where it is known, what came true.

    All variables on the same axes; `lstmforecast.ForecastDisplay` gives each a panel.

    Parameters
    ----------
    history : array-like, Series or DataFrame of shape (n,) or (n, n_targets)
        What was known; pass only as much of its end as should be seen, ``y[-120:]``.
    forecast : the same kind, of shape (horizon,) or (horizon, n_targets)
        What `LSTMForecaster.predict` returned. Arrays are drawn from the step after the history's last.
    truth : the same kind and shape, optional
        What happened after the history.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.
    interval : DataFrame, optional
        What `LSTMForecaster.predict_interval` returned: a band for each coverage, the wider the fainter.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If history, forecast and truth have different numbers of columns or kinds of index, or ``interval`` other steps
        than the forecast.

    Examples
    --------
    >>> from lstmforecast import plot
    >>> ax = plot.forecast([1, 2, 3, 4], [5, 6])
    >>> ax.get_legend_handles_labels()[1]
    ['history', 'forecast']
    """
    from lstmforecast.display.forecast import ForecastDisplay

    display = ForecastDisplay.from_predictions(history, forecast, truth=truth, interval=interval, ax=ax, together=True)
    return display.ax_


def history(estimator: Any, ax: Axes | None = None) -> Axes:
    """Draw the learning curves of a fitted estimator and mark the epoch whose weights it kept.

    Parameters
    ----------
    estimator : LSTMForecaster, LSTMRegressor or LSTMClassifier
        Fitted: its ``history_`` and ``best_epoch_`` are drawn, on a logarithmic scale if they span
        more than a decade.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ImportError
        Without matplotlib.
    sklearn.exceptions.NotFittedError
        If the estimator wasn't fitted.
    """
    from lstmforecast.display.history import HistoryDisplay

    return HistoryDisplay.from_estimator(estimator, ax=ax, learning_rate=False).ax_


def backtest(
    result: BacktestResult, ax: Axes | None = None, *, variable: Hashable = None, series: Hashable = None
) -> Axes:
    """Draw the last forecasts of a backtest, laid end to end over what came true.

    Parameters
    ----------
    result : BacktestResult
        From `lstmforecast.backtest`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.
    variable : label, optional
        Which variable of several; the first if it isn't given.
    series : label, optional
        Which series of a panel; the first that was forecast if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If there is no such variable, or no forecast of such a series.
    """
    from lstmforecast.display.backtest import BacktestDisplay

    return BacktestDisplay.from_result(result, ax=ax, variable=variable, series=series).ax_


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
    from lstmforecast.display.anomaly import AnomalyDisplay

    return AnomalyDisplay.from_predictions(trace, events, variable=variable, ax=axes).axes_


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
    from lstmforecast.display.drift import DriftDisplay

    return DriftDisplay.from_estimator(monitor, ax=ax).ax_


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
    from lstmforecast.display.comparison import ComparisonDisplay

    return ComparisonDisplay.from_result(result, ax=ax).ax_


def importance(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw which part of the differences between trials each parameter explains, by functional analysis of variance.

    Parameters
    ----------
    result : TuneResult
        From `lstmforecast.tune`, with trials of more than one value.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on: a bar for each parameter, the most important on top; all add up to 1. Trials without one of
        the parameters, such as those of linear forecasts, are left out.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If fewer than two trials that have all parameters were completed.

    References
    ----------
    Hutter et al. (2014), An efficient approach for assessing hyperparameter importance.
    """
    from lstmforecast.display.tuning import draw_importance

    return draw_importance(result, ax)


def trials(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw the score of each trial, the best so far, and the scores of the estimator as given and of naive forecasts.

    Parameters
    ----------
    result : TuneResult
        From `lstmforecast.tune`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if it isn't given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on: the number of the trial to the right. Scores above the worse naive forecast's lie at the top
        edge.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    from lstmforecast.display.tuning import draw_trials

    return draw_trials(result, ax)
