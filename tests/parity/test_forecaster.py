"""The forecaster's own network on both backends, and its linear way against a PyTorch training loop."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from lstmforecast import LSTM, Device, LSTMForecaster


def _series(k):
    steps = np.arange(400)[:, None]
    return np.sin(steps * np.pi / 12 + np.arange(k)) + np.random.default_rng(0).normal(0, 0.3, (400, k))


@pytest.mark.torch
@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_both_backends_train_the_same_network(channels, linear_skip):
    fits = [
        LSTMForecaster(
            6, window_size=48, architecture=LSTM(segment_length=12, linear_skip=linear_skip), channels=channels,
            hidden_size=16, max_epochs=5, batch_size=64, random_state=0, device=Device(backend=backend), n_threads=1,
        ).fit(_series(3))
        for backend in ("fused", "torch")
    ]  # fmt: skip
    histories = [fit.history_[["train_loss", "val_loss"]].to_numpy() for fit in fits]
    # a hundred steps of Adam: see test_training
    assert_allclose(*histories, rtol=1e-4)
    assert_allclose(fits[0].predict(), fits[1].predict(), atol=1e-3)


def test_independent_channels_are_forecast_as_each_alone():
    y = _series(3)
    model = LSTMForecaster(6, window_size=48, scaler=None, max_epochs=1, random_state=0, n_threads=1).fit(y)
    single = LSTMForecaster(6, window_size=48, scaler=None, max_epochs=1, random_state=0, n_threads=1).fit(y[:, 0])
    single.load_state_dict(model.state_dict())
    for column in range(3):
        forecast = single.predict(context=y[:, column])
        np.testing.assert_array_equal(model.predict()[:, column], forecast)


def _windows(y, start, stop):
    """Windows of 24 rows and the 4 rows after them, for origins from ``start`` whose forecasts end by ``stop``."""
    origins = np.arange(start, stop - 3)[:, None]
    return y[origins + np.arange(-24, 0)], y[origins + np.arange(4)]


@pytest.mark.parametrize("held_out", [False, True])
def test_the_linear_way_is_scikit_learns_ridge(held_out):
    y = _series(1)[:, 0]
    patience = {} if held_out else {"early_stopping": None}
    model = LSTMForecaster(
        4, window_size=24, architecture="linear", scaler=None, normalize=None, random_state=0, **patience
    ).fit(y)
    n_train = 320 if held_out else 400
    X, Y = _windows(y, 24, n_train)
    mean_square = (X**2).sum() / 24
    tried = [0.03, 0.0001, 0.001, 0.003, 0.01, 0.1, 0.3, 1.0, 3.0] if held_out else [0.03]
    ridges = [Ridge(alpha * mean_square, fit_intercept=False).fit(X, Y) for alpha in tried]
    X_held_out, Y_held_out = _windows(y, n_train, 400) if held_out else (X, Y)
    best = min(ridges, key=lambda ridge: np.mean((ridge.predict(X_held_out) - Y_held_out) ** 2))
    # the core sums in single precision: six digits of sums, which the least ridge divides by a small eigenvalue
    assert_allclose(model.state_dict()["skip.weight"].numpy(), best.coef_, atol=1e-4)
    assert model.n_epochs_ == 1
