"""Arguments of functions and methods may be scalars and arrays of NumPy, as parameters may."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lstmforecast import (
    CharLSTM,
    Checkpoint,
    DriftMonitor,
    Folds,
    ForecastDisplay,
    LSTMForecaster,
    augment,
    backtest,
    compare,
    indicators,
    time_split,
    transfer,
    tune,
    windows,
)
from lstmforecast.calendar import calendar_features

FAST = {"window_size": 8, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
Y = pd.Series(np.sin(np.arange(200) * 0.3) + 2, pd.date_range("2026-01-01", periods=200, freq="h"), name="load")
FORECASTER = LSTMForecaster(2, **FAST).fit(Y)
TEXT = CharLSTM(hidden_size=4, max_epochs=1, n_threads=1, random_state=0, sequence_length=8).fit("to be or not " * 20)
NOISE = np.random.default_rng(0).normal(size=(2, 100))

# Ways to write a number, a fraction, a flag, a word and a list.
PLAIN = SimpleNamespace(i=int, f=float, b=bool, s=str, l=list)
WAYS = {
    "scalars": SimpleNamespace(i=np.int64, f=np.float32, b=np.bool_, s=np.str_, l=np.array),
    "arrays": SimpleNamespace(i=np.array, f=np.array, b=np.array, s=np.str_, l=pd.Series),
}


def _backtest(w):
    folds = Folds(
        w.i(40), stride=w.i(3), refit=w.b(True), window=w.s("sliding"), train_size=w.i(90), gap=w.i(1)
    )  # fmt: skip
    assert folds == Folds(40, stride=3, refit=True, window="sliding", train_size=90, gap=1)
    result = backtest(
        FORECASTER, Y, folds=folds, horizon=w.i(2), season_length=w.i(4), scaled=w.b(True), coverage=w.f(0.5),
        levels=w.l([0.25, 0.5]), n_jobs=w.i(1),
    )  # fmt: skip
    return result.scores


def _tuned(w):
    space = {"hidden_size": w.l([2, 4]) if w is not WAYS["arrays"] else [np.array(2), np.array(4)]}
    space |= {"dropout": (w.f(0.0), w.f(0.5)), "learning_rate": ("log", w.f(2.0**-9), w.f(2.0**-3))}
    options = {"n_trials": w.i(2), "timeout": w.f(60), "metric": w.s("MAE"), "n_jobs": w.i(1)}
    folds = Folds(w.f(0.25), stride=w.i(2))
    result = tune(FORECASTER, Y, folds=folds, space=space, random_state=w.i(0), **options)
    return result.trials_["value"]


CALLS = {
    "predict": lambda w: FORECASTER.predict(w.i(3)),
    "predict_interval": lambda w: FORECASTER.predict_interval(w.l([0.5, 0.75]), w.i(2)),
    "predict_interval of one": lambda w: FORECASTER.predict_interval(w.f(0.5)),
    "predict_quantiles": lambda w: FORECASTER.predict_quantiles(w.f(0.25)),
    "predict_samples": lambda w: FORECASTER.predict_samples(w.i(5), w.i(2), random_state=w.i(0)),
    "backtest": _backtest,
    "tune": _tuned,
    "generate": lambda w: TEXT.generate(
        w.s("to"), w.i(9), temperature=w.f(0.5), top_k=w.i(3), top_p=w.f(0.5), random_state=w.i(0)
    ),
    "stream": lambda w: "".join(TEXT.stream(w.s("to"), w.i(9), random_state=w.i(0))),
    "quantize": lambda w: FORECASTER.quantize(w.s("int8")).predict(),
    "windows": lambda w: windows(Y, w.i(4), horizon=w.i(2), stride=w.i(2))[1],
    "time_split": lambda w: time_split(Y, w.f(0.25), gap=w.i(2))[1],
    "time_split by rows": lambda w: time_split(Y, w.i(40))[1],
    "augment": lambda w: augment.magnitude_warp(knots=w.i(3), sigma=w.f(0.5))(np.ones((2, 9, 1)), random_state=w.i(0)),
    "Checkpoint": lambda w: str(Checkpoint(w.s("there"), w.i(1), w.f(0.5), keep=w.i(2), resume=w.b(False))),
    "DriftMonitor": lambda w: DriftMonitor(w.i(9)).fit(NOISE[0], NOISE[1]).update(w.f(9), w.f(9)),
    "calendar": lambda w: calendar_features(Y.index, w.s("h"), w.l(["time_of_day"]), w.s("DE")),
    "freeze": lambda w: LSTMForecaster(2, **FAST).load_pretrained(FORECASTER, w.l(["lstm.*"])).fit(Y).predict(),
    "unfreezing": lambda w: transfer.GradualUnfreezing({1: w.s("lstm.*")})({"epoch": 1}).patterns,
    "compare": lambda w: compare(*NOISE, NOISE[0] * 0.5, level=w.f(0.75), horizon=w.i(2), random_state=w.i(0)).interval,
    "size of the test set": lambda w: backtest(FORECASTER, Y, folds=w.i(40)).scores,
    "display": lambda w: ForecastDisplay.from_estimator(FORECASTER, Y, horizon=w.i(2), n_history=w.i(9)).forecast,
    "indicators": lambda w: indicators.returns(Y, w.i(3)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", CALLS)
def test_an_argument_of_numpy_does_what_the_plain_one_does(call, way):
    expected, found = CALLS[call](PLAIN), CALLS[call](WAYS[way])
    if isinstance(expected, str):
        assert found == expected
    else:
        np.testing.assert_array_equal(found, expected)
