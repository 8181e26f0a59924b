"""Pictures of forecasts, training and backtests, drawn with matplotlib on axes of yours or on new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.calibration import SIDES

if TYPE_CHECKING:
    from collections.abc import Hashable

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from lstmforecast.anomaly_plot import anomalies
    from lstmforecast.backtest_result import BacktestResult
    from lstmforecast.monitor_plot import comparison, drift
    from lstmforecast.tuning_plot import importance, trials

__all__ = ["anomalies", "backtest", "comparison", "drift", "forecast", "history", "importance", "trials"]

# Okabe and Ito's palette: told apart with any colour vision, and in grey print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#4d4d4d"
SHOWN_WINDOWS = 7


def forecast(
    history: ArrayLike | pd.Series | pd.DataFrame,
    forecast: ArrayLike | pd.Series | pd.DataFrame,
    truth: ArrayLike | pd.Series | pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    interval: pd.DataFrame | None = None,
) -> Axes:
    """Draw the end of a series, the forecast that continues it and, where it is known, what came true.

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
    ax = new_axes(ax)
    past = _columns(history)
    future = _columns(forecast, start=len(past))
    known = None if truth is None else _columns(truth, start=len(past))
    _check_alike(past, future, "forecast")
    if known is not None:
        _check_alike(past, known, "truth")
    for i in range(past.shape[1]):
        if interval is not None:
            _draw_bands(ax, future.index, interval, i, COLORS[i % len(COLORS)])
        _draw_column(
            ax, past.iloc[:, i], future.iloc[:, i], None if known is None else known.iloc[:, i], i, past.shape[1]
        )
    # A hairline where knowledge ends.
    ax.axvline(past.index[-1], color=INK, linewidth=0.8, alpha=0.5, zorder=0)
    if past.shape[1] == 1 and isinstance(past.columns[0], str):
        ax.set_ylabel(past.columns[0])
    return finish(ax, past.index, outside=past.shape[1] > 1)


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
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator, ["history_", "best_epoch_"])
    ax = new_axes(ax)
    from matplotlib.ticker import MaxNLocator

    records = estimator.history_
    judged = "val_loss" if records["val_loss"].notna().any() else "train_loss"
    curves = (("train_loss", "training", INK), ("val_loss", "validation", COLORS[0]))
    for column, label, color in curves:
        if records[column].notna().any():
            ax.plot(records["epoch"], records[column], color=color, linewidth=1.6, label=label)
    _mark_best(ax, estimator.best_epoch_, records.loc[records["epoch"] == estimator.best_epoch_, judged])
    losses = records[["train_loss", "val_loss"]]
    # Within a decade a logarithmic axis has no round numbers to label.
    if losses.min(axis=None) > 0 and losses.max(axis=None) > 10 * losses.min(axis=None):
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss (scaled units)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return finish(ax)


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
    windows = _last_windows(result, variable, series)
    ax = new_axes(ax)
    truth = pd.concat(windows)["truth"]
    _draw_path(ax, truth, color=INK, linewidth=1.1, label="truth")
    for i, window in enumerate(windows):
        _draw_path(ax, window["forecast"], color=COLORS[0], linewidth=2.0, label=None if i else "forecast")
        ax.plot(window.index[:1], window["forecast"].iloc[:1], "o", color=COLORS[0], markersize=4)
    name = str(windows[0]["variable"].iloc[0])
    ax.set_ylabel(name if isinstance(windows[0]["variable"].iloc[0], str) else f"variable {name}")
    if "series" in windows[0]:
        ax.set_title(f"series {windows[0]['series'].iloc[0]}", fontsize="medium", loc="left")
    return finish(ax, truth.index)


def __getattr__(name: str) -> Any:
    """Those that have files of their own."""
    if name == "anomalies":
        from lstmforecast.anomaly_plot import anomalies

        return anomalies
    if name in ("comparison", "drift"):
        from lstmforecast import monitor_plot

        return getattr(monitor_plot, name)
    if name in ("importance", "trials"):
        from lstmforecast import tuning_plot

        return getattr(tuning_plot, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def check_matplotlib() -> None:
    """Raise an ImportError that says how to install matplotlib, if it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "lstmforecast[plot]"') from error


def new_axes(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure of a paper column's width and a half."""
    if ax is not None:
        return ax
    check_matplotlib()
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=(7.0, 3.2), layout="constrained")
    return new


def _columns(values: Any, start: int = 0) -> pd.DataFrame:
    """One column for each target; an array's steps are counted from ``start``, periods become times."""
    if isinstance(values, pd.Series):
        frame = values.to_frame()
    elif isinstance(values, pd.DataFrame):
        frame = values.copy(deep=False)
    else:
        array = np.asarray(values, dtype=float)
        table = array.reshape(len(array), -1)
        frame = pd.DataFrame(table, index=pd.RangeIndex(start, start + len(table)))
    if isinstance(frame.index, pd.PeriodIndex):
        frame.index = frame.index.to_timestamp()
    return frame


