"""Finite values that are too large for a network in single precision: forecasts are finite, or the value is named."""

from __future__ import annotations

import pickle
import threading
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.needs_torch import needs_torch

from lstmforecast import (
    CNNLSTM,
    LSTM,
    Attention,
    Device,
    LSTMAnomalyDetector,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Transformer,
    _core,
)
from lstmforecast.data.container import MOST_VALUE

HOURS = pd.date_range("2026-01-01", periods=320, freq="h")
Y = pd.Series(np.sin(np.arange(300) / 5), HOURS[:300], name="load")
X = pd.DataFrame({"plan": np.cos(np.arange(320) / 3)}, HOURS)
FORECASTERS: tuple[dict[str, Any], ...] = (
    {},
    {"normalize": "window", "loss": "quantile"},
    {"normalize": None, "loss": "normal"},
    {"transform": "log", "architecture": LSTM(head="recursive")},
    {"architecture": Transformer(num_heads=2)},
    {"architecture": CNNLSTM(kernel_size=3), "channels": "together"},
    {"architecture": Attention(num_heads=2), "device": Device(backend="torch")},
    {"n_estimators": 2, "loss": "student_t"},
)


@cache
def _fitted(at: int) -> LSTMForecaster:
    model = LSTMForecaster(3, window_size=20, hidden_size=4, max_epochs=1, random_state=0, n_threads=1)
    return model.set_params(**FORECASTERS[at]).fit(Y)


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from([at for at, each in enumerate(FORECASTERS) if _core.HAS_TORCH or not needs_torch(each)]),
    st.floats(1, 1.7e308),
    st.booleans(),
    st.integers(280, 299),
    st.sampled_from(("predict", "predict_interval", "predict_samples", "update")),
)
def test_a_forecast_is_finite_or_names_the_value(at, value, negative, row, door):
    model, y = _fitted(at), Y.copy()
    y.iloc[row] = -value if negative and "transform" not in FORECASTERS[at] else value
    try:
        if door == "update":
            ahead = pd.Series([y.iloc[row]], HOURS[300:301], name="load")
            found = pickle.loads(pickle.dumps(model)).update(ahead).predict_interval(0.5)
        else:
            options = {"coverage": 0.5} if door == "predict_interval" else {}
            found = getattr(model, door)(context=y, **options)
    except ValueError as error:
        refused = str(error)
    else:
        assert np.isfinite(np.asarray(found)).all()
        return
    when = HOURS[300 if door == "update" else row]
    if value > MOST_VALUE:
        name, at = ("y", 0) if door == "update" else ("context", row)
        assert refused == (
            f"expected values of a size up to 1e+100 in {name}, got {y.iloc[row]:g} in {when} (row {at}); give "
            f"{name} in other units"
        )
        return
    assert (
        refused == f"expected values of which the network can make a forecast, got {y.iloc[row]:g} of 'load' at {when}"
    )
    assert value > 1e15


