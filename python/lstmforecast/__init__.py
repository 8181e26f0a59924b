"""Time-series forecasting, and texts, with LSTM networks: scikit-learn estimators over a core in Rust.

Nothing is imported before it is used: ``import lstmforecast`` alone loads neither torch nor pandas nor scikit-learn.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lstmforecast import ab, augment, indicators, metrics, plot, serve, thresholds, transfer
    from lstmforecast._core import FormatError
    from lstmforecast.anomaly import LSTMAnomalyDetector
    from lstmforecast.backtesting import backtest
    from lstmforecast.checkpoint import Checkpoint
    from lstmforecast.classifier import LSTMClassifier
    from lstmforecast.comparison import compare
    from lstmforecast.display import (
        AnomalyDisplay,
        BacktestDisplay,
        ComparisonDisplay,
        DriftDisplay,
        ForecastDisplay,
        HistoryDisplay,
        IntervalDisplay,
    )
    from lstmforecast.drift import DriftMonitor
    from lstmforecast.forecaster import LSTMForecaster
    from lstmforecast.persistence import load
    from lstmforecast.quantization_cost import quantization_report
    from lstmforecast.regressor import LSTMRegressor
    from lstmforecast.scalers import MinMaxScaler, RobustScaler, StandardScaler
    from lstmforecast.text import CharLSTM
    from lstmforecast.tuning import tune
    from lstmforecast.windowing import time_split, windows

__all__ = [
    "AnomalyDisplay",
    "BacktestDisplay",
    "CharLSTM",
    "Checkpoint",
    "ComparisonDisplay",
    "DriftDisplay",
    "DriftMonitor",
    "ForecastDisplay",
    "FormatError",
    "HistoryDisplay",
    "IntervalDisplay",
    "LSTMAnomalyDetector",
    "LSTMClassifier",
    "LSTMForecaster",
    "LSTMRegressor",
    "MinMaxScaler",
    "RobustScaler",
    "StandardScaler",
    "ab",
    "augment",
    "backtest",
    "compare",
    "indicators",
    "load",
    "metrics",
    "plot",
    "quantization_report",
    "serve",
    "thresholds",
    "time_split",
    "transfer",
    "tune",
    "windows",
]

_HOMES = {
    "AnomalyDisplay": "display",
    "BacktestDisplay": "display",
    "CharLSTM": "text",
    "CharModel": "_core",  # where its pickles look for it
    "Checkpoint": "checkpoint",
    "ComparisonDisplay": "display",
    "DriftDisplay": "display",
    "DriftMonitor": "drift",
    "ForecastDisplay": "display",
    "FormatError": "_core",
    "HistoryDisplay": "display",
    "IntervalDisplay": "display",
    "LSTMAnomalyDetector": "anomaly",
    "LSTMClassifier": "classifier",
    "LSTMForecaster": "forecaster",
    "LSTMRegressor": "regressor",
    "MinMaxScaler": "scalers",
    "Model": "_core",  # where its pickles look for it, and those of the next
    "Monitor": "_core",
    "RobustScaler": "scalers",
    "StandardScaler": "scalers",
    "backtest": "backtesting",
    "compare": "comparison",
    "load": "persistence",
    "quantization_report": "quantization_cost",
    "time_split": "windowing",
    "tune": "tuning",
    "windows": "windowing",
}
_MODULES = {
    "ab",
    "augment",
    "dask",
    "indicators",
    "metrics",
    "plot",
    "serve",
    "sktime",
    "thresholds",
    "transfer",
}

_PROCESS = os.getpid()


def __getattr__(name: str) -> Any:
    if name == "_core":
        return _import_core()
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _import_core()
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def _import_core() -> Any:
    """The extension module, which needs libtorch in the process first."""
    from lstmforecast import _libtorch

    _libtorch.load()
    core = importlib.import_module(f"{__name__}._core")
    if os.getpid() != _PROCESS:
        core.after_fork()  # torch may have computed in the parent before the core was loaded
    return core


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
