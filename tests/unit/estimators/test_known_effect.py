"""The effect of known features: what a fit finds, and all that must have it: forecasts, files, pickles, later fits."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import lstmforecast
from lstmforecast import LSTM, LSTMForecaster, Pretrained
from lstmforecast.fitting.effect import KnownEffect

N, HORIZON = 900, 6
HOURS = pd.date_range("2026-01-01", periods=N, freq="h")
SMALL = {"window_size": 24, "hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}
LINE = {"architecture": "linear", "window_size": 24, "random_state": 0, "n_threads": 1}


def made(kind, seed=0):
    """A column of values far apart, and a walk to which it adds what ``kind`` says."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=N), rng.normal(size=N)
    felt = pd.Series(x).ewm(halflife=12).mean().to_numpy()
    added = {
        "hinge": 3 * np.clip(x - 0.5, 0, None),
        "product": 2 * x * (z > 0),
        "recent mean": 20 * felt,
        "nothing": np.zeros(N),
    }
    walk = np.cumsum(rng.normal(0, 0.1, N))
    return pd.Series(walk + added[kind], HOURS), pd.DataFrame({"x": x, "z": z}, HOURS)


def errors(model, y, X, n_test=120):
    found = lstmforecast.backtest(model, y, X, folds=lstmforecast.Folds(n_test, stride=HORIZON))
    return float(found.scores.loc["LSTMForecaster", "MAE"])


@pytest.mark.parametrize("kind", ["hinge", "product", "recent mean"])
def test_effects_that_are_not_linear_are_found(kind):
    y, X = made(kind)
    plain = LSTMForecaster(HORIZON, **LINE)
    # the standard deviation of the walk after 6 steps is 0.24; what is added varies by 1 or more
    assert errors(plain, y, X) < 0.45 * errors(plain, y, None)


def test_what_adds_nothing_changes_little():
    y, X = made("nothing")
    plain = LSTMForecaster(HORIZON, **LINE)
    assert errors(plain, y, X) < 1.02 * errors(plain, y, None)


@pytest.fixture(scope="module")
def fitted():
    y, X = made("product")
    return LSTMForecaster(HORIZON, **SMALL).fit(y[:-HORIZON], X[:-HORIZON]), X[-HORIZON:]


def test_the_network_has_no_weight_of_known_features_beside_the_effect(fitted):
    model, _ = fitted
    assert "known.weight" not in model.model_.parameters()
    assert model.model_.config["known_effect"] is True
    effect = KnownEffect.of(model.model_.scalers(), 2)
    assert effect.linear.shape == (1 + len(effect.rates), 1, 2)
    assert effect.bent.shape == (1, len(effect.hinges))


