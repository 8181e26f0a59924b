"""The first steps of a forecast are the same whatever more is asked for: predict(h)[:k] is predict(k)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.needs_torch import needs_torch

from lstmforecast import CNNLSTM, LSTM, Attention, Device, LSTMForecaster, Transformer, _core, backtest

HORIZON, N_ROWS = 5, 160
DAYS = pd.date_range("2026-01-01", periods=N_ROWS + 30, freq="D")
_rng = np.random.default_rng(0)
PRICE = pd.DataFrame({"price": _rng.choice([1.0, 2.0], len(DAYS)), "plan": _rng.normal(size=len(DAYS))}, DAYS)
Y = 3 * PRICE["price"] + np.sin(np.arange(len(DAYS)) * 2 * np.pi / 7) + _rng.normal(0, 0.1, len(DAYS))
NETWORKS: tuple[dict[str, Any], ...] = (
    {},
    {"architecture": LSTM(linear_skip=False)},
    {"calendar": "auto"},
    {"architecture": LSTM(head="recursive")},
    {"channels": "together", "normalize": "window"},
    {"n_estimators": 2, "transform": "log"},
    {"architecture": "linear"},
    {"architecture": Attention(num_heads=2)},
    {"architecture": CNNLSTM(kernel_size=3)},
    {"architecture": Transformer(num_heads=2)},
    {"loss": "quantile"},
    {"loss": "normal", "missing": "mask"},
    {"architecture": LSTM(segment_length=7), "device": Device(backend="torch")},
)


def _gaps(y: pd.Series, parameters: dict[str, Any]) -> pd.Series:
    return y.mask(np.arange(len(y)) % 11 == 3) if parameters.get("missing") == "mask" else y


@cache
def _fitted(at: int, kind: str) -> tuple[LSTMForecaster, Any]:
    """A network fitted to one series or three, and X of what follows."""
    parameters = {"hidden_size": 4, "window_size": 14, "max_epochs": 1, "random_state": 0, "n_threads": 1}
    parameters |= NETWORKS[at]
    model = LSTMForecaster(HORIZON, **parameters)
    y, X, static = _gaps(Y, parameters)[:N_ROWS], PRICE, None
    if kind == "panel":
        y, X = (pd.concat({key: each * n for n, key in enumerate("abc", 1)}, names=["unique_id"]) for each in (y, X))
        static = pd.DataFrame({"area": [1.0, 2.0, 3.0]}, list("abc"))
    if kind == "no X":
        X = None
    return model.fit(y, X, static=static), X


def _steps(frame: Any, steps: int) -> np.ndarray:
    """The first steps of a forecast, or of those of three series."""
    values = np.asarray(frame).reshape(len(frame), -1)
    n_series = 3 if isinstance(frame.index, pd.MultiIndex) else 1
    return values.reshape(n_series, -1, values.shape[1])[:, :steps]


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([at for at, each in enumerate(NETWORKS) if _core.HAS_TORCH or not needs_torch(each)]),
    st.sampled_from(("series", "panel", "no X")),
    st.integers(1, 3 * HORIZON + 2),
    st.integers(1, 3 * HORIZON + 2),
)
def test_the_first_steps_are_the_same_whatever_more_is_asked_for(at, kind, few, many):
    few, many = sorted((few, many))
    model, X = _fitted(at, kind)
    np.testing.assert_array_equal(_steps(model.predict(many, X=X), few), _steps(model.predict(few, X=X), few))
    if many <= HORIZON:
        for ask in (model.predict_interval, model.predict_quantiles):
            np.testing.assert_array_equal(_steps(ask(0.5, many, X=X), few), _steps(ask(0.5, few, X=X), few))
        draws = [model.predict_samples(5, n, X=X, random_state=0) for n in (many, few)]
        np.testing.assert_array_equal(*(_steps(each, few) for each in draws))


def test_rows_of_x_beyond_those_that_are_read_change_nothing():
    model, X = _fitted(0, "series")
    changed = X.copy()
    changed.iloc[N_ROWS + 2 * HORIZON :] = 1e6
    pd.testing.assert_series_equal(model.predict(HORIZON + 1, X=changed), model.predict(HORIZON + 1, X=X))


def test_what_the_network_reads_of_x_has_to_be_there():
    model, X = _fitted(0, "series")
    missing = "for each of the 5 steps after the end .the network forecasts 5 at once., got none for 2026-06-14"
    with pytest.raises(ValueError, match=missing):
        model.predict(4, X=X[: N_ROWS + 4])
    values = X.to_numpy()
    of_array = LSTMForecaster(HORIZON, window_size=14, hidden_size=4, max_epochs=1, random_state=0, n_threads=1)
    of_array.fit(Y.to_numpy()[:N_ROWS], values[:N_ROWS])
    with pytest.raises(ValueError, match=r"expected X with 10 rows, for the 10 steps after .* 5 at once., got 7"):
        of_array.predict(7, X=values[N_ROWS : N_ROWS + 7])
    np.testing.assert_array_equal(
        of_array.predict(7, X=values[N_ROWS : N_ROWS + 10]), of_array.predict(10, X=values[N_ROWS : N_ROWS + 10])[:7]
    )


def test_a_backtest_of_fewer_steps_has_the_first_of_more():
    model = LSTMForecaster(HORIZON, calendar=["day_of_week"], window_size=14, hidden_size=4, max_epochs=1)
    model.set_params(random_state=0, n_threads=1)
    y = Y[:N_ROWS]
    result = backtest(model, y, folds=12, horizon=HORIZON - 2)
    forecasts = result.forecasts
    for cutoff, part in forecasts.groupby("cutoff"):
        expected = result.forecaster.predict(context=y[:cutoff])[: HORIZON - 2]
        np.testing.assert_allclose(part["forecast"], expected, rtol=1e-12)
    assert len(forecasts) == 10 * (HORIZON - 2)


@pytest.mark.parametrize("kind", ["series", "panel"])
@pytest.mark.parametrize(
    ("horizon", "parameters", "n_origins"),
    [
        (3, {}, 8),
        (7, {}, 3),
        (10, {}, 3),
        (3, {"architecture": LSTM(head="recursive")}, 10),
        (3, {"calendar": "auto"}, 8),
    ],
)
def test_a_backtest_with_x_forecasts_what_predict_does(horizon, parameters, n_origins, kind):
    # of 12 rows, origins with as many rows after them as the network reads X of at once
    model = LSTMForecaster(HORIZON, window_size=14, hidden_size=4, max_epochs=1, random_state=0, n_threads=1)
    model.set_params(**parameters)
    # the backtest reads no row of X after the last one of y
    y, X, X_of_y = Y[:N_ROWS], PRICE, PRICE[:N_ROWS]
    if kind == "panel":
        y, X, X_of_y = (pd.concat({"a": each, "b": 2 * each}, names=["unique_id"]) for each in (y, X, X_of_y))
    result = backtest(model, y, X_of_y, folds=12, horizon=horizon)
    assert len(result.origins) == n_origins * (1 + (kind == "panel"))
    for i, origin, values in zip(result.which, result.origins, result.values, strict=True):
        part = y if kind == "series" else y.loc[["ab"[i]]]
        expected = result.forecaster.predict(horizon, X=X, context=part[:origin]).to_numpy()
        # one call for all windows or one for each, in float32
        np.testing.assert_allclose(values, expected.reshape(values.shape), rtol=1e-5)


def test_intervals_of_fewer_steps_with_x_are_those_of_predict_interval():
    model = LSTMForecaster(HORIZON, window_size=14, hidden_size=4, max_epochs=1, random_state=0, n_threads=1)
    result = backtest(model, Y[:N_ROWS], PRICE[:N_ROWS], folds=12, horizon=3, coverage=0.5)
    for origin, bounds in zip(result.origins, result.bounds.swapaxes(0, 1), strict=True):
        expected = result.forecaster.predict_interval(0.5, 3, X=PRICE, context=Y[:origin])
        # one call for all windows or one for each, in float32
        np.testing.assert_allclose(bounds[..., 0].T, expected, rtol=1e-5)
