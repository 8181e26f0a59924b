"""Returns, volatility and technical indicators of prices.

Functions take *bars*: a frame with the columns open, high, low, close and volume, in upper or lower case, and rows in
time order. Each function reads the columns that it names and ignores others. In a panel, with a MultiIndex (series,
time), each series is computed separately. Results have the index of the bars, and the windows are in the names of their
columns.

A value depends on its own bar and earlier bars only. It is NaN where there are too few bars (the warm-up) and in rows
with a missing value, which are skipped. Covariates of a forecaster must have values in all rows, so drop the warm-up in
both tables:

    past = indicators.table(bars, {"rsi": 14, "volatility": 20}).dropna()
    model.fit(bars["Close"].loc[past.index], X_past=past)

Prices should be adjusted for splits and dividends, which otherwise look like sudden losses.

SMA, EMA, RSI, MACD, Bollinger bands, ATR and OBV are computed by TA-Lib, the usual library since 2001
(``pip install 'lstmforecast[finance]'``). As there, exponential means begin with the plain mean of the first window.
"""

from __future__ import annotations

import importlib
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast.contract.rules import Number
from lstmforecast.data.bars import Array, by_series

__all__ = [
    "atr",
    "bollinger",
    "ema",
    "log_returns",
    "macd",
    "obv",
    "returns",
    "rsi",
    "sma",
    "table",
    "volatility",
    "vwap",
]


def __dir__() -> list[str]:
    return __all__


def returns(bars: pd.DataFrame | pd.Series, periods: int = 1) -> pd.Series:
    """Relative change of the close: ``close[t] / close[t - periods] - 1``.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    periods : int, default=1
        The number of bars between the two prices.

    Returns
    -------
    Series of shape (n,)
        ``returns_1``; the first ``periods`` bars are NaN.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, duplicated or not numeric, times are not ascending, or a parameter is out of range.

    Examples
    --------
    >>> prices = pd.Series([10.0, 11.0, 9.9])
    >>> returns(prices).round(3).tolist()
    [nan, 0.1, -0.1]
    """
    periods = _require("periods", periods)
    return _one(bars, ["close"], f"returns_{periods}", lambda close: _lagged_ratio(close, periods) - 1)


def log_returns(bars: pd.DataFrame | pd.Series, periods: int = 1) -> pd.Series:
    """Logarithmic returns, which add up over time: ``log(close[t] / close[t - periods])``.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    periods : int, default=1
        The number of bars between the two prices.

    Returns
    -------
    Series of shape (n,)
        ``log_returns_1``; the first ``periods`` bars are NaN.

    Raises
    ------
    TypeError, ValueError
        As for `returns`, and if a price is not above zero.

    Examples
    --------
    >>> log_returns(pd.Series([10.0, 11.0, 9.9])).round(3).tolist()
    [nan, 0.095, -0.105]
    """
    periods = _require("periods", periods)
    return _one(bars, ["close"], f"log_returns_{periods}", lambda close: _log_returns(close, periods))


def volatility(bars: pd.DataFrame | pd.Series, window: int = 20) -> pd.Series:
    """Standard deviation of the last ``window`` log returns of the close, with ``window - 1`` as denominator.

    It is that of one bar; for a year of daily bars, multiply by the square root of 252.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    window : int, default=20
        The number of returns, at least 2.

    Returns
    -------
    Series of shape (n,)
        ``volatility_20``; the first ``window`` bars are NaN.

    Raises
    ------
    TypeError, ValueError
        As for `returns`, and if a price is not above zero.

    Examples
    --------
    >>> volatility(pd.Series([100.0, 101.0, 99.0, 102.0]), 2).round(4).tolist()
    [nan, nan, 0.0212, 0.0352]
    """
    window = _require("window", window, 2)

    def of(close: Array) -> Array:
        return pd.Series(_log_returns(close, 1)).rolling(window).std().to_numpy()

    return _one(bars, ["close"], f"volatility_{window}", of)


