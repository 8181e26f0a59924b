"""Forecast time series and generate text with LSTM networks: scikit-learn estimators on a core in Rust.

Modules are imported when they are first used: ``import lstmforecast`` alone loads neither torch, pandas nor
scikit-learn.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lstmforecast import _load_core as _load_core
from lstmforecast import _moved as _moved

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lstmforecast import (
        ab,
        augment,
        datasets,
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
    from lstmforecast.calendar import Calendar
    from lstmforecast.data.grid import complete_grid, make_future
    from lstmforecast.data.hierarchy import aggregate
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
    from lstmforecast.evaluation.explanation import Explanation, explain
    from lstmforecast.evaluation.folds import Folds
    from lstmforecast.evaluation.lag_regressor import LagRegressor
    from lstmforecast.evaluation.permutation import permutation_importance
    from lstmforecast.evaluation.quantization_cost import quantization_report
    from lstmforecast.evaluation.reconciliation import reconcile
    from lstmforecast.export.saving import load
    from lstmforecast.fitting.architecture import CNNLSTM, LSTM, Attention, Linear, Transformer
    from lstmforecast.fitting.checkpoint import Checkpoint
    from lstmforecast.fitting.objective import Quantiles, Tweedie
    from lstmforecast.fitting.training_parameters import Adam, AdamW, Device, EarlyStopping, Plateau, Sampling
    from lstmforecast.monitoring.anomaly import LSTMAnomalyDetector
    from lstmforecast.monitoring.drift import DriftMonitor
    from lstmforecast.transfer import Pretrained
    from lstmforecast.tuning.tuning import tune
    from lstmforecast.tuning.tuning_result import TuneResult as TuneResult

__all__ = [
    "CNNLSTM",
    "LSTM",
    "Adam",
    "AdamW",
    "AnomalyDisplay",
    "Attention",
    "BacktestDisplay",
    "BacktestResult",
    "Calendar",
    "CharLSTM",
    "Checkpoint",
    "Comparison",
    "ComparisonDisplay",
    "Device",
    "DriftDisplay",
    "DriftMonitor",
    "EarlyStopping",
    "Explanation",
    "Folds",
    "ForecastDisplay",
    "FormatError",
    "HistoryDisplay",
    "IntervalDisplay",
    "LSTMAnomalyDetector",
    "LSTMClassifier",
    "LSTMForecaster",
    "LSTMRegressor",
    "LagRegressor",
    "Linear",
    "MinMaxScaler",
    "Plateau",
    "Pretrained",
    "Quantiles",
    "RobustScaler",
    "Sampling",
    "StandardScaler",
    "Transformer",
    "Tweedie",
    "ab",
    "aggregate",
    "augment",
    "backtest",
    "compare",
    "complete_grid",
    "datasets",
    "distributed",
    "explain",
    "indicators",
    "load",
    "make_future",
    "metrics",
    "permutation_importance",
    "plot",
    "quantization_report",
    "reconcile",
    "serve",
    "thresholds",
    "time_split",
    "transfer",
    "tune",
    "windows",
]

_HOMES = {
    "Adam": "fitting.training_parameters",
    "AdamW": "fitting.training_parameters",
    "AnomalyDisplay": "display",
    "Attention": "fitting.architecture",
    "BacktestDisplay": "display",
    "BacktestResult": "evaluation.backtest_result",
    "CNNLSTM": "fitting.architecture",
    "Calendar": "calendar",
    "CharLSTM": "estimators.text",
    "CharModel": "_core",  # where its pickles look for it
    "Checkpoint": "fitting.checkpoint",
    "Comparison": "evaluation.comparison",
    "ComparisonDisplay": "display",
    "Device": "fitting.training_parameters",
    "DriftDisplay": "display",
    "DriftMonitor": "monitoring.drift",
    "EarlyStopping": "fitting.training_parameters",
    "Explanation": "evaluation.explanation",
    "Folds": "evaluation.folds",
    "ForecastDisplay": "display",
    "FormatError": "_core",
    "HistoryDisplay": "display",
    "IntervalDisplay": "display",
    "LSTM": "fitting.architecture",
    "LSTMAnomalyDetector": "monitoring.anomaly",
    "LSTMClassifier": "estimators.classifier",
    "LSTMForecaster": "estimators.forecaster",
    "LSTMRegressor": "estimators.regressor",
    "LagRegressor": "evaluation.lag_regressor",
    "Linear": "fitting.architecture",
    "MinMaxScaler": "data.scalers",
    "Model": "_core",  # where its pickles look for it, as those of Monitor do
    "Monitor": "_core",
    "Plateau": "fitting.training_parameters",
    "Pretrained": "transfer",
    "Quantiles": "fitting.objective",
    "RobustScaler": "data.scalers",
    "Sampling": "fitting.training_parameters",
    "StandardScaler": "data.scalers",
    "Transformer": "fitting.architecture",
    "TuneResult": "tuning.tuning_result",
    "Tweedie": "fitting.objective",
    "aggregate": "data.hierarchy",
    "backtest": "evaluation.backtesting",
    "compare": "evaluation.comparison",
    "complete_grid": "data.grid",
    "explain": "evaluation.explanation",
    "load": "export.saving",
    "make_future": "data.grid",
    "permutation_importance": "evaluation.permutation",
    "quantization_report": "evaluation.quantization_cost",
    "reconcile": "evaluation.reconciliation",
    "time_split": "data.windowing",
    "tune": "tuning.tuning",
    "windows": "data.windowing",
}
_MODULES = {
    "_core",
    "ab",
    "augment",
    "calendar",
    "dask",
    "datasets",
    "distributed",
    "indicators",
    "metrics",
    "plot",
    "serve",
    "sktime",
    "thresholds",
    "transfer",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
