"""Fits, forecasts and gradients on a device, against plain PyTorch on the CPU.

On the CPU the same tests show that they hold where all is well; those on a GPU are skipped where there is none.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.parity.networks import CONFIG, TRAINING, pair
from tests.parity.variants import variant_pair

from lstmforecast import Device, LSTMClassifier, LSTMForecaster, LSTMRegressor, load

pytestmark = pytest.mark.torch

ATTENTION = {"attention": {"num_heads": 4}}
CNN = {"cnn_lstm": {"kernel_sizes": [3, 5], "out_channels": 6}}
TRANSFORMER = {"transformer": {"num_heads": 4, "dim_feedforward": 24, "causal": True}}
NETWORKS = [
    ("lstm", {}),
    ("lstm", {"num_layers": 2, "bidirectional": True, "linear_skip": True}),
    ("lstm", {"num_layers": 2, "tbptt": 5}),
    (ATTENTION, {"num_layers": 2}),
    (CNN, {}),
    (TRANSFORMER, {"num_layers": 2}),
]
# cuDNN multiplies in TensorFloat-32, of ten binary digits, unless told otherwise; sums of some ten terms of size 1
WITHIN = {"cpu": 1e-5, "cuda": 2e-2}

on_each_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])


def _pair(architecture, **changes):
    return pair(**changes) if architecture == "lstm" else variant_pair(architecture, **changes)


def _windows(config, n=40):
    rng = np.random.default_rng(0)
    outputs = config["horizon"] * config["n_targets"]
    return rng.normal(size=(n, config["window_size"], config["n_features"])), rng.normal(size=(n, outputs))


@on_each_device
@pytest.mark.parametrize(("architecture", "changes"), NETWORKS)
def test_forecasts_and_gradients_are_those_of_the_cpu(architecture, changes, device):
    model, module = _pair(architecture, device=device, **changes)
    X, y = _windows(model.config)
    outputs = module(torch.from_numpy(X).float())
    assert_allclose(model.forecast(X).reshape(y.shape), outputs.detach(), atol=WITHIN[device])
    # a module that knows no border has the same gradients in the head alone
    names = [name for name, _ in module.named_parameters() if "tbptt" not in changes or name.startswith("fc.")]
    torch.nn.functional.mse_loss(outputs, torch.from_numpy(y).float()).backward()
    loss, gradients = model.gradients(X, y, "mse")
    assert np.isfinite(loss)
    for name in names:
        assert_allclose(gradients[name], module.get_parameter(name).grad, atol=WITHIN[device], err_msg=name)


@on_each_device
@pytest.mark.parametrize(("architecture", "changes"), NETWORKS)
def test_training_goes_as_on_the_cpu(architecture, changes, device):
    rows = np.random.default_rng(0).normal(size=(150, 2)).cumsum(axis=0) / 5
    options = {"max_epochs": 5, "batch_size": 40, "learning_rate": 1e-3, "clip_grad_norm": 1.0}
    options |= {"patience": 9, "validation_fraction": 0.3}
    losses = []
    for place in ("cpu", device):
        model, _ = _pair(architecture, device=place, dropout=0.2, **changes)
        losses.append(model.fit_series(rows, TRAINING | options)["history"])
    for name in ("train_loss", "val_loss"):
        assert_allclose(losses[1][name], losses[0][name], rtol=WITHIN[device], err_msg=name)


@on_each_device
@pytest.mark.parametrize("estimator", [LSTMForecaster, LSTMRegressor, LSTMClassifier])
def test_estimators_fit_predict_and_are_kept(estimator, device, tmp_path):
    options = {"device": Device(device, backend="torch"), "hidden_size": 8, "max_epochs": 3, "random_state": 0}
    rng = np.random.default_rng(0)
    if estimator is LSTMForecaster:
        model = estimator(3, window_size=12, **options).fit(np.sin(np.arange(150) / 4) + rng.normal(0, 0.1, 150))
        data = ()
    else:
        X = rng.normal(size=(80, 9))
        model, data = estimator(**options).fit(X, (X[:, 0] > 0).astype(int)), (X,)
    assert np.isfinite(model.history_["train_loss"]).all()
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.device == Device(device, backend="torch")
    assert_array_equal(again.predict(*data), model.predict(*data))
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}


@on_each_device
def test_layers_on_two_devices_train_as_on_one(device):
    rows = np.random.default_rng(0).normal(size=(150, 2)).cumsum(axis=0) / 5
    options = {"max_epochs": 5, "batch_size": 40, "learning_rate": 1e-3, "clip_grad_norm": 1.0}
    losses = []
    for layer_devices in (None, ["cpu", device], [device, "cpu"]):
        model, _ = _pair("lstm", num_layers=2, dropout=0.2, layer_devices=layer_devices)
        losses.append(model.fit_series(rows, TRAINING | options)["history"]["train_loss"])
    assert_allclose(losses[1], losses[0], rtol=WITHIN[device])
    assert_allclose(losses[2], losses[0], rtol=WITHIN[device])


@pytest.mark.parametrize("changes", [{"device": "cuda:99"}, {"num_layers": 2, "layer_devices": ["cpu", "cuda:99"]}])
def test_a_gpu_is_looked_for_by_torch(changes):
    """A file or a pickle may be the first to ask for one, in a process that never imported torch."""
    code = (
        "import sys\nfrom lstmforecast import _core\nassert 'torch' not in sys.modules\n"
        f"try:\n    _core.Model({CONFIG | changes!r})\nexcept RuntimeError as error:\n    print(error)\n"
        "assert 'torch' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("expected a device that is there, got 'cuda:99' with")