def sma(bars: pd.DataFrame | pd.Series, window: int = 20) -> pd.Series:
    """Simple moving average: the mean of the last ``window`` closes.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    window : int, default=20
        The number of bars, at least 2.

    Returns
    -------
    Series of shape (n,)
        ``sma_20``, in the unit of the prices; the first ``window - 1`` bars are NaN.

    Raises
    ------
    TypeError, ValueError
        As for `returns`.
    ImportError
        If TA-Lib is missing.

    Examples
    --------
    >>> sma(pd.Series([1.0, 2.0, 6.0]), 2).tolist()
    [nan, 1.5, 4.0]
    """
    window = _require("window", window, 2)
    return _one(bars, ["close"], f"sma_{window}", lambda close: _talib().SMA(close, window))


def ema(bars: pd.DataFrame | pd.Series, window: int = 20) -> pd.Series:
    """Exponential moving average of the close with the factor ``2 / (window + 1)``.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    window : int, default=20
        The number of bars, at least 2.

    Returns
    -------
    Series of shape (n,)
        ``ema_20``, in the unit of the prices. The first ``window - 1`` bars are NaN; the first value is the mean of the
        closes up to there.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for `sma`.

    Examples
    --------
    >>> ema(pd.Series([1.0, 2.0, 6.0]), 2).tolist()
    [nan, 1.5, 4.5]
    """
    window = _require("window", window, 2)
    return _one(bars, ["close"], f"ema_{window}", lambda close: _talib().EMA(close, window))


def rsi(bars: pd.DataFrame | pd.Series, window: int = 14) -> pd.Series:
    """Relative strength index (Wilder 1978): 100 times the mean rise of the close, divided by the mean absolute change.

    The first means are plain means of ``window`` changes, then a new change has the weight ``1 / window``. The index is
    0 if the close never changed.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    window : int, default=14
        The number of changes, at least 2.

    Returns
    -------
    Series of shape (n,)
        ``rsi_14``, from 0 to 100; the first ``window`` bars are NaN.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for `sma`.

    Examples
    --------
    >>> rsi(pd.Series([10.0, 11.0, 10.5, 11.5]), 2).round(1).tolist()
    [nan, nan, 66.7, 85.7]
    """
    window = _require("window", window, 2)
    return _one(bars, ["close"], f"rsi_{window}", lambda close: _talib().RSI(close, window))


def macd(bars: pd.DataFrame | pd.Series, fast: int = 12, slow: int = 26, signal: int = 9) -> pd.DataFrame:
    """Moving average convergence/divergence (Appel 1979): a fast `ema` minus a slow one, and its own `ema`.

    Both averages begin at bar ``slow - 1`` with the mean of the last ``fast`` or ``slow`` closes.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    fast, slow, signal : int, default=12, 26, 9
        The windows in bars, at least 2; ``slow`` is larger than ``fast``.

    Returns
    -------
    DataFrame of shape (n, 3)
        ``macd_12_26_9``, ``macd_signal_12_26_9`` and the difference of the two, ``macd_histogram_12_26_9``, in the unit
        of the prices; the first ``slow + signal - 2`` bars are NaN.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for `sma`.

    Examples
    --------
    >>> found = macd(pd.Series(np.arange(1.0, 51.0)))
    >>> list(found)
    ['macd_12_26_9', 'macd_signal_12_26_9', 'macd_histogram_12_26_9']
    >>> found.iloc[-1].round(2).tolist()  # a straight line: the fast average is 7 bars nearer to it
    [7.0, 7.0, 0.0]
    """
    fast, slow, signal = _require("fast", fast, 2), _require("slow", slow, 2), _require("signal", signal, 2)
    if slow <= fast:
        raise ValueError(f"expected slow to be above fast={fast}, got {slow}")
    names = [f"{name}_{fast}_{slow}_{signal}" for name in ("macd", "macd_signal", "macd_histogram")]
    return by_series(bars, ["close"], names, lambda close: _talib().MACD(close, fast, slow, signal))


