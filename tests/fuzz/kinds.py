"""One small fitted model of each kind that a file can hold."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast import (
    CNNLSTM,
    LSTM,
    Attention,
    CharLSTM,
    Linear,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Quantiles,
    Sampling,
    Transformer,
)
from lstmforecast.augment import jitter

_FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=2), "random_state": 0, "n_threads": 1}
_SMALL = _FAST | {"window_size": 8, "architecture": LSTM(segment_length=2)}


def _values(n: int = 60, columns: int = 1) -> np.ndarray:
    rows = np.arange(n)[:, np.newaxis] + np.arange(columns)
    return np.sin(rows / 3) + 0.1 * np.cos(7.0 * rows)


def _hours(n: int = 60) -> pd.Series:
    return pd.Series(2 + _values(n)[:, 0], pd.date_range("2024-01-01", periods=n, freq="h"), name="load")


def _panel() -> tuple[pd.DataFrame, pd.DataFrame]:
    parts = [pd.DataFrame({"unique_id": key, "ds": _hours(n).index, "y": _hours(n).to_numpy()}) for key, n in _LENGTHS]
    return pd.concat(parts, ignore_index=True), pd.DataFrame({"area": [20.0, 30.0, 40.0]}, index=["a", "b", "c"])


_LENGTHS = (("a", 60), ("b", 50), ("c", 6))


def _forecaster(y: Any, *covariates: Any, **parameters: Any) -> LSTMForecaster:
    return LSTMForecaster(3, **(_SMALL | parameters)).fit(y, *covariates)


def _with_calendar() -> LSTMForecaster:
    frame = pd.DataFrame(_values(60, 2), _hours().index.tz_localize("Europe/Berlin"), ["load", "price"])
    return _forecaster(frame, calendar="auto", missing="mask", channels="together")


def _of_panel(**parameters: Any) -> LSTMForecaster:
    y, static = _panel()
    return _forecaster(y, None, None, static, **parameters)


def _with_past() -> LSTMForecaster:
    y = pd.Series(_values()[:, 0], pd.period_range("2020-01", periods=60, freq="M"))
    return _forecaster(y, None, pd.DataFrame({"x": _values()[:, 0]}, y.index), loss="normal")


def _with_gaps() -> LSTMForecaster:
    y = _hours()
    X = pd.DataFrame({"price": _values()[:, 0], "kind": ["a", "b", None] * 20}, y.index)
    X.iloc[::7, 0] = np.nan
    return LSTMForecaster(3, **_SMALL, missing="mask").fit(y, X, unknown="ignore")


def _watched(**parameters: Any) -> LSTMAnomalyDetector:
    forecaster = LSTMForecaster(2, **_SMALL)
    detector = LSTMAnomalyDetector(forecaster, smoothing=4, random_state=0, **parameters)
    return detector.fit(_hours(80))


def _classifier() -> LSTMClassifier:
    X = _values(40, 6)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    return LSTMClassifier(class_weight={"up": 2.0}, **_FAST).fit(frame, np.where(X[:, 0] > 0, "up", "down"))


KINDS: dict[str, Callable[[], Any]] = {
    "forecaster": lambda: _forecaster(_hours()),
    "array": lambda: _forecaster(_values(60, 2), augment=["scale", jitter(0.1)], loss="mae", adaptation_rate=0.1),
    "calendar": _with_calendar,
    "covariates": lambda: _forecaster(_values(), _values(60, 2), architecture=LSTM(segment_length=1)),
    "past": _with_past,
    "gaps": _with_gaps,
    "panel": _of_panel,
    "quantiles": lambda: _forecaster(_hours(), loss=Quantiles([0.1, 0.5, 0.9]), transform="log"),
    "attention": lambda: _forecaster(_hours(), architecture=Attention(num_heads=2, segment_length=2)),
    "cnn_lstm": lambda: _forecaster(_hours(), architecture=CNNLSTM([2, 3], out_channels=3, segment_length=2)),
    "transformer": lambda: _forecaster(
        _hours(), architecture=Transformer(num_heads=2, dim_feedforward=6, segment_length=2)
    ),
    "linear": lambda: _forecaster(_hours(), architecture=Linear(head="recursive")),
    "bidirectional": lambda: _forecaster(
        _hours(), architecture=LSTM(bidirectional=True, segment_length=2), num_layers=2, n_estimators=2
    ),
    "int8": lambda: _of_panel(loss="quantile").quantize("int8"),
    "bf16": lambda: _forecaster(_hours()).quantize("bf16"),
    "regressor": lambda: LSTMRegressor(**_FAST).fit(_values(40, 6), _values(40, 2)),
    "classifier": _classifier,
    "detector": _watched,
    "pot": lambda: _watched(threshold="pot", refit_every=50, memory=200, clip=4.0),
    "text": lambda: CharLSTM(
        hidden_size=4, embedding_size=3, sequence_length=8, batch_size=2, max_epochs=1, random_state=0, n_threads=1
    ).fit("to be, or not to be, that is the question: " * 3),
}


# Beyond this, what a model asks for is for its caller to allocate.
_MOST_NUMBERS = 1_000_000


def outputs(model: Any) -> dict[str, np.ndarray]:
    """What a fitted model says, by method; of inputs that are zeros where it needs some."""
    kind = type(model).__name__
    if kind == "LSTMForecaster":
        return _forecasts(model)
    if kind == "LSTMAnomalyDetector":
        rows = np.zeros((model.window_size_ + 4, model.n_features_in_))
        repr(model.report_)
        with warnings.catch_warnings():
            # rows without the names of columns
            warnings.simplefilter("ignore", UserWarning)
            return {"score_samples": model.score_samples(rows), "update": model.update(rows[:3])}
    if kind == "CharLSTM":
        text = model.vocabulary_[:2] * 4
        codes = [ord(letter) for letter in model.generate(text, length=5, temperature=0, random_state=0)]
        return {"score": np.array([model.score(text)]), "generate": np.array(codes, float)}
    shape = (2, *model.model_.window_shape)
    if np.prod(shape, dtype=float) > _MOST_NUMBERS:
        return {}
    X = np.zeros(shape)
    return {"predict": model.predict(X)} if kind == "LSTMRegressor" else {"predict_proba": model.predict_proba(X)}


def _forecasts(model: Any) -> dict[str, np.ndarray]:
    known, X = model.fitted_.dataset.covariates.known, None
    if known is not None:
        n_rows = model.fitted_.horizon * model.fitted_.dataset.observations.n_series
        X = np.zeros((n_rows, known.n_columns)) if n_rows * known.n_columns < _MOST_NUMBERS else None
    assert len(model.context_)
    repr(model.cutoff_)
    found = {"predict": model.predict(X=X)}
    if model.fitted_.calibration is not None:
        found["predict_interval"] = model.predict_interval(0.5, X=X)
    return {name: _numbers(forecast) for name, forecast in found.items()}


def _numbers(forecast: Any) -> np.ndarray:
    numbers = forecast.select_dtypes("number") if isinstance(forecast, pd.DataFrame) else forecast
    return np.asarray(numbers, float)
