"""Shares of the network, its line and naive forecasts, which become part of the weights."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lstmforecast
from lstmforecast import LSTM, EarlyStopping, LSTMForecaster, Pretrained
from lstmforecast.estimators import shares
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.fitting.held_out import HeldOut

NAMES = ["network", "line", "seasonal_naive", "repeat_last"]
PLAIN = LSTM(mix_naive=False)
FAST = {"hidden_size": 6, "max_epochs": 2, "random_state": 0, "n_threads": 1}


def _days(n=200, k=1, seed=0):
    rng = np.random.default_rng(seed)
    values = 10 + np.sin(np.arange(n)[:, np.newaxis] * 2 * np.pi / 7 + np.arange(k)) + rng.normal(0, 0.4, (n, k))
    index = pd.date_range("2026-01-01", periods=n, freq="D")
    return pd.DataFrame(values, index, [f"v{i}" for i in range(k)])


def _alone(model, name):
    """A forecaster of which one part alone is left."""
    rest = pickle.loads(pickle.dumps(model))
    mixed = shares.mixed(rest.model_, {name: 1.0}, 7)
    rest.fitted_.model.load_parameters(mixed.parameters())
    return rest


def _fit(y, **parameters):
    return LSTMForecaster(4, window_size=14, **FAST | parameters).fit(y)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"channels": "together", "num_layers": 2},
        {"loss": "quantile"},
        {"loss": "normal", "n_estimators": 2},
        {"transform": "log"},
        {"architecture": LSTM(segment_length=2, bidirectional=True, mix_naive=False)},
    ],
    ids=str,
)
def test_a_mixture_is_the_sum_of_its_parts(parameters):
    y = _days(k=2)
    whole = _fit(y, **{"architecture": PLAIN, **parameters})
    undo = (lambda table: np.log1p(table.to_numpy())) if parameters.get("transform") else np.asarray
    parts = {name: undo(_alone(whole, name).predict()) for name in NAMES}
    mixture = {"network": 0.1, "line": 0.2, "seasonal_naive": 0.3, "repeat_last": 0.4}
    mixed = shares.mixed(whole.model_, mixture, 7)
    whole.fitted_.model.load_parameters(mixed.parameters())
    # weights and sums in single precision
    expected = sum(mixture[name] * parts[name] for name in NAMES)
    assert_allclose(undo(whole.predict()), expected, rtol=1e-5)
    assert_allclose(parts["repeat_last"], np.tile(undo(y.iloc[-1:]), (4, 1)), rtol=1e-6)
    assert_allclose(parts["seasonal_naive"], undo(y.iloc[-7:-3]), rtol=1e-6)
    assert np.abs(parts["network"] - parts["line"]).max() > 1e-5


@pytest.mark.parametrize(("loss", "power"), [(None, 1), ("mse", 2)])
def test_the_shares_are_those_of_the_least_error_on_held_out_rows(loss, power):
    """All mixtures one by one, from forecasts of the parts at each origin."""
    y = _days(160, k=2)
    plain = _fit(y, architecture=PLAIN, loss=loss)
    n_train = HeldOut.of(plain).training_rows(160)
    change = np.abs(np.diff(y.to_numpy()[:n_train], axis=0)).mean(axis=0)
    errors = {name: [] for name in NAMES}
    for name in NAMES:
        part = _alone(plain, name)
        for origin in range(n_train, 160):
            forecast = part.predict(context=y.iloc[:origin]).to_numpy()
            truth = y.iloc[origin : origin + 4].to_numpy()
            errors[name].append(((forecast[: len(truth)] - truth) / change).ravel())
    errors = np.array([np.concatenate(errors[name]) for name in NAMES])
    prior = np.array([0, 1, 0, 0])
    weight = (np.abs(errors) ** power).mean(axis=1).min() / ((160 - n_train) / 4 * np.sqrt(2))
    costs = {}
    for a in range(11):
        for b in range(11 - a):
            for c in range(11 - a - b):
                each = np.array([a, b, c, 10 - a - b - c]) / 10
                costs[tuple(each)] = (np.abs(each @ errors) ** power).mean() + weight * ((each - prior) ** 2).sum()
    found = _fit(y, loss=loss).shares_
    assert list(found) == NAMES
    assert_allclose(list(found.values()), min(costs, key=costs.get), atol=1e-9)
    assert sum(found.values()) - found["repeat_last"] > 0


def test_without_mixing_the_network_forecasts_alone():
    y = _days()
    mixed, plain = _fit(y), _fit(y, architecture=PLAIN)
    assert plain.shares_ is None
    expected = shares.mixed(plain.model_, mixed.shares_, 7).parameters()
    assert sum(mixed.shares_.values()) == pytest.approx(1, abs=1e-9)
    for name, array in mixed.model_.parameters().items():
        assert_array_equal(array, expected[name])
    pd.testing.assert_frame_equal(mixed.history_.drop(columns="seconds"), plain.history_.drop(columns="seconds"))


def test_a_walk_is_forecast_by_its_last_value_and_a_wave_by_the_model():
    steps = np.random.default_rng(3).normal(size=500)
    walk = _fit(pd.Series(steps.cumsum(), pd.date_range("2024-01-01", periods=500, freq="D"))).shares_
    # line and network are near the last value too
    assert walk["seasonal_naive"] <= 0.1
    times = np.arange(600)
    wave = np.sin(times / 9) + 0.5 * np.sin(times / 4)
    found = _fit(pd.Series(wave, pd.date_range("2024-01-01", periods=600, freq="D")), max_epochs=10).shares_
    assert found["network"] + found["line"] >= 0.9


def test_the_error_is_at_most_that_of_naive_forecasts_on_what_was_held_out():
    for seed in range(4):
        y = _days(90, k=3, seed=seed)
        model = _fit(y)
        parts = {name: _alone(model, name) for name in NAMES[2:]} | {"mixed": model}
        first = HeldOut.of(model).training_rows(90)
        errors = {}
        for name, part in parts.items():
            each = [part.predict(context=y.iloc[:o]) - y.iloc[o : o + 4] for o in range(first, 87)]
            errors[name] = np.abs(np.stack([table.to_numpy() for table in each])).mean()
        # the shares are chosen by all steps that are known, and shrunk a little
        assert errors["mixed"] < 1.05 * min(errors["seasonal_naive"], errors["repeat_last"])


def test_panels_covariates_and_no_season():
    rng = np.random.default_rng(0)
    times = pd.date_range("2026-01-01", periods=80, freq="D")
    rows = [pd.DataFrame({"unique_id": f"s{i}", "ds": times, "y": rng.normal(size=80) + i}) for i in range(5)]
    model = LSTMForecaster(4, **FAST).fit(pd.concat(rows))
    assert set(model.shares_) == set(NAMES)
    y = _days(120)
    known = pd.DataFrame({"x": rng.normal(size=124)}, pd.date_range("2026-01-01", periods=124, freq="D"))
    model = LSTMForecaster(4, **FAST).fit(y, known)
    assert model.shares_ is not None
    assert np.isfinite(model.predict(X=known)).all(axis=None)
    assert LSTMForecaster(4, **FAST).fit(y.to_numpy()).shares_["seasonal_naive"] == 0


def test_variables_that_never_vary_have_no_say():
    """What rounding leaves of a constant has errors of many times its changes."""
    y = _days(160)
    rounding = np.diff(np.cumsum(np.full(161, 1e6 + 0.1)))
    plain = _fit(y, architecture=PLAIN)
    # the same network, as each variable is forecast alone
    beside = _fit(y.assign(zero=0.0, rounding=rounding), architecture=PLAIN)
    beside.fitted_.model.load_parameters(plain.model_.parameters())
    found = [
        shares.with_shares(model.model_, read_series(model, table), HeldOut.of(model), 7, squared=False, n_threads=1)[1]
        for model, table in ((plain, y), (beside, y.assign(zero=0.0, rounding=rounding)))
    ]
    assert found[0] == found[1]


def test_where_there_is_nothing_to_mix():
    y = _days()
    for parameters in (
        {"normalize": "window"},
        {"normalize": None},
        {"architecture": LSTM(linear_skip=False)},
        {"architecture": "linear"},
        {"early_stopping": None},
        {"pretrained": Pretrained(_fit(y), freeze="fc.*")},
    ):
        assert _fit(y, **parameters).shares_ is None, parameters
    counts = y.round().abs()
    assert _fit(counts, loss="negative_binomial").shares_ is None


def test_few_rows_give_shares_without_windows():
    """Nothing can be held out; with a fraction of the user's own, that is an error."""
    y = _days(40)
    model = LSTMForecaster(20, **FAST).fit(y)
    assert model.shares_ == {"network": 0.0, "line": 1.0, "seasonal_naive": 0.0, "repeat_last": 0.0}
    assert len(model.predict()) == 20
    with pytest.raises(ValueError, match=r"expected at least .* rows"):
        LSTMForecaster(20, **FAST, early_stopping=EarlyStopping(validation_fraction=0.2)).fit(y)


def test_they_are_saved(tmp_path):
    model = _fit(_days())
    model.save(tmp_path / "model")
    restored = lstmforecast.load(tmp_path / "model")
    assert restored.shares_ == model.shares_
    assert_array_equal(restored.predict(), model.predict())
    assert pickle.loads(pickle.dumps(model)).shares_ == model.shares_
    for wrong in ({"network": 1.0}, 3, dict.fromkeys(NAMES, 2.0), dict.fromkeys(NAMES, "x")):
        with pytest.raises(ValueError, match="shares"):
            shares.check_shares(wrong)
    assert shares.check_shares(None) is None