def bollinger(bars: pd.DataFrame | pd.Series, window: int = 20, deviations: float = 2) -> pd.DataFrame:
    """Bollinger bands (Bollinger 2001): `sma`, and ``deviations`` standard deviations above and below it.

    The standard deviation is that of the last ``window`` closes, with ``window`` as denominator.

    Parameters
    ----------
    bars : DataFrame with a column close, or Series of prices, of n rows
    window : int, default=20
        The number of bars, at least 2.
    deviations : float, default=2
        The number of standard deviations from the middle to a band, above 0.

    Returns
    -------
    DataFrame of shape (n, 3)
        ``bollinger_lower_20_2``, ``bollinger_middle_20_2`` and ``bollinger_upper_20_2``, in the unit of the prices; the
        first ``window - 1`` bars are NaN.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for `sma`.

    Examples
    --------
    >>> bollinger(pd.Series([1.0, 2.0, 3.0]), 3).iloc[-1].round(3).tolist()
    [0.367, 2.0, 3.633]
    """
    window = _require("window", window, 2)
    deviations = Number(numbers.Real, 0, low_included=False).check("deviations", deviations)
    names = [f"bollinger_{name}_{window}_{deviations:g}" for name in ("lower", "middle", "upper")]

    def of(close: Array) -> tuple[Array, ...]:
        upper, middle, lower = _talib().BBANDS(close, window, float(deviations), float(deviations))
        return lower, middle, upper

    return by_series(bars, ["close"], names, of)


def atr(bars: pd.DataFrame, window: int = 14) -> pd.Series:
    """Average true range (Wilder 1978): the mean range of prices in a bar, including the change since the last close.

    The true range is the largest of ``high - low``, ``|high - last close|`` and ``|low - last close|``. The first
    average is the plain mean of ``window`` ranges, then a new range has the weight ``1 / window``.

    Parameters
    ----------
    bars : DataFrame with columns high, low and close, of n rows
    window : int, default=14
        The number of ranges, at least 2.

    Returns
    -------
    Series of shape (n,)
        ``atr_14``, in the unit of the prices; the first ``window`` bars are NaN.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for `sma`.

    Examples
    --------
    >>> bars = pd.DataFrame({"high": [11.0, 12.0, 12.0], "low": [9.0, 10.0, 11.0], "close": [10.0, 12.0, 11.0]})
    >>> atr(bars, 2).tolist()
    [nan, nan, 1.5]
    """
    window = _require("window", window, 2)
    return _one(bars, ["high", "low", "close"], f"atr_{window}", lambda *prices: _talib().ATR(*prices, window))


def obv(bars: pd.DataFrame) -> pd.Series:
    """On-balance volume (Granville 1963): the volume of bars that close higher, minus that of bars that close lower.

    The sum begins with the volume of the first bar. Its changes are meaningful; its level depends on where the data
    begin.

    Parameters
    ----------
    bars : DataFrame with columns close and volume, of n rows

    Returns
    -------
    Series of shape (n,)
        ``obv``, in the unit of the volume.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for `sma`.

    Examples
    --------
    >>> obv(pd.DataFrame({"close": [10.0, 11.0, 10.0], "volume": [5.0, 3.0, 4.0]})).tolist()
    [5.0, 8.0, 4.0]
    """
    return _one(bars, ["close", "volume"], "obv", lambda close, volume: _talib().OBV(close, volume))


