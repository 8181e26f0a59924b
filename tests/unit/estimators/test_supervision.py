"""`supervision="every"`: a forecast is learned after each step of the LSTM."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lstmforecast import LSTM, EarlyStopping, Linear, LSTMForecaster, Sampling, _core
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.fitting.roll import forecast_origins

EVERY = {"supervision": "every", "segment_length": 3}
FAST = {
    "architecture": LSTM(**EVERY), "window_size": 12, "hidden_size": 6, "max_epochs": 2,
    "sampling": Sampling(steps_per_epoch=5), "batch_size": 31, "random_state": 0, "n_threads": 1,
}  # fmt: skip


def _wave(n=200, k=1, noise=0.1):
    hours = pd.date_range("2026-01-01", periods=n, freq="h")
    rng = np.random.default_rng(0)
    wave = 20 + 5 * np.sin(np.arange(n) * 2 * np.pi / 24)[:, None] + rng.normal(0, noise, (n, k))
    return pd.DataFrame(wave, index=hours, columns=list("abc"[:k]))


def test_plain_hourly_steps_learn_a_noisy_sine():
    y = _wave(1000, noise=0.5)
    train, test = y.iloc[:-24], y.iloc[-24:]
    model = LSTMForecaster(
        24, architecture=LSTM(segment_length=1, supervision="every"), window_size=48, hidden_size=16, max_epochs=6,
        learning_rate=1e-2, random_state=0, n_threads=1,
    ).fit(train)  # fmt: skip
    assert model.model_.config["linear_skip"] is False
    assert model.history_["val_loss"].iloc[-1] < 0.5 * model.history_["val_loss"].iloc[0]
    error = (model.predict() - test).abs().to_numpy().mean()
    # noise of deviation 0.5 leaves a mean absolute error of 0.4 to a perfect forecast, and a second of training some
    # 0.5 to 1.0, by the seed; repeating the last value errs by 4
    assert error < 1.2
    assert (test - train.iloc[-1]).abs().to_numpy().mean() > 3


def test_a_window_of_one_step_is_the_same_either_way():
    y = _wave(k=2)
    networks = [LSTM(segment_length=12, linear_skip=False, supervision=each) for each in ("every", "last")]
    models = [LSTMForecaster(5, **(FAST | {"architecture": network})).fit(y) for network in networks]
    columns = ["train_loss", "val_loss", "grad_norm"]
    assert_array_equal(models[0].history_[columns], models[1].history_[columns])
    assert_array_equal(models[0].predict(), models[1].predict())


def test_the_validation_loss_is_that_of_the_forecasts():
    y = _wave(k=2)
    options = FAST | {
        "loss": "mse",
        "sampling": Sampling(steps_per_epoch=None),
        "early_stopping": EarlyStopping(validation_fraction=0.2),
    }
    model = LSTMForecaster(5, **options).fit(y)
    split = 160
    seen = read_series(model, y)
    origins = np.arange(split, len(y) - 5 + 1)
    forecasts = forecast_origins(model.model_, seen, origins, 5, n_threads=model.n_threads)[..., 0]
    truth = np.stack([y.to_numpy()[origin : origin + 5] for origin in origins])
    errors = (forecasts - truth) / model.model_.scalers()["output_scale"]
    best = model.history_["val_loss"].min()
    # forecasts in single precision
    assert (errors**2).mean() == pytest.approx(best, rel=1e-5)


def test_the_end_of_a_window_moves_the_level_of_its_forecast_only():
    """An untrained head of zeros repeats the last value, though the input's level is that of the first step."""
    y = _wave()
    model = LSTMForecaster(3, **FAST).fit(y)
    weights = model.model_.parameters()
    model.load_state_dict(weights | {name: np.zeros_like(weights[name]) for name in ("fc.weight", "fc.bias")})
    assert_allclose(model.predict()["a"], y["a"].iloc[-1], rtol=1e-12)


