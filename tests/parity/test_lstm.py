"""Forward and gradients of the core's network against ``torch.nn.LSTM`` and ``torch.nn.Linear``."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tests.parity.networks import pair

VARIANTS = [
    {},
    {"num_layers": 3},
    {"bidirectional": True},
    {"bidirectional": True, "num_layers": 2},
    {"window_size": 1, "n_features": 5, "n_targets": 1},
    {"hidden_size": 1, "horizon": 1},
    {"window_size": 50, "hidden_size": 33, "n_features": 7, "n_targets": 7},
    {"segment_length": 4},
    {"linear_skip": True},
    {"linear_skip": True, "segment_length": 3, "n_features": 5, "bidirectional": True, "num_layers": 2},
    {"linear_skip": True, "segment_length": 24, "window_size": 96, "n_features": 1, "n_targets": 1, "horizon": 40},
]


def _windows(model, n=20):
    rng = np.random.default_rng(0)
    config = model.config
    outputs = config["horizon"] * config["n_targets"]
    return rng.normal(size=(n, config["window_size"], config["n_features"])), rng.normal(size=(n, outputs))


@pytest.mark.parametrize("changes", VARIANTS)
def test_forecasts_are_pytorchs(changes, backend):
    model, module = pair(backend=backend, **changes)
    X, _ = _windows(model)
    with torch.no_grad():
        expected = module(torch.from_numpy(X).float()).numpy()
    # float32 sums of some hundred terms of size 1, in possibly another order: a few units in the last of 24 bits
    assert_allclose(model.forecast(X).reshape(expected.shape), expected, atol=1e-6)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
@pytest.mark.parametrize("changes", VARIANTS)
def test_all_gradients_are_pytorchs(changes, loss, backend):
    model, module = pair(backend=backend, **changes)
    X, y = _windows(model)
    criterion = {"mse": torch.nn.MSELoss, "mae": torch.nn.L1Loss, "huber": torch.nn.HuberLoss}[loss]()
    expected = criterion(module(torch.from_numpy(X).float()), torch.from_numpy(y).float())
    expected.backward()
    value, gradients = model.gradients(X, y, loss)
    assert value == pytest.approx(expected.item(), rel=1e-6)  # one float32 mean, summed in another order
    assert list(gradients) == [name for name, _ in module.named_parameters()]
    for name, parameter in module.named_parameters():
        # as above, over up to 50 steps back in time; gradients here are 1e-3 to 1e-1
        assert_allclose(gradients[name], parameter.grad.numpy(), atol=2e-6, err_msg=name)


def test_class_gradients_are_pytorchs(backend):
    model, module = pair(horizon=1, n_targets=4, backend=backend)
    X, _ = _windows(model)
    classes = np.random.default_rng(1).integers(0, 4, len(X))
    expected = torch.nn.CrossEntropyLoss()(module(torch.from_numpy(X).float()), torch.from_numpy(classes))
    expected.backward()
    value, gradients = model.gradients(X, classes[:, None].astype(float), "cross_entropy")
    assert value == pytest.approx(expected.item(), rel=1e-6)
    for name, parameter in module.named_parameters():
        assert_allclose(gradients[name], parameter.grad.numpy(), atol=2e-6, err_msg=name)


def test_initial_weights_are_distributed_as_pytorchs():
    model, module = pair(hidden_size=64)
    fresh = type(module)(model.config)
    for name, ours in model.parameters().items():
        theirs = dict(fresh.named_parameters())[name].detach().numpy()
        bound = 1 / 8  # 1 / sqrt(hidden_size), for the LSTM and for the head that reads it
        assert np.abs(ours).max() <= bound
        assert np.abs(theirs).max() <= bound
        # both uniform: the standard deviations agree within five standard errors, sigma * sqrt(0.4 / n) for each
        sigma = bound / np.sqrt(3)
        assert abs(ours.std() - theirs.std()) < 5 * sigma * np.sqrt(2 * 0.4 / ours.size), name
