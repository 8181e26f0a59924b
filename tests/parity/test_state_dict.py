"""Weights that cross to PyTorch and back, and modules that predict the same."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.parity.networks import Plain

from lstmforecast import LSTM, CharLSTM, LSTMClassifier, LSTMForecaster, LSTMRegressor

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
    with pytest.raises(ValueError, match=r"of another shape: fc\.bias \(7,\) in place of \(6,\); strict=False loads"):
        forecaster.load_state_dict(state | {"fc.bias": torch.zeros(7)})
    with pytest.raises(TypeError, match=r"expected a torch\.Tensor"):
        forecaster.model_.load_state_dict(state | {"fc.bias": 3})
    assert_array_equal(forecaster.predict(), before)


def test_all_that_does_not_fit_is_named_at_once():
    """As PyTorch does; with strict=False, what fits is loaded, as PyTorch does where shapes are the same."""
    forecaster = LSTMForecaster(3, window_size=12, **FAST, **PLAIN).fit(_series())
    own, module = forecaster.state_dict(), Plain(forecaster.model_.config)
    given = {name: value for name, value in module.state_dict().items() if name != "lstm.bias_ih_l0"}
    given |= {"head.bias": torch.zeros(2), "fc.bias": torch.zeros(7)}
    told = r"missing: lstm\.bias_ih_l0; unexpected: head\.bias; of another shape: fc\.bias \(7,\) in place of \(6,\)"
    for strict in ({}, {"strict": True}):
        with pytest.raises(ValueError, match=f"expected the weights of this network; {told}; strict=False loads"):
            forecaster.load_state_dict(given, **strict)
        assert all(torch.equal(value, own[name]) for name, value in forecaster.state_dict().items())
    message = f"fits this network in part: 4 of its 6 weights are loaded, others are as they were; {told}$"
    with pytest.warns(UserWarning, match=message) as warned:
        assert forecaster.load_state_dict(given, strict=False) is forecaster
    assert [each.filename for each in warned] == [__file__]
    expected = own | {name: given[name] for name in given if name in own and name != "fc.bias"}
    assert all(torch.equal(value, expected[name]) for name, value in forecaster.state_dict().items())
    with pytest.raises(ValueError, match="expected weights some of which fit this network"):
        forecaster.load_state_dict({"head.bias": torch.zeros(2)}, strict=False)
    # without a warning, which would be an error
    forecaster.load_state_dict(own, strict=False)


def test_a_state_dict_of_texts_in_part():
    model = CharLSTM(sequence_length=4, hidden_size=4, max_epochs=1, random_state=0).fit("abc" * 30)
    given = {"fc.bias": np.ones(3), "fc.weight": np.ones((4, 4))}
    with pytest.raises(ValueError, match=r"missing: embedding\.weight, .*; of another shape: fc\.weight"):
        model.load_state_dict(given)
    with pytest.warns(UserWarning, match=r"1 of its 7 weights are loaded.*; of another shape: fc\.weight") as warned:
        model.load_state_dict(given, strict=False)
    assert [each.filename for each in warned] == [__file__]
    assert_array_equal(model.state_dict()["fc.bias"], np.ones(3))
