"""Fit every kind of estimator, and digest its forecasts and its file bit by bit."""

import hashlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.fuzz.kinds import KINDS, outputs

from lstmforecast import (
    DriftMonitor,
    Folds,
    LSTMForecaster,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
    _core,
    backtest,
    tune,
)

_FAST: dict[str, Any] = {"max_epochs": 2, "n_threads": 1, "random_state": 0}


def digest(*parts: Any) -> str:
    """Of arrays, frames, texts and bytes."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, pd.DataFrame | pd.Series):
            part = part.to_csv(float_format="%.17g")
        if not isinstance(part, str | bytes):
            part = np.ascontiguousarray(part)
            total.update(f"{part.dtype} {part.shape}".encode())
            part = part.tobytes()
        total.update(part.encode() if isinstance(part, str) else part)
    return total.hexdigest()[:16]


def _days(n: int = 200) -> pd.Series:
    rows = np.arange(n)
    values = 50 + 9 * np.sin(rows * 2 * np.pi / 7) + 3 * np.cos(rows / 11) + np.sin(rows**1.5)
    return pd.Series(values, pd.date_range("2024-01-01", periods=n, freq="D"), name="sold")


def _backtests() -> Iterator[tuple[str, Any]]:
    model = LSTMForecaster(4, window_size=14, hidden_size=8, **_FAST)
    result = backtest(model, _days(), folds=Folds(refit=20), coverage=0.8)
    yield "scores", result.scores
    yield "forecasts", result.forecasts


def _samples() -> Iterator[tuple[str, Any]]:
    model = LSTMForecaster(4, loss="student_t", **_FAST).fit(_days())
    yield "sizes", np.array([model.window_size_, model.n_epochs_])
    yield "samples", model.predict_samples(n_samples=20, random_state=1)
    yield "quantiles", model.predict_quantiles([0.1, 0.5])
    yield "updated", model.update(_days(220)[200:]).predict()


def _tuned() -> Iterator[tuple[str, Any]]:
    space = {"hidden_size": [4, 8], "learning_rate": ("log", 1e-3, 1e-1)}
    found = tune(LSTMForecaster(3, window_size=14, **_FAST), _days(), space=space, n_trials=3, random_state=0)
    yield "scores", found.scores_
    yield "parameters", repr(sorted(found.best_params_.items()))
    yield "forecast", found.best_estimator_.predict()


def _drift() -> Iterator[tuple[str, Any]]:
    rows = np.sin(np.arange(600.0)[:, np.newaxis] / [3, 5])
    monitor = DriftMonitor().fit(rows[:400])
    yield "state", monitor.update(rows[400:] + 0.5)
    yield "report", monitor.report()


def _scaled() -> Iterator[tuple[str, Any]]:
    rows = np.random.default_rng(0).normal(5, 3, (50, 3))
    for scaler in (MinMaxScaler(), RobustScaler(), StandardScaler()):
        yield type(scaler).__name__, scaler.fit_transform(rows)


_OTHERS: dict[str, Callable[[], Iterator[tuple[str, Any]]]] = {
    "backtest": _backtests,
    "samples": _samples,
    "tune": _tuned,
    "drift": _drift,
    "scalers": _scaled,
}


def of_kind(name: str) -> dict[str, str]:
    """Of one kind: of each output, of the tensors of its file and of the words of its header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in _OTHERS:
            return {part: digest(value) for part, value in _OTHERS[name]()}
        model = KINDS[name]()
        found = {part: digest(value) for part, value in outputs(model).items()}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            KINDS[name]().save(path)
            tensors, words = _core.read_file(path)
    # how long a fit took is another number each time
    arrays = [part for key in sorted(tensors) if "seconds" not in key for part in (key, tensors[key])]
    told = [f"{key}={words[key]}" for key in sorted(words) if key != "checksum"]
    return found | {"tensors": digest(*arrays), "header": digest(*told)}


NAMES = [*KINDS, *_OTHERS]
