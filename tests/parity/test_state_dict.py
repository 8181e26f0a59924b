"""Weights that cross to PyTorch and back, and modules that predict the same."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.parity.networks import Plain

from lstmforecast import LSTM, LSTMClassifier, LSTMForecaster, LSTMRegressor

FAST = {"hidden_size": 8, "max_epochs": 2, "random_state": 0, "n_threads": 1}


def _series(n=120, k=2):
    return np.random.default_rng(0).normal(size=(n, k)).cumsum(axis=0)


PLAIN = {
    "architecture": LSTM(segment_length=1, linear_skip=False),
    "channels": "together",
    "scaler": None,
    "normalize": None,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_layers": 2},
        {"architecture__bidirectional": True},
        {"architecture__segment_length": 4},
        {"architecture__linear_skip": True, "architecture__segment_length": 3},
    ],
)
def test_a_plain_module_loads_ours_strictly_and_predicts_the_same(changes):
    forecaster = LSTMForecaster(3, window_size=12, **FAST, **PLAIN).set_params(**changes).fit(_series())
    module = Plain(forecaster.model_.config)
    module.load_state_dict(forecaster.state_dict(), strict=True)
    window = torch.from_numpy(_series()[-12:]).float()[None]
    # float32 on both sides, values of size 10
    assert_allclose(forecaster.predict().ravel(), module(window).detach().numpy().ravel(), rtol=1e-5, atol=1e-5)


def test_we_load_a_plain_modules_weights_and_predict_the_same():
    forecaster = LSTMForecaster(3, window_size=12, **FAST, **PLAIN).fit(_series())
    module = Plain(forecaster.model_.config)
    forecaster.load_state_dict(module.state_dict())
    window = torch.from_numpy(_series()[-12:]).float()[None]
    assert_allclose(forecaster.predict().ravel(), module(window).detach().numpy().ravel(), rtol=1e-5, atol=1e-5)
    arrays = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    other = LSTMForecaster(3, window_size=12, **FAST, **PLAIN).fit(_series()).load_state_dict(arrays)
    assert_array_equal(other.predict(), forecaster.predict())


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", None])
@pytest.mark.parametrize("normalize", ["last", None])
def test_to_torch_takes_and_gives_the_datas_units(scaler, normalize):
    y = _series() * 10 + 100
    forecaster = LSTMForecaster(3, scaler=scaler, normalize=normalize, window_size=12, **FAST).fit(y)
    forecast = forecaster.to_torch()(torch.from_numpy(y[None, -12:]))[0].detach().numpy()
    # float32 between the scalers; without one, forecasts are small sums of numbers of size 1
    assert_allclose(forecaster.predict(), forecast, rtol=1e-5, atol=1e-6)
    assert list(forecaster.to_torch().state_dict()) == list(forecaster.state_dict())


def test_to_torch_of_regressor_and_classifier():
    X = np.random.default_rng(0).normal(size=(60, 6))
    regressor = LSTMRegressor(**FAST).fit(X, X[:, -1])
    outputs = regressor.to_torch()(torch.from_numpy(X[..., None])).detach().numpy()
    assert_allclose(outputs.ravel(), regressor.predict(X), rtol=1e-5, atol=1e-6)
    classifier = LSTMClassifier(**FAST).fit(X, X[:, -1] > 0)
    logits = classifier.to_torch()(torch.from_numpy(X[..., None]))[:, 0]
    assert_allclose(logits.softmax(-1).detach().numpy(), classifier.predict_proba(X), rtol=1e-5, atol=1e-6)


def test_state_dicts_are_copies():
    forecaster = LSTMForecaster(3, window_size=12, **FAST).fit(_series())
    before = forecaster.predict()
    for tensor in forecaster.state_dict().values():
        tensor.zero_()
    assert_array_equal(forecaster.predict(), before)


def test_a_foreign_state_dict_is_named_and_changes_nothing():
    forecaster = LSTMForecaster(3, window_size=12, channels="together", **FAST).fit(_series())
    before = forecaster.predict()
    state = forecaster.state_dict()
    with pytest.raises(ValueError, match=r"missing: fc\.bias; unexpected: head\.bias"):
        forecaster.load_state_dict({name.replace("fc.bias", "head.bias"): value for name, value in state.items()})
    with pytest.raises(ValueError, match=r"expected fc\.bias of shape \[6\], got \[7\]"):
        forecaster.load_state_dict(state | {"fc.bias": torch.zeros(7)})
    with pytest.raises(TypeError, match=r"expected a torch\.Tensor"):
        forecaster.model_.load_state_dict(state | {"fc.bias": 3})
    assert_array_equal(forecaster.predict(), before)