def test_the_value_at_fault_is_named_in_covariates_and_panels_too():
    options = {"window_size": 20, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
    far = X.copy()
    far.iloc[301] = 1e90
    model = LSTMForecaster(3, **options).fit(Y, X)
    with pytest.raises(ValueError, match=r"got 1e.90 of 'plan' at step 2 after the end"):
        model.predict(X=far)
    panel = pd.concat({"a": Y, "b": 2 * Y}, names=["unique_id", "ds"])
    context = panel.copy()
    context.iloc[-3] = 1e90
    model = LSTMForecaster(3, **options).fit(panel)
    for ask in (model.predict, model.predict_interval, model.predict_samples):
        with pytest.raises(ValueError, match=r"got 1e.90 of 'load' at 2026-01-13 09:00:00 of the series 'b'"):
            ask(context=context)
    # an array has no times: rows are counted from the end
    with pytest.raises(ValueError, match=r"got 1e.90 of 0 at row -2"):
        LSTMForecaster(3, **options).fit(Y.to_numpy()).predict(context=np.r_[Y[:100], 1e90, 0.0])


def test_a_container_of_single_precision_has_no_infinity():
    y = Y.to_numpy().astype(np.float32)
    model = LSTMForecaster(3, window_size=20, hidden_size=4, max_epochs=1, random_state=0, n_threads=1).fit(y)
    y[-1] = 3.4e38
    with pytest.raises(ValueError, match=r"got 3.4e.38 of 0 at row -1"):
        model.predict(context=y)


def test_a_fit_refuses_what_a_scaler_can_not_square():
    y = Y.copy()
    y.iloc[7] = -1e200
    most = "expected values of a size up to 1e.100"
    with pytest.raises(ValueError, match=f"{most} in y, got -1e.200 in 2026-01-01 07:00:00 .row 7.; give y"):
        LSTMForecaster(3, max_epochs=1).fit(y)
    with pytest.raises(ValueError, match=f"{most} in X, got 1e.200 in column 'plan' at 2026-01-01 03:00:00 .row 3."):
        LSTMForecaster(3, max_epochs=1).fit(Y, X.mask(X.iloc[3, 0] == X, 1e200))
    rows = np.random.default_rng(0).normal(size=(30, 8))
    far = rows.copy()
    far[5, 2] = 1e200
    with pytest.raises(ValueError, match=f"{most} in X, got 1e.200 in row 5"):
        LSTMRegressor(max_epochs=1).fit(far, rows[:, 0])
    with pytest.raises(ValueError, match=f"{most} in y, got 1e.200 in row 5"):
        LSTMRegressor(max_epochs=1).fit(rows, far[:, 2])
    with pytest.raises(ValueError, match=f"{most} in X, got 1e.200 in row 5"):
        LSTMClassifier(max_epochs=1).fit(far, rows[:, 0] > 0)


@pytest.mark.parametrize("architecture", ["lstm", "transformer", "cnn_lstm"])
def test_predictions_are_finite_or_name_the_row(architecture):
    rows = np.random.default_rng(0).normal(size=(40, 8))
    options = {"architecture": architecture, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
    regressor = LSTMRegressor(**options).fit(rows, rows[:, 0])
    classifier = LSTMClassifier(**options).fit(rows, rows[:, 0] > 0)
    for value in (1e20, 1e38, 1e90, -1e100):
        far = rows.copy()
        far[33, 2] = value
        for ask in (regressor.predict, classifier.predict, classifier.predict_proba):
            try:
                found = ask(far)
            except ValueError as error:
                refused = str(error)
            else:
                assert np.isfinite(found.astype(float)).all()
                continue
            assert f"got {value:g} in row 33 of X (step 2, feature 0)" in refused


def test_a_detector_flags_what_is_far_off_or_names_it():
    detector = LSTMAnomalyDetector(random_state=0).fit(Y.to_numpy())
    last = Y.to_numpy().copy()
    last[-1] = 1e90
    # nothing is forecast from the last row
    assert detector.predict(last)[-1] == -1
    state = pickle.dumps(detector)
    inside = Y.to_numpy().copy()
    inside[-20] = -1e90
    named = "expected values of which the network can make a forecast, got -1e90 in column 0 of X"
    for ask in (detector.predict, detector.detect, detector.trace):
        with pytest.raises(ValueError, match=named):
            ask(inside)
    with pytest.raises(ValueError, match=named):
        detector.update([0.0, 0.1, -1e90, 0.0])
    # as if the rows had never come
    np.testing.assert_array_equal(*(each.update(Y.to_numpy()[:30]) for each in (detector, pickle.loads(state))))


def test_intervals_go_on_while_another_thread_fits():
    model = LSTMForecaster(3, window_size=20, hidden_size=4, max_epochs=1, random_state=0, n_threads=1).fit(Y)
    seeds = {0: model.predict_interval(0.5).to_numpy()}
    seeds[1] = pickle.loads(pickle.dumps(model)).set_params(random_state=1).fit(Y).predict_interval(0.5).to_numpy()
    done = threading.Event()

    def fit() -> None:
        for i in range(20):
            model.set_params(random_state=1 - i % 2).fit(Y)
        done.set()

    thread = threading.Thread(target=fit)
    thread.start()
    try:
        while not done.is_set():
            found = model.predict_interval(0.5).to_numpy()
            # of the one fit or the other, and never the errors of one with the network of the other
            assert any(np.array_equal(found, each) for each in seeds.values())
    finally:
        thread.join()