def _check_alike(past: pd.DataFrame, other: pd.DataFrame, name: str) -> None:
    if other.shape[1] != past.shape[1]:
        raise ValueError(f"expected {name} with {past.shape[1]} columns, as history has, got {other.shape[1]}")
    if isinstance(other.index, pd.DatetimeIndex) != isinstance(past.index, pd.DatetimeIndex):
        kinds = [type(frame.index).__name__ for frame in (past, other)]
        raise ValueError(f"expected {name} with an index like that of history ({kinds[0]}), got {kinds[1]}")


def _draw_column(ax: Axes, past: pd.Series, future: pd.Series, truth: pd.Series | None, i: int, of: int) -> None:
    """One target: grey and blue if it is alone, else all in its own colour, named in the legend once."""
    color = COLORS[i % len(COLORS)]
    alone = of == 1
    known: dict[str, Any] = {"color": INK if alone else color, "linewidth": 1.1}
    _draw_path(ax, past, **known, alpha=1.0 if alone else 0.55, label="history" if alone else None)
    joined = pd.concat([past.iloc[-1:], future])
    _draw_path(ax, joined, color=color, linewidth=2.0, label="forecast" if alone else str(past.name))
    if truth is not None:
        label = "truth" if i == of - 1 else None
        _draw_path(ax, truth, **known, linestyle=(0, (2, 1.2)), label=label)


def _draw_bands(ax: Axes, index: pd.Index, interval: pd.DataFrame, i: int, color: str) -> None:
    """The i-th variable's intervals; named in the legend where there is one variable."""
    if not isinstance(interval, pd.DataFrame) or not set(SIDES) <= set(interval.columns.get_level_values(-1)):
        raise TypeError(f"expected interval as predict_interval returns it, got {type(interval).__name__}")
    variables = interval.columns.get_level_values(0).unique()
    if len(interval) != len(index) or i >= len(variables):
        expected = f"({len(index)}, ...) with {i + 1} variables or more"
        raise ValueError(f"expected an interval of shape {expected}, got {interval.shape} with {len(variables)}")
    bands = interval[variables[i]]
    coverages = sorted(bands.columns.get_level_values(0).unique(), reverse=True)
    for place, coverage in enumerate(coverages):
        lower, upper = (bands[coverage, side].to_numpy(float) for side in SIDES)
        label = f"{100 * coverage:g} % interval" if len(variables) == 1 else None
        ax.fill_between(index, lower, upper, color=color, alpha=0.14 + 0.08 * place, linewidth=0, label=label, zorder=1)


def _last_windows(result: BacktestResult, variable: Hashable, series: Hashable) -> list[pd.DataFrame]:
    """The last windows of one series that don't overlap, in time order, with the rows of one variable."""
    _, horizon, width = result.values.shape
    starts: list[int] = []
    for i in np.flatnonzero(result.which == _series_number(result, series))[::-1].tolist():
        if len(starts) < SHOWN_WINDOWS and (not starts or result.origins[starts[-1]] - result.origins[i] >= horizon):
            starts.append(i)
    names = list(result.forecasts["variable"].iloc[:width])
    if variable is not None and variable not in names:
        raise ValueError(f"expected variable to be one of {names}, got {variable!r}")
    first = 0 if variable is None else names.index(variable)
    size = horizon * width
    blocks = [result.forecasts.iloc[i * size + first : (i + 1) * size : width] for i in reversed(starts)]
    return [_columns(block.set_index("time")) for block in blocks]


def _series_number(result: BacktestResult, series: Hashable) -> int:
    if series is None:
        return int(result.which[0])
    keys = list(result.observations.series_keys) if result.observations.is_panel else []
    number = keys.index(series) if series in keys else -1
    if number not in result.which:
        raise ValueError(f"expected series to be one of those that were forecast, got {series!r}")
    return number


def _draw_path(ax: Axes, path: pd.Series, **style: Any) -> None:
    values: NDArray[np.float64] = path.to_numpy(dtype=float, na_value=np.nan)
    ax.plot(path.index, values, **style)


def _mark_best(ax: Axes, epoch: int, loss: pd.Series) -> None:
    ax.axvline(epoch, color=COLORS[1], linewidth=0.8, linestyle="--", zorder=0)
    ax.plot([epoch], loss.to_numpy(), "o", color=COLORS[1], markersize=6, label=f"best epoch {epoch}")


def finish(ax: Axes, index: pd.Index | None = None, outside: bool = False) -> Axes:
    """The look that all pictures share: open frame, faint grid, plain legend, short dates."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.margins(x=0.01)
    if isinstance(index, pd.DatetimeIndex):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator()
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=index.tz))
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if outside else {"loc": "best"}
    ax.legend(frameon=False, fontsize="small", **place)
    return ax
