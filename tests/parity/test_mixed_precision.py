"""Mixed precision against PyTorch: a module cast to bfloat16 goes forwards and back, the optimiser takes float32."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.parity.networks import TRAINING, pair, windows_of
from tests.parity.variants import variant_pair

from lstmforecast import LSTM, Adam, Device, LSTMClassifier, LSTMForecaster, LSTMRegressor, Pretrained, Transformer

BATCH, N_EPOCHS = 32, 6
NETWORKS = [
    ("lstm", {"num_layers": 2}),
    ("lstm", {"bidirectional": True}),
    ({"attention": {"num_heads": 4}}, {}),
    ({"cnn_lstm": {"kernel_sizes": [3], "out_channels": 6}}, {}),
]
ROWS = np.random.default_rng(0).normal(size=(110, 2)).cumsum(axis=0) / 5


def _pytorchs(module, X, y, half):
    optimizer, losses = torch.optim.Adam(module.parameters(), lr=1e-2), []
    for _ in range(N_EPOCHS):
        total = 0.0
        for start in range(0, len(X), BATCH):
            batch, target = X[start : start + BATCH], y[start : start + BATCH]
            computing = copy.deepcopy(module).bfloat16() if half else module
            computing.zero_grad()
            outputs = computing(batch.bfloat16() if half else batch).float()
            loss = torch.nn.functional.mse_loss(outputs, target)
            loss.backward()
            for parameter, copied in zip(module.parameters(), computing.parameters(), strict=True):
                parameter.grad = copied.grad.float()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / len(X))
    return np.array(losses)


@pytest.mark.torch
@pytest.mark.parametrize(("architecture", "changes"), NETWORKS)
def test_training_is_pytorchs_on_a_module_of_bfloat16(architecture, changes):
    make = pair if architecture == "lstm" else lambda **changes: variant_pair(architecture, **changes)
    model, module = make(**changes)
    X, y = windows_of(model, ROWS)
    single = _pytorchs(copy.deepcopy(module), X, y, half=False)
    half = _pytorchs(module, X, y, half=True)
    options = {"precision": "bfloat16", "max_epochs": N_EPOCHS, "batch_size": BATCH}
    ours = model.fit_series(ROWS, TRAINING | options)["history"]["train_loss"]
    # bfloat16 rounds to 2^-9, in other places here and there: what it changes at all is the measure
    spread = np.abs(half / single - 1).max()
    assert 1e-5 < spread < 0.05
    assert_allclose(ours, half, rtol=max(3 * spread, 2e-3))
    assert (ours != single).all()
    # the weights themselves are no rounded ones
    weights = model.parameters()["fc.weight"]
    assert (torch.from_numpy(weights).bfloat16().float().numpy() != weights).mean() > 0.9


@pytest.mark.torch
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "dropout": 0.3, "optimizer": Adam(clip_grad_norm=0.1, accumulate_grad_batches=2)},
        {"architecture": LSTM(segment_length=4, tbptt=3, supervision="every")},
        {"architecture": "attention", "num_layers": 2, "dropout": 0.3},
        {"architecture": "cnn_lstm", "dropout": 0.3},
        {"architecture": Transformer(causal=True), "dropout": 0.3},
        {"loss": "quantile"},
        {"device__layer_devices": ["cpu", "cpu"], "num_layers": 2},
        {"pretrained": Pretrained(freeze="lstm.*")},
    ],
    ids=str,
)
def test_forecasts_are_nearly_those_of_single_precision(options):
    y = np.sin(np.arange(400) / 5) + np.random.default_rng(0).normal(0, 0.1, 400)
    network = {"window_size": 24, "hidden_size": 16, "max_epochs": 5, "random_state": 0}

    def fit(precision):
        forecaster = LSTMForecaster(3, device=Device(backend="torch", precision=precision), **network)
        return forecaster.set_params(**options).fit(y)

    single, half = fit("float32"), fit("bfloat16")
    losses = [forecaster.history_["val_loss"].min() for forecaster in (single, half)]
    assert losses[0] != losses[1]
    # a hundred steps from the same weights on the same batches, gradients right to three digits
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert_array_equal(fit("bfloat16").history_["val_loss"], half.history_["val_loss"])


@pytest.mark.torch
@pytest.mark.parametrize("kind", [LSTMRegressor, LSTMClassifier])
def test_rows_are_learned_too(kind):
    X = np.random.default_rng(0).normal(size=(200, 8))
    y = X[:, 0] > 0
    model = kind(device=Device(backend="torch", precision="bfloat16"), random_state=0)
    model.fit(X, y if kind is LSTMClassifier else 1.0 * y)
    assert model.score(X, y) > 0.7


@pytest.mark.torch
def test_our_own_kernel_refuses_it():
    with pytest.raises(ValueError, match=r"expected backend='torch' or a GPU with precision='bfloat16', got our own"):
        LSTMForecaster(device=Device(precision="bfloat16"), window_size=5).fit(np.arange(99.0))


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match=r"expected precision to be 'float32' or 'bfloat16', got 'float16'"):
        LSTMForecaster(device=Device(precision="float16")).fit(np.arange(99.0))
