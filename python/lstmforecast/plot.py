"""Functions that draw the displays in one call, on your axes or on new ones, and return the axes."""

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
    from lstmforecast.evaluation.explanation import Explanation
    from lstmforecast.monitoring.drift import DriftMonitor
    from lstmforecast.tuning.tuning_result import TuneResult

__all__ = ["anomalies", "backtest", "comparison", "drift", "explanation", "forecast", "history", "importance", "trials"]


def __dir__() -> list[str]:
    return __all__


def forecast(
    history: ArrayLike | pd.Series | pd.DataFrame,
    forecast: ArrayLike | pd.Series | pd.DataFrame,
    truth: ArrayLike | pd.Series | pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    interval: pd.DataFrame | None = None,
    series: Any = None,
) -> Axes:
    """Draw the end of a series, its forecast and, if known, the actual values.

    All variables are drawn on the same axes; `lstmforecast.ForecastDisplay` draws a panel for each.

    Parameters
    ----------
    history : array-like, Series or DataFrame of shape (n,) or (n, n_targets)
        The series; pass only the rows to be shown, such as ``y[-120:]``.
    forecast : the same kind, of shape (horizon,) or (horizon, n_targets)
        As `LSTMForecaster.predict` returns it. Arrays start at the step after the history.
    truth : the same kind and shape, optional
        Actual values after the history.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    interval : DataFrame, optional
        As `LSTMForecaster.predict_interval` returns it: drawn as a band for each coverage.
    series : label or list of label, optional
        The series of a panel to draw. None: the first four, each on its own axes; on ``ax`` the first.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; of several series the first, ``ax.figure.axes`` are all.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If history, forecast and truth have different numbers of columns or kinds of index, or ``interval`` and forecast
        different steps; for an unknown series, and more than 12 variables.

    Examples
    --------
    >>> from lstmforecast import plot
    >>> ax = plot.forecast([1, 2, 3, 4], [5, 6])
    >>> ax.get_legend_handles_labels()[1]
    ['history', 'forecast']
    """
    from lstmforecast.display.forecast import ForecastDisplay

    options: dict[str, Any] = {"truth": truth, "interval": interval, "series": series}
    return ForecastDisplay.from_predictions(history, forecast, **options, ax=ax, together=True).ax_


def history(estimator: Any, ax: Axes | None = None) -> Axes:
    """Draw the learning curves of a fitted estimator and mark the epoch whose weights it kept.

    Parameters
    ----------
    estimator : LSTMForecaster, LSTMRegressor or LSTMClassifier
        Fitted; its ``history_`` and ``best_epoch_`` are drawn, on a logarithmic scale if losses differ by more than a
        factor of 10.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        Without matplotlib.
    sklearn.exceptions.NotFittedError
        If the estimator wasn't fitted.
    """
    from lstmforecast.display.history import HistoryDisplay

    return HistoryDisplay.from_estimator(estimator, ax=ax, learning_rate=False).ax_


def backtest(result: BacktestResult, ax: Axes | None = None, *, variable: Hashable = None, series: Any = None) -> Axes:
    """Draw the last forecasts of a backtest, end to end, over the actual values.

    Parameters
    ----------
    result : BacktestResult
        From `lstmforecast.backtest`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    variable : label, optional
        The variable to draw; by default the first.
    series : label or list of label, optional
        The series of a panel to draw. None: the first four that were forecast, each on its own axes; on ``ax`` the
        first.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; of several series the first, ``ax.figure.axes`` are all.

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
    """Draw the scores of `LSTMAnomalyDetector.trace`, with the events of `LSTMAnomalyDetector.detect`.

    Parameters
    ----------
    trace : DataFrame
        From `LSTMAnomalyDetector.trace`; pass only the rows to be shown, such as ``trace["2014-01":]``.
    events : DataFrame, optional
        From `LSTMAnomalyDetector.detect`: shaded in both panels.
    axes : two matplotlib.axes.Axes, optional
        Axes of the series and of the scores; by default those of a new figure.
    variable : label, optional
        The variable to draw; by default the first.

    Returns
    -------
    ndarray of two matplotlib.axes.Axes
        The axes: above, the series and its forecast one step ahead; below, score and threshold.

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
    """Draw the tests of a drift monitor divided by their thresholds; of each kind the largest over the features.

    Parameters
    ----------
    monitor : DriftMonitor
        Fitted. Its last 1,000 tests are drawn.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: rows since `DriftMonitor.fit` on the x-axis; above 1 is an alarm. ADWIN is 1 during its alarms.

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
    """Draw the mean loss difference after each row, and its bounds, which are valid for all rows together.

    Parameters
    ----------
    result : Comparison
        From `lstmforecast.compare`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: below zero the first model is better; a vertical line shows when the test decided.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    from lstmforecast.display.comparison import ComparisonDisplay

    return ComparisonDisplay.from_result(result, ax=ax).ax_


def importance(result: TuneResult, ax: Axes | None = None) -> Axes:
    """Draw the importance of each parameter of a search, by functional analysis of variance (fANOVA).

    Parameters
    ----------
    result : TuneResult
        From `lstmforecast.tune`, with trials of more than one value.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a bar for each parameter, its share of the variance of the scores, the largest on top; the shares add
        up to 1. Trials without one of the parameters, such as linear models, are left out.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If fewer than two completed trials have all parameters.

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
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: the number of the trial on the x-axis. Scores far above the lines are marked at the top
        edge, and the legend says how many there are.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    from lstmforecast.display.tuning import draw_trials

    return draw_trials(result, ax)


def explanation(
    explanation: Explanation, ax: Axes | None = None, *, by: str = "feature", variable: Hashable = None
) -> Axes:
    """Draw how much each feature contributes to forecasts.

    Parameters
    ----------
    explanation : Explanation
        From `LSTMForecaster.explain`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    by : {"feature", "step", "lag"}, default="feature"
        A bar for each feature, or a line for each over the steps ahead, or over the rows before the first step; lags of
        0 and less are steps ahead.
    variable : label, optional
        The target; by default the first.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, in the units of the target: the mean size of the contributions, over series, and over steps but for
        ``by="step"``.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        For another ``by``, an unknown variable, or lines of more than 12 features.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMForecaster, plot
    >>> model = LSTMForecaster(2, window_size=12, hidden_size=8, max_epochs=2, random_state=0)
    >>> ax = plot.explanation(model.fit(np.sin(np.arange(200) / 5)).explain(), by="lag")
    >>> ax.get_xlabel()
    'rows before the first step ahead'
    """
    from lstmforecast.display.explanation import draw_explanation

    return draw_explanation(explanation, ax, by=by, variable=variable)
