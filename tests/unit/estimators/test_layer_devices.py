"""`layer_devices`: a device for each layer of the LSTM."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from lstmforecast import LSTM, Attention, Device, LSTMClassifier, LSTMForecaster, LSTMRegressor, Sampling, load

FAST = {"hidden_size": 6, "num_layers": 2, "max_epochs": 2, "random_state": 0, "n_threads": 1}
Y = np.sin(np.arange(120) / 3) + np.random.default_rng(0).normal(0, 0.1, 120)
X = np.random.default_rng(0).normal(size=(60, 9))


def _forecaster(**changes):
    sizes = {"window_size": 12, "architecture": LSTM(segment_length=1), "sampling": Sampling(steps_per_epoch=4)}
    return LSTMForecaster(2, **(FAST | sizes | changes))


def _fitted(estimator, devices, **changes):
    options = FAST | {"device": Device(backend="torch", layer_devices=devices)} | changes
    if estimator is LSTMForecaster:
        return _forecaster(**options).fit(Y)
    return estimator(**options).fit(X, (X[:, 0] > 0).astype(int))


@pytest.mark.torch
@pytest.mark.parametrize(
    ("estimator", "changes"),
    [
        (LSTMForecaster, {}),
        (LSTMForecaster, {"architecture": LSTM(segment_length=1, tbptt=5, supervision="every")}),
        (LSTMForecaster, {"architecture": Attention(num_heads=2, segment_length=1, bidirectional=True)}),
        (LSTMRegressor, {"num_layers": 3, "dropout": 0.3}),
        (LSTMClassifier, {"architecture": "cnn_lstm", "num_layers": 1}),
    ],
)
def test_the_same_device_for_each_layer_changes_no_bit(estimator, changes):
    n = changes.get("num_layers", 2)
    one, each = (_fitted(estimator, devices, **changes) for devices in (None, ["cpu"] * n))
    columns = ["train_loss", "grad_norm"]
    assert_array_equal(each.history_[columns], one.history_[columns])
    weights = one.model_.parameters()
    for name, weight in each.model_.parameters().items():
        assert_array_equal(weight, weights[name])
    data = () if estimator is LSTMForecaster else (X,)
    assert_array_equal(each.predict(*data), one.predict(*data))


@pytest.mark.torch
def test_libtorch_computes_by_default():
    automatic, torch_ = (
        _forecaster(device=Device(backend=backend, layer_devices=["cpu"] * 2)).fit(Y) for backend in ("auto", "torch")
    )
    assert_array_equal(automatic.predict(), torch_.predict())


@pytest.mark.torch
def test_devices_are_cloned_pickled_saved(tmp_path):
    model = clone(_forecaster(device=Device(layer_devices=("cpu", "cpu")))).fit(Y)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.model_.config["layer_devices"] == again.device.layer_devices == ["cpu", "cpu"]
    for other in (again, pickle.loads(pickle.dumps(model))):
        assert_array_equal(other.predict(), model.predict())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"device": Device(layer_devices=["cpu"])},
            ValueError,
            r"expected a device for each of num_layers=2 with layer_devices, got 1",
        ),
        (
            {"device": Device(layer_devices=[])},
            ValueError,
            r"expected a device for each of num_layers=2 with layer_devices, got 0",
        ),
        (
            {"device": Device(backend="fused", layer_devices=["cpu", "cpu"])},
            ValueError,
            r"expected backend 'torch' or 'auto' with layer_devices, got 'fused'",
        ),
        pytest.param(
            {"architecture": "linear"},
            ValueError,
            r"expected an architecture with an LSTM with layer_devices, got 'linear'",
            marks=pytest.mark.torch,
        ),
        (
            {"device": Device(layer_devices="cpu")},
            TypeError,
            r"expected layer_devices to be a list of devices or None, got 'cpu'",
        ),
        (
            {"device": Device(layer_devices=["cpu", "tpu"])},
            ValueError,
            r"expected each of layer_devices to be 'cpu', .* got 'tpu'",
        ),
        (
            {"device": Device(layer_devices=["cpu", 0])},
            ValueError,
            r"expected each of layer_devices to be 'cpu', .* got 0",
        ),
        (
            {"device": Device(layer_devices=["cpu", "cuda:99"])},
            RuntimeError,
            r"expected a device that is there, got 'cuda:99' with",
        ),
        (
            {"device": Device(layer_devices=["cpu", "cuda:one"])},
            RuntimeError,
            r"expected device 'cpu', .* got 'cuda:one'",
        ),
    ],
)
def test_what_makes_no_sense(changes, error, message):
    with pytest.raises(error, match=message):
        _forecaster(**({"device": Device(layer_devices=["cpu", "cpu"])} | changes)).fit(Y)
