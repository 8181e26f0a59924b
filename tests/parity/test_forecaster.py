"""The forecaster's own network on both backends, and its linear way against a PyTorch training loop."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from lstmforecast import LSTMForecaster


def _series(k):
    steps = np.arange(400)[:, None]
    return np.sin(steps * np.pi / 12 + np.arange(k)) + np.random.default_rng(0).normal(0, 0.3, (400, k))


@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_both_backends_train_the_same_network(channels, linear_skip):
    fits = [
        LSTMForecaster(
            6, window_size=48, segment_length=12, channels=channels, linear_skip=linear_skip, hidden_size=16,
            max_epochs=5, batch_size=64, random_state=0, backend=backend, n_threads=1,
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


def test_the_linear_way_is_trained_as_by_pytorch():
    y = _series(1)[:, 0]
    model = LSTMForecaster(
        4, window_size=24, architecture="linear", scaler=None, normalize=None, patience=None, batch_size=10_000,
        clip_grad_norm=None, lr_schedule="constant", steps_per_epoch=1, max_epochs=30, random_state=0,
    ).fit(y)  # fmt: skip
    X = torch.from_numpy(np.stack([y[i : i + 24] for i in range(373)])).float()
    Y = torch.from_numpy(np.stack([y[i + 24 : i + 28] for i in range(373)])).float()
    linear = torch.nn.Linear(24, 4)
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    optimizer = torch.optim.Adam(linear.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(linear(X), Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # float32 means of 1492 errors, in another order
    assert_allclose(model.history_["train_loss"], losses, rtol=1e-5)
