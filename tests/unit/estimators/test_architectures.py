"""The other networks in all three estimators: what they take, refuse, keep and show."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import lstmforecast
from lstmforecast import (
    CNNLSTM,
    LSTM,
    Attention,
    Device,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Transformer,
    _core,
)

VARIANTS = [
    {"architecture": Attention(num_heads=2)},
    {"architecture": CNNLSTM(kernel_size=(3, 2), out_channels=4)},
    {"architecture": Transformer(num_heads=2, dim_feedforward=5, causal=True), "num_layers": 2},
]
FAST = {"hidden_size": 8, "max_epochs": 2, "random_state": 0, "n_threads": 1}
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 12)), RNG.normal(size=40)
SERIES = pd.Series(np.sin(np.arange(120) / 5), pd.date_range("2026-01-01", periods=120, freq="h"), name="load")


def _fitted(kind, **parameters):
    if kind is LSTMForecaster:
        return kind(**({"horizon": 4, "window_size": 12} | FAST | parameters)).fit(SERIES)
    return kind(**(FAST | parameters)).fit(X, Y if kind is LSTMRegressor else Y > 0)


def _predict(model):
    return np.asarray(model.predict() if isinstance(model, LSTMForecaster) else model.predict(X), float)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("kind", [LSTMForecaster, LSTMRegressor, LSTMClassifier])
class TestEveryEstimator:
    def test_keeps_its_network_in_files_and_pickles(self, kind, variant, tmp_path):
        model = _fitted(kind, **variant)
        model.save(tmp_path / "model")
        for other in (lstmforecast.load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert other.model_.config == model.model_.config
            assert type(other.architecture) is type(variant["architecture"])
            assert np.array_equal(_predict(other), _predict(model))

    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_is_fitted_again_to_the_same_bits(self, kind, variant, n_threads):
        model = _fitted(kind, dropout=0.2, **variant | {"n_threads": n_threads})
        again = _fitted(kind, **clone(model).get_params(deep=False))
        assert np.array_equal(_predict(model), _predict(again))
        assert model.history_.drop(columns="seconds").equals(again.history_.drop(columns="seconds"))

    def test_takes_the_weights_of_another(self, kind, variant):
        model, other = _fitted(kind, **variant), _fitted(kind, **variant | {"random_state": 1})
        assert not np.array_equal(_predict(other), _predict(model)) or kind is LSTMClassifier
        other.load_state_dict(model.state_dict())
        assert np.array_equal(_predict(other), _predict(model))

    def test_goes_on_with_a_warm_start(self, kind, variant):
        # a line would be solved anew
        network = clone(variant["architecture"])
        if kind is LSTMForecaster:
            network.set_params(linear_skip=False)
        model = _fitted(kind, warm_start=True, **variant | {"architecture": network})
        before = _predict(model)
        model.set_params(learning_rate=1e-12)
        model.fit(SERIES) if kind is LSTMForecaster else model.fit(X, Y if kind is LSTMRegressor else Y > 0)
        np.testing.assert_allclose(_predict(model), before, atol=1e-6)

    def test_another_network_is_no_warm_start(self, kind, variant):
        model = _fitted(kind, **variant).set_params(architecture="lstm", warm_start=True)
        with pytest.raises(
            ValueError, match=r"expected architecture=.* as before, got 'lstm'; with warm_start=False a new"
        ):
            model.fit(SERIES) if kind is LSTMForecaster else model.fit(X, Y if kind is LSTMRegressor else Y > 0)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"architecture": "gru"}, ValueError, r"expected architecture to be 'lstm'.* or '.*', got 'gru'"),
        (
            {"architecture": Attention(num_heads=0)},
            ValueError,
            "expected num_heads to be an integer of at least 1",
        ),
        ({"architecture": Attention(num_heads=2.0)}, TypeError, "expected num_heads to be an integer"),
        (
            {"architecture": Attention(num_heads=3)},
            ValueError,
            "expected a hidden_size that is a multiple of num_heads 3, got 8",
        ),
        (
            {"architecture": CNNLSTM(kernel_size="5")},
            TypeError,
            r"expected kernel_size to be an integer or a list of integers, got '5'",
        ),
        (
            {"architecture": CNNLSTM(kernel_size=[])},
            TypeError,
            r"expected kernel_size to be an integer or a list of integers, got \[\]",
        ),
        (
            {"architecture": CNNLSTM(kernel_size=[3, 0])},
            ValueError,
            r"expected kernel_size to be an integer of at least 1, got 0",
        ),
        (
            {"architecture": CNNLSTM(kernel_size=[3, 1.5])},
            TypeError,
            r"expected kernel_size to be an integer of at least 1, got 1.5",
        ),
        (
            {"architecture": Transformer(dim_feedforward=0)},
            ValueError,
            r"expected dim_feedforward to be an integer of at least 1 or None, got 0",
        ),
        ({"architecture": Transformer(causal="yes")}, ValueError, r"expected causal to be False or True, got 'yes'"),
        (
            {"architecture": "transformer", "device": Device(backend="fused")},
            ValueError,
            r"expected an architecture with an LSTM with backend 'fused', got 'transformer'",
        ),
        (
            {"architecture": LSTM(segment_length=5)},
            ValueError,
            r"expected .*window_size .* multiple of segment_length.5, got 12",
        ),
        (
            {"architecture": CNNLSTM(out_channels=0)},
            ValueError,
            r"expected out_channels to be an integer of at least 1 or None, got 0",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [LSTMForecaster, LSTMRegressor, LSTMClassifier])
def test_what_makes_no_sense_is_refused(kind, parameters, error, message):
    with pytest.raises(error, match=message):
        _fitted(kind, **parameters)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_step_is_supervised_of_an_lstm_alone(variant):
    network = variant["architecture"]
    with pytest.raises(TypeError, match="supervision"):
        type(network)(supervision="every")
    config = _fitted(LSTMForecaster, **variant).model_.config | {"linear_skip": False}
    message = rf"expected architecture='lstm' with supervision='every', got '{network.word}'"
    with pytest.raises(ValueError, match=message):
        _core.Model(config | {"supervision": "every"})


@pytest.mark.torch
def test_a_transformer_has_no_direction():
    with pytest.raises(TypeError, match="bidirectional"):
        Transformer(bidirectional=True)
    config = _fitted(LSTMRegressor, architecture="transformer").model_.config
    message = "expected bidirectional=False with architecture 'transformer', which attends to all steps unless causal="
    with pytest.raises(ValueError, match=message):
        _core.Model(config | {"bidirectional": True})


def test_parameters_of_other_networks_are_not_checked():
    # no multiple of the 4 heads that other networks have
    assert _fitted(LSTMRegressor, hidden_size=6).model_.config["architecture"] == "lstm"


@pytest.mark.torch
@pytest.mark.parametrize("kind", [LSTMRegressor, LSTMClassifier])
def test_attention_weights_of_windows(kind):
    model = _fitted(kind, architecture=Attention(num_heads=2))
    weights = model.attention_weights(X)
    assert (weights.shape, weights.dtype) == ((40, 2, 12, 12), np.float32)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert np.ptp(weights) > 1e-4
    np.testing.assert_array_equal(model.attention_weights(X[7:8].reshape(1, 12, 1)), weights[7:8])


@pytest.mark.torch
def test_attention_weights_of_a_forecast():
    model = _fitted(LSTMForecaster, architecture=Attention(num_heads=2))
    weights = model.attention_weights()
    assert weights.shape == (1, 2, 12, 12)
    np.testing.assert_array_equal(model.attention_weights(context=SERIES), weights)
    assert not np.array_equal(model.attention_weights(context=SERIES[:-1]), weights)


@pytest.mark.torch
def test_attention_weights_with_channels_covariates_and_ensembles():
    y = pd.DataFrame({"a": SERIES, "b": SERIES**2})
    price = pd.Series(RNG.normal(size=130), pd.date_range("2026-01-01", periods=130, freq="h"), name="price")
    parameters = FAST | {"architecture": Attention(segment_length=3), "window_size": 12}
    model = LSTMForecaster(4, n_estimators=2, **parameters).fit(y, price)
    # one window of each variable: 4 segments of the past, 2 of the 4 rows of the future
    weights = model.attention_weights(X=price)
    assert weights.shape == (2, 4, 6, 6)
    members = [member.attention_weights for member in model.model_.members]
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert len(members) == 2
    together = LSTMForecaster(4, channels="together", **parameters).fit(y, price)
    assert together.attention_weights(X=price).shape == (1, 4, 6, 6)


@pytest.mark.torch
def test_convolutions_have_as_many_channels_as_the_lstm_has_units_unless_told():
    sizes = {
        name: tuple(weight.shape)
        for name, weight in _fitted(LSTMRegressor, architecture="cnn_lstm").state_dict().items()
    }
    assert (sizes["conv.0.weight"], sizes["lstm.weight_ih_l0"]) == ((8, 1, 5), (32, 8))
    model = _fitted(LSTMRegressor, n_features_per_step=2, architecture=CNNLSTM(kernel_size=[3, 2], out_channels=4))
    sizes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    assert (sizes["conv.0.weight"], sizes["conv.1.weight"]) == ((4, 2, 3), (4, 4, 2))
    assert sizes["lstm.weight_ih_l0"] == (32, 4)


@pytest.mark.torch
def test_kernel_sizes_of_numpy_are_kept(tmp_path):
    model = _fitted(LSTMRegressor, architecture=CNNLSTM(kernel_size=list(np.array([3, 2]))))
    model.save(tmp_path / "model")
    assert lstmforecast.load(tmp_path / "model").architecture.kernel_size == [3, 2]


@pytest.mark.parametrize("network", [LSTM, Attention, CNNLSTM, Transformer], ids=lambda network: network.word)
@pytest.mark.parametrize("kind", [LSTMRegressor, LSTMClassifier])
def test_windows_are_read_in_segments(kind, network):
    torch = pytest.importorskip("torch")
    model = _fitted(kind, architecture=network(segment_length=4))
    first = {Transformer: "embedding.weight", CNNLSTM: "conv.0.weight"}.get(network, "lstm.weight_ih_l0")
    assert model.state_dict()[first].shape[1] == 4
    with torch.no_grad():
        outputs = model.to_torch()(torch.from_numpy(X[:, :, np.newaxis]))[:, 0].numpy()
    np.testing.assert_allclose(model.model_.forecast(X[:, :, np.newaxis])[:, 0], outputs, atol=1e-6)


def test_attention_weights_are_refused_before_a_fit_and_of_other_networks():
    with pytest.raises(NotFittedError):
        LSTMRegressor(architecture="attention").attention_weights(X)
    message = "expected architecture='attention' for attention_weights, got 'lstm'"
    with pytest.raises(ValueError, match=message):
        _fitted(LSTMRegressor).attention_weights(X)
    with pytest.raises(ValueError, match=message):
        _fitted(LSTMForecaster).attention_weights()