def vwap(bars: pd.DataFrame, window: int = 20) -> pd.Series:
    """Volume-weighted average price of the last ``window`` bars, each at its typical price (high + low + close) / 3.

    Traders compute it from the opening of a session. Daily bars have no session, so a rolling window is used here.

    Parameters
    ----------
    bars : DataFrame with columns high, low, close and volume, of n rows
    window : int, default=20
        The number of bars, at least 1.

    Returns
    -------
    Series of shape (n,)
        ``vwap_20``, in the unit of the prices; NaN in the first ``window - 1`` bars and where the volume is 0.

    Raises
    ------
    TypeError, ValueError
        As for `returns`.

    Examples
    --------
    >>> bars = pd.DataFrame({"high": [2.0, 4.0], "low": [2.0, 4.0], "close": [2.0, 4.0], "volume": [3.0, 1.0]})
    >>> vwap(bars, 2).tolist()
    [nan, 2.5]
    """
    window = _require("window", window)

    def of(high: Array, low: Array, close: Array, volume: Array) -> Array:
        paid, traded = (pd.Series(x).rolling(window).sum() for x in ((high + low + close) / 3 * volume, volume))
        return (paid / traded.where(traded > 0)).to_numpy()

    return _one(bars, ["high", "low", "close", "volume"], f"vwap_{window}", of)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (returns, log_returns, volatility, sma, ema, rsi, macd, bollinger, atr, obv, vwap)
}


def table(bars: pd.DataFrame | pd.Series, which: Mapping[str, Any] | Sequence[str] | None = None) -> pd.DataFrame:
    """Compute several indicators as one table.

    Parameters
    ----------
    bars : DataFrame of n rows with the columns of the indicators, or Series of prices
    which : dict of str to int, tuple, list or None, list of str, or None, default=None
        Names of functions of this module, each with a window, a tuple of parameters (``{"macd": (12, 26, 9)}``), a list
        of these (``{"sma": [20, 50]}``), or None for the defaults. A list of names takes their defaults; None takes all
        indicators with their defaults.

    Returns
    -------
    DataFrame of n rows
        The columns of the indicators, in the given order.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for the functions, and if a name is unknown.

    Examples
    --------
    >>> prices = pd.Series(np.arange(1.0, 101.0))
    >>> list(table(prices, {"log_returns": None, "sma": [10, 20], "bollinger": (20, 2.5)}))
    ['log_returns_1', 'sma_10', 'sma_20', 'bollinger_lower_20_2.5', 'bollinger_middle_20_2.5', 'bollinger_upper_20_2.5']
    """
    asked: Mapping[str, Any]
    if isinstance(which, Mapping):
        asked = which
    else:
        asked = dict.fromkeys([which] if isinstance(which, str) else _FUNCTIONS if which is None else which)
    unknown = [name for name in asked if name not in _FUNCTIONS]
    if unknown:
        raise ValueError(f"expected indicators among {', '.join(_FUNCTIONS)}, got {unknown[0]!r}")
    if not asked:
        raise ValueError("expected at least one indicator, got none")
    parts: list[pd.Series | pd.DataFrame] = [
        _FUNCTIONS[name](bars, *_arguments(setting))
        for name, settings in asked.items()
        for setting in (settings if isinstance(settings, list) else [settings])
    ]
    joined: pd.DataFrame = pd.concat(parts, axis=1)
    return joined


def _arguments(setting: Any) -> tuple[Any, ...]:
    if setting is None:
        return ()
    return setting if isinstance(setting, tuple) else (setting,)


def _one(bars: Any, columns: list[str], name: str, of: Callable[..., Array]) -> pd.Series:
    return by_series(bars, columns, [name], lambda *values: (of(*values),))[name]


def _lagged_ratio(values: Array, periods: int) -> Array:
    ratio = np.full(len(values), np.nan)
    ratio[periods:] = values[periods:] / values[:-periods]
    return ratio


def _log_returns(close: Array, periods: int) -> Array:
    if (close <= 0).any():
        raise ValueError(f"expected prices above zero for log returns, got {close[close <= 0][0]:g}")
    return np.log(_lagged_ratio(close, periods))


def _require(name: str, value: Any, least: int = 1) -> int:
    # the longest window of TA-Lib
    window: int = Number(numbers.Integral, least, 100_000, high_included=True).check(name, value)
    return window


def _talib() -> Any:
    try:
        return importlib.import_module("talib")
    except ImportError as error:
        raise ImportError("this indicator needs TA-Lib: pip install 'lstmforecast[finance]'") from error
