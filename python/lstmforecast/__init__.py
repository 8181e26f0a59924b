"""Forecast time series and generate text with LSTM networks: scikit-learn estimators on a core in Rust.

Modules are imported when they are first used: ``import lstmforecast`` alone loads neither torch, pandas nor
scikit-learn.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from lstmforecast import _moved as _moved

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lstmforecast import (
        ab,
        augment,
        distributed,
        indicators,
        metrics,
        plot,
        serve,
        thresholds,
        transfer,
    )
    from lstmforecast import calendar as calendar
    from lstmforecast._core import FormatError
    from lstmforecast.data.scalers import MinMaxScaler, RobustScaler, StandardScaler
    from lstmforecast.data.windowing import time_split, windows
    from lstmforecast.display import (
        AnomalyDisplay,
        BacktestDisplay,
        ComparisonDisplay,
        DriftDisplay,
        ForecastDisplay,
        HistoryDisplay,
        IntervalDisplay,
    )
    from lstmforecast.estimators.classifier import LSTMClassifier
    from lstmforecast.estimators.forecaster import LSTMForecaster
    from lstmforecast.estimators.regressor import LSTMRegressor
    from lstmforecast.estimators.text import CharLSTM
    from lstmforecast.evaluation.backtest_result import BacktestResult
    from lstmforecast.evaluation.backtesting import backtest
    from lstmforecast.evaluation.comparison import Comparison, compare
    from lstmforecast.evaluation.folds import Folds
    from lstmforecast.evaluation.quantization_cost import quantization_report
    from lstmforecast.export.saving import load
    from lstmforecast.fitting.checkpoint import Checkpoint
    from lstmforecast.monitoring.anomaly import LSTMAnomalyDetector
    from lstmforecast.monitoring.drift import DriftMonitor
    from lstmforecast.tuning.tuning import tune
    from lstmforecast.tuning.tuning_result import TuneResult as TuneResult

__all__ = [
    "AnomalyDisplay",
    "BacktestDisplay",
    "BacktestResult",
    "CharLSTM",
    "Checkpoint",
    "Comparison",
    "ComparisonDisplay",
    "DriftDisplay",
    "DriftMonitor",
    "Folds",
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
    "distributed",
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
    "BacktestResult": "evaluation.backtest_result",
    "CharLSTM": "estimators.text",
    "CharModel": "_core",  # where its pickles look for it
    "Checkpoint": "fitting.checkpoint",
    "Comparison": "evaluation.comparison",
    "ComparisonDisplay": "display",
    "DriftDisplay": "display",
    "DriftMonitor": "monitoring.drift",
    "Folds": "evaluation.folds",
    "ForecastDisplay": "display",
    "FormatError": "_core",
    "HistoryDisplay": "display",
    "IntervalDisplay": "display",
    "LSTMAnomalyDetector": "monitoring.anomaly",
    "LSTMClassifier": "estimators.classifier",
    "LSTMForecaster": "estimators.forecaster",
    "LSTMRegressor": "estimators.regressor",
    "MinMaxScaler": "data.scalers",
    "Model": "_core",  # where its pickles look for it, as those of Monitor do
    "Monitor": "_core",
    "RobustScaler": "data.scalers",
    "StandardScaler": "data.scalers",
    "TuneResult": "tuning.tuning_result",
    "backtest": "evaluation.backtesting",
    "compare": "evaluation.comparison",
    "load": "export.saving",
    "quantization_report": "evaluation.quantization_cost",
    "time_split": "data.windowing",
    "tune": "tuning.tuning",
    "windows": "data.windowing",
}
_MODULES = {
    "ab",
    "augment",
    "calendar",
    "dask",
    "distributed",
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