def test_a_forecast_moves_with_the_level():
    y = _wave(k=2)
    model = LSTMForecaster(3, **FAST).fit(y)
    # the input is shifted in double precision before it becomes single
    assert_allclose(model.predict(context=y + 100), model.predict(context=y) + 100, rtol=1e-7)


def test_it_goes_on_in_files_pickles_and_ensembles(tmp_path):
    y = _wave(k=2)
    model = LSTMForecaster(3, **FAST, n_estimators=2).fit(y)
    model.save(tmp_path / "model.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "model.safetensors")
    assert loaded.architecture.supervision == "every"
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        assert other.model_.config["supervision"] == "every"
        assert_array_equal(other.predict(), model.predict())


def test_threads_change_rounding_alone():
    y = _wave(k=2)
    one, two = (LSTMForecaster(3, **(FAST | {"n_threads": n})).fit(y) for n in (1, 2))
    assert_allclose(two.history_["train_loss"], one.history_["train_loss"], rtol=1e-4)
    assert_array_equal(two.predict(), LSTMForecaster(3, **(FAST | {"n_threads": 2})).fit(y).predict())


def test_heads_that_go_step_by_step():
    y = _wave()
    model = LSTMForecaster(6, **(FAST | {"architecture": LSTM(head="recursive", **EVERY)})).fit(y)
    assert model.model_.config["horizon"] == 1
    assert np.isfinite(model.predict(9)).all(axis=None)


def test_training_may_go_on_at_the_last_step():
    y = _wave()
    model = LSTMForecaster(3, **FAST, warm_start=True).fit(y)
    before = model.history_["val_loss"].min()
    model.set_params(architecture__supervision="last", architecture__linear_skip=False, max_epochs=1).fit(y)
    assert model.history_["val_loss"].iloc[0] < 1.5 * before


@pytest.mark.parametrize("supervision", ["last", "every"])
@pytest.mark.parametrize("linear_skip", [None, True, False])
def test_the_line_is_there_where_it_can_be(supervision, linear_skip):
    network = LSTM(segment_length=3, supervision=supervision, linear_skip=linear_skip)
    forecaster = LSTMForecaster(3, **(FAST | {"architecture": network}))
    if supervision == "every" and linear_skip:
        with pytest.raises(ValueError, match=r"expected linear_skip=False.* with supervision='every', got True"):
            forecaster.fit(_wave())
        return
    expected = supervision == "last" if linear_skip is None else linear_skip
    assert forecaster.fit(_wave()).model_.config["linear_skip"] is expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"architecture": LSTM(bidirectional=True, **EVERY)},
            "expected bidirectional=False, which sees the future, .*'every', got True",
        ),
        ({"normalize": "window"}, "expected normalize='last' or None, as few rows have no deviation, .*, got 'window'"),
        (
            {"calendar": ["time_of_day"]},
            r"expected no features known in advance \(X, calendar, holidays\) .*'every', got 2",
        ),
        (
            {"architecture": LSTM(segment_length=3, supervision="all")},
            "expected supervision to be 'last' or 'every', got 'all'",
        ),
    ],
)
def test_what_can_not_be_supervised_at_every_step(parameters, message):
    with pytest.raises(ValueError, match=message):
        LSTMForecaster(3, **(FAST | parameters)).fit(_wave())


def test_a_linear_forecast_has_no_steps():
    with pytest.raises(TypeError, match="supervision"):
        Linear(supervision="every")
    config = LSTMForecaster(3, **(FAST | {"architecture": "linear"})).fit(_wave()).model_.config
    with pytest.raises(ValueError, match="expected architecture='lstm' with supervision='every', got 'linear'"):
        _core.Model(config | {"supervision": "every"})


def test_covariates_known_in_advance_are_refused():
    y = _wave()
    X = pd.DataFrame({"price": np.arange(len(y))}, index=y.index)
    message = r"expected no features known in advance \(X, calendar, holidays\) with supervision='every', got 1"
    with pytest.raises(ValueError, match=message):
        LSTMForecaster(3, **FAST).fit(y, X)
    assert np.isfinite(LSTMForecaster(3, **FAST).fit(y, X_past=X).predict()).all(axis=None)