def test_files_pickles_and_eight_bits_have_the_effect(fitted, tmp_path):
    model, X = fitted
    forecast = model.predict(X=X)
    model.save(tmp_path / "model.safetensors")
    for other in (lstmforecast.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert_allclose(other.predict(X=X), forecast, rtol=0)
    rounded = model.quantize("int8").predict(X=X)
    # weights are off by 1 of 254 of the greatest in a row
    assert np.abs(rounded - forecast).max() < 0.05 * forecast.std()


def test_a_damaged_effect_is_refused(fitted, tmp_path):
    model, _ = fitted
    scalers = model.model_.scalers()
    restore = lstmforecast._core.Model.restore
    config, weights = model.model_.config, model.model_.parameters()
    some = {name: array for name, array in scalers.items() if name != "effect_rates"}
    with pytest.raises(ValueError, match=r"expected all of .*effect_rates.* or none, got some"):
        restore(config, weights, some)
    with pytest.raises(ValueError, match="expected finite arrays of an effect of 2 known features on 1 targets"):
        restore(config, weights, scalers | {"effect_weight": scalers["effect_weight"][1:]})


def test_windows_alone_are_forecast_as_within_the_series(fitted):
    model, _ = fitted
    y, X = made("product")
    network, dataset = model.model_, model.fitted_.dataset
    ends = N - HORIZON - np.arange(3) * 7
    rows = np.column_stack([y, X])
    windows = np.stack([rows[end - 24 : end + HORIZON] for end in ends])
    windows[:, 24:, 0] = np.nan
    alone = network.forecast(windows)
    assert dataset.table.shape[1] == 3
    within = network.forecast_series(rows, ends)
    assert_allclose(np.ravel(alone), np.ravel(within), rtol=0)


def test_distributions_from_zero_and_other_levels_have_a_weight_instead():
    y, X = made("hinge")
    for options in ({"loss": "poisson"}, {"normalize": None}, {"normalize": "window"}):
        counts = (y - y.min()).round() if "loss" in options else y
        model = LSTMForecaster(HORIZON, **SMALL, **options).fit(counts, X)
        assert "known_effect" not in model.model_.config
        assert "known.weight" in model.model_.parameters()
    model = LSTMForecaster(HORIZON, **SMALL, architecture=LSTM(linear_skip=False)).fit(y, X)
    assert "known_effect" not in model.model_.config


@pytest.mark.parametrize("loss", ["normal", "quantile"])
def test_distributions_are_shifted(loss):
    y, X = made("hinge")
    model = LSTMForecaster(HORIZON, **SMALL, loss=loss).fit(y[:-HORIZON], X[:-HORIZON])
    low, high = X[-HORIZON:].assign(x=-1.0), X[-HORIZON:].assign(x=2.0)
    levels = [0.1, 0.5, 0.9]
    change = model.predict_quantiles(levels, X=high).to_numpy() - model.predict_quantiles(levels, X=low).to_numpy()
    # 3 (2 - 0.5), for all levels, found with some error
    assert_allclose(change, 4.5, atol=1.5)


def test_series_of_a_panel_have_the_effect_in_their_scales():
    y, X = made("hinge")
    both = pd.concat({"a": y, "b": 1000 * y}, names=["shop", "hour"])
    known = pd.concat({"a": X, "b": X}, names=["shop", "hour"])
    model = LSTMForecaster(HORIZON, **LINE).fit(both, known)
    ahead = pd.date_range(HOURS[-1], periods=HORIZON + 1, freq="h")[1:]
    X_ahead = pd.DataFrame({"x": 2.0, "z": 0.0}, ahead)
    found = model.predict(X=pd.concat({"a": X_ahead, "b": X_ahead}, names=["shop", "hour"]))
    # the same series in other units; scales are of double precision, the network is of single
    assert_allclose(found["b"], 1000 * found["a"], rtol=1e-4)


def test_pretrained_weights_get_an_effect_of_the_new_series(fitted):
    source, _ = fitted
    y, X = made("hinge")
    for freeze in (None, "skip.*"):
        model = LSTMForecaster(HORIZON, **SMALL, pretrained=Pretrained(source, freeze=freeze)).fit(y, X)
        assert KnownEffect.of(model.model_.scalers(), 2) is not None


def test_networks_of_an_ensemble_have_one_effect():
    y, X = made("product")
    model = LSTMForecaster(HORIZON, **SMALL, n_estimators=2).fit(y[:-HORIZON], X[:-HORIZON])
    first, second = (member.scalers() for member in model.model_.members)
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("change", ["level", "scale"])
def test_an_effect_is_that_of_the_data_where_a_fit_goes_on(change):
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    x[300:] = x[300:] * 6 + 4 if change == "scale" else x[300:]
    y = 3 * np.abs(x) + rng.normal(0, 0.2, 600)
    y[300:] += 30 * (change == "level")
    options = {"window_size": 14, "hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1}

    def error(model):
        rows = range(500, 596, 8)
        forecasts = [model.predict(context=y[:at], X=x[: at + 4, np.newaxis]).ravel() for at in rows]
        return np.mean([np.abs(forecast - y[at : at + 4]) for forecast, at in zip(forecasts, rows, strict=True)])

    model = LSTMForecaster(4, warm_start=True, **options).fit(y[:300], x[:300, np.newaxis])
    model.fit(y[:500], x[:500, np.newaxis])
    # with the effect in the units of the first rows, it was 20 times as large
    assert error(model) < 2 * error(LSTMForecaster(4, **options).fit(y[:500], x[:500, np.newaxis]))
