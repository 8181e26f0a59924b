"""Several networks as one forecaster."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lstmforecast import LSTM, LSTMForecaster, Sampling

FAST = {
    "architecture": LSTM(mix_naive=False),
    "horizon": 3,
    "window_size": 12,
    "hidden_size": 4,
    "max_epochs": 3,
    "sampling": Sampling(steps_per_epoch=4),
    "n_threads": 2,
}


def _series(n=200):
    return np.sin(np.arange(n) / 5) + np.random.default_rng(0).normal(0, 0.1, n)


@pytest.fixture
def three():
    return LSTMForecaster(n_estimators=3, random_state=0, **FAST).fit(_series())


def test_the_forecast_is_the_mean_of_different_ones(three):
    window = _series()[-12:].reshape(1, 12, 1)
    each = [model.forecast(window)[0, :, 0] for model in three.model_.members]
    # sums of doubles
    assert_allclose(three.predict(), np.mean(each, axis=0), rtol=1e-12)
    assert np.ptp(each, axis=0).min() > 1e-4


def test_members_are_what_one_alone_would_be(three):
    single = LSTMForecaster(random_state=0, **(FAST | {"n_threads": 1})).fit(_series())
    assert_array_equal(single.model_.parameters()["fc.weight"], three.model_.parameters()["members.0.fc.weight"])


def test_the_same_seed_gives_the_same_bits_whatever_the_threads(three):
    again = LSTMForecaster(n_estimators=3, random_state=0, **(FAST | {"n_threads": 1})).fit(_series())
    assert_array_equal(again.predict(), three.predict())


def test_it_is_saved_pickled_and_a_module(three, tmp_path):
    torch = pytest.importorskip("torch")
    three.save(tmp_path / "model.safetensors")
    for other in (LSTMForecaster.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(three))):
        assert_array_equal(other.predict(), three.predict())
        pd.testing.assert_frame_equal(other.predict_interval(), three.predict_interval())
        pd.testing.assert_frame_equal(other.history_, three.history_)
    module = three.to_torch()
    assert list(module.state_dict()) == list(three.state_dict())
    window = torch.from_numpy(_series()[-12:].reshape(1, 12, 1))
    # float32 in the module
    assert_allclose(module(window)[0, :, 0].detach().numpy(), three.predict(), rtol=1e-5, atol=1e-6)


def test_weights_go_in_and_out(three):
    torch = pytest.importorskip("torch")
    other = LSTMForecaster(n_estimators=3, random_state=1, **FAST).fit(_series())
    assert_array_equal(other.load_state_dict(three.state_dict()).predict(), three.predict())
    two = LSTMForecaster(n_estimators=2, random_state=1, **FAST).fit(_series())
    with pytest.raises(ValueError, match=r"unexpected: members\.2\.lstm\.weight_ih_l0, "):
        two.load_state_dict(three.state_dict())
    before, state = other.predict(), LSTMForecaster(n_estimators=3, random_state=2, **FAST).fit(_series()).state_dict()
    with pytest.raises(ValueError, match=r"of another shape: members\.2\.fc\.bias \(4,\) in place of \(3,\)"):
        # the first two fit
        other.load_state_dict(state | {"members.2.fc.bias": torch.zeros(4)})
    assert_array_equal(other.predict(), before)


def test_the_history_is_the_mean_and_callbacks_hear_of_all():
    records = []
    model = LSTMForecaster(n_estimators=3, random_state=0, callbacks=[records.append], **FAST).fit(_series())
    assert {(record["estimator"], record["epoch"]) for record in records} == {
        (i, e) for i in range(3) for e in (1, 2, 3)
    }
    table = pd.DataFrame(records).groupby("epoch").mean()
    assert_allclose(model.history_["val_loss"], table["val_loss"], rtol=1e-12)
    assert model.best_epoch_ == table["val_loss"].idxmin()
    assert model.n_epochs_ == 3


def test_a_callback_ends_all():
    model = LSTMForecaster(n_estimators=3, random_state=0, callbacks=[lambda record: True], **FAST).fit(_series())
    assert model.n_epochs_ == 1
    assert model.stop_reason_ == "callback"


def test_what_a_callback_raises_comes_out_and_leaves_nothing_half_fitted():
    def fail(record):
        raise RuntimeError("enough")

    model = LSTMForecaster(n_estimators=2, random_state=0, callbacks=[fail], **FAST)
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(_series())
    assert not hasattr(model, "model_")


def test_warm_start_goes_on_with_as_many(three):
    with pytest.raises(ValueError, match=r"expected n_estimators=3 as before, got 1; with warm_start=False a new"):
        three.set_params(warm_start=True, n_estimators=1).fit(_series())
    # each fit chooses the shares of naive forecasts anew
    three.set_params(n_estimators=3, architecture__mix_naive=False, warm_start=False).fit(_series())
    before = three.predict()
    three.set_params(warm_start=True, max_epochs=1, learning_rate=1e-12).fit(_series())
    # a step of 1e-12 moves nothing that single precision sees
    assert_allclose(three.predict(), before, rtol=1e-6)
