"""`tbptt`: truncated backpropagation through time."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from lstmforecast import (
    LSTM,
    Linear,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    Sampling,
    Transformer,
    _core,
    load,
)

FAST = {"hidden_size": 6, "max_epochs": 2, "random_state": 0, "n_threads": 1}


def _forecaster(tbptt, *, supervision="last", linear_skip=None, **parameters):
    network = LSTM(segment_length=1, tbptt=tbptt, supervision=supervision, linear_skip=linear_skip)
    sampling = Sampling(steps_per_epoch=4)
    return LSTMForecaster(2, window_size=12, architecture=network, sampling=sampling, **(FAST | parameters))


def _series(n=120):
    return np.sin(np.arange(n) / 3) + np.random.default_rng(0).normal(0, 0.1, n)


@pytest.mark.parametrize("estimator", [LSTMRegressor, LSTMClassifier])
def test_a_border_changes_what_rows_teach(estimator):
    X = np.random.default_rng(0).normal(size=(200, 8))
    y = (X[:, -1] + X[:, -2] > 0).astype(int)
    options = FAST | {"max_epochs": 30, "hidden_size": 8, "learning_rate": 1e-2}
    models = {n: estimator(architecture=LSTM(tbptt=n), **options).fit(X, y) for n in (None, 8, 2)}
    # what the last two steps say is learned by gradients that go no further
    assert all(model.score(X, y) > 0.7 for model in models.values())
    for name, weight in models[None].model_.parameters().items():
        assert_array_equal(weight, models[8].model_.parameters()[name])
    whole, last = (models[n].model_.parameters()["lstm.weight_hh_l0"] for n in (None, 2))
    assert (whole != last).any()


@pytest.mark.parametrize("supervision", ["last", "every"])
def test_a_forecaster_is_cloned_pickled_saved(tmp_path, supervision):
    model = clone(_forecaster(5, supervision=supervision)).fit(_series())
    assert model.model_.config["tbptt"] == 5
    forecast = model.predict()
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.architecture.tbptt == again.model_.config["tbptt"] == 5
    for other in (again, pickle.loads(pickle.dumps(model))):
        assert_array_equal(other.predict(), forecast)


def test_a_fit_goes_on_with_another_border():
    y = _series()
    model = _forecaster(3, linear_skip=False, warm_start=True, max_epochs=10).fit(y)
    before = model.history_["train_loss"].iloc[0]
    assert model.set_params(architecture__tbptt=None).fit(y).history_["train_loss"].iloc[0] < before


def test_the_mean_of_several_networks():
    model = _forecaster(5, n_estimators=2).fit(_series())
    assert model.model_.config["tbptt"] == 5
    assert np.isfinite(model.predict()).all()


def test_what_makes_no_sense():
    y, X = _series(), np.random.default_rng(0).normal(size=(40, 10))
    with pytest.raises(ValueError, match=r"expected tbptt to be an integer of at least 1 or None, got 0"):
        _forecaster(0).fit(y)
    with pytest.raises(TypeError, match=r"expected tbptt to be an integer of at least 1 or None, got 1.5"):
        LSTMRegressor(architecture=LSTM(tbptt=1.5)).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"expected bidirectional=False with tbptt, .* got True"):
        LSTMClassifier(architecture=LSTM(tbptt=2, bidirectional=True)).fit(X, X[:, 0] > 0)
    for network in (Transformer, Linear) if _core.HAS_TORCH else (Linear,):
        with pytest.raises(TypeError, match="tbptt"):
            network(tbptt=2)
        config = LSTMForecaster(2, architecture=network(), **FAST | {"hidden_size": 8}).fit(y).model_.config
        message = f"expected an architecture with an LSTM with tbptt, got '{network.word}'"
        with pytest.raises(ValueError, match=message):
            _core.Model(config | {"tbptt": 2})
