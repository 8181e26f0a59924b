"""Steps that are forecast one by one, windows brought to mean 0 and deviation 1, and logarithms, each by hand."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, LSTMForecaster, Sampling

FAST = {
    "window_size": 24,
    "hidden_size": 4,
    "max_epochs": 2,
    "sampling": Sampling(steps_per_epoch=10),
    "random_state": 0,
    "n_threads": 1,
}


def _waves(n=400, k=2):
    wave = np.sin(np.arange(n) * np.pi / 12)[:, None] + np.arange(k)
    return wave + np.random.default_rng(0).normal(0, 0.2, (n, k))


@pytest.mark.parametrize("loss", ["mse", "quantile", "normal"])
def test_a_recursive_head_is_one_step_rolled_on_by_hand(loss):
    y = _waves()
    model = LSTMForecaster(5, architecture=LSTM(head="recursive"), loss=loss, **FAST).fit(y)
    single = LSTMForecaster(1, loss=loss, **FAST).fit(y)
    assert model.model_.config["horizon"] == 1
    rows = y
    for _ in range(5):
        rows = np.concatenate([rows, single.predict(context=rows)])
    # the same operations on the same numbers
    np.testing.assert_array_equal(model.predict(), rows[-5:])


def test_a_recursive_head_has_intervals_of_all_its_steps():
    y = _waves(600).cumsum(axis=0)
    model = LSTMForecaster(5, architecture=LSTM(head="recursive"), **FAST).fit(y)
    assert model.fitted_.calibration.errors.shape[1:] == (5, 2)
    origin = 480
    truth = y[origin : origin + 5]
    np.testing.assert_allclose(
        model.fitted_.calibration.errors[0], truth - model.predict(context=y[:origin]), atol=1e-5 * np.abs(y).max()
    )
    assert model.predict_interval().shape == (5, 4)
    with pytest.raises(ValueError, match="expected a horizon of at most 5, as trained for, got 6"):
        model.predict_interval(horizon=6)
    assert model.update(y[:3]).predict(9).shape == (9, 2)


def test_a_recursive_head_needs_what_it_is_shown():
    y = _waves()
    with pytest.raises(ValueError, match="expected horizon=1 or head='direct' with X_past"):
        LSTMForecaster(5, architecture=LSTM(head="recursive"), **FAST).fit(y, X_past=y)
    X = np.random.default_rng(1).normal(size=(405, 1))
    model = LSTMForecaster(5, architecture=LSTM(head="recursive"), **FAST).fit(y, X[:400])
    rows = y
    single = LSTMForecaster(1, **FAST).fit(y, X[:400])
    for _ in range(5):
        rows = np.concatenate([rows, single.predict(context=rows, X=X[: len(rows) + 1])])
    np.testing.assert_array_equal(model.predict(X=X[400:]), rows[-5:])


def test_what_never_changes_of_a_series_stays_as_forecasts_roll_on():
    index = pd.date_range("2026-01-01", periods=400, freq="h")
    y = pd.concat({name: pd.Series(_waves(k=1)[:, 0] + i, index) for i, name in enumerate("st")})
    static = pd.DataFrame({"size": [1.0, 30.0]}, index=["s", "t"])
    model = LSTMForecaster(2, normalize=None, architecture=LSTM(linear_skip=False), **FAST).fit(y, static=static)
    rolled, forecast = model.predict(4), model.predict()
    longer = pd.concat([y, forecast]).sort_index(level=0)
    by_hand = model.predict(context=longer, static=static)
    for name in "st":
        # sizes are those of fit
        np.testing.assert_allclose(rolled.loc[name][2:], by_hand.loc[name], rtol=1e-6)


@pytest.mark.parametrize("channels", ["independent", "together"])
@pytest.mark.parametrize("loss", ["mse", "quantile", "student_t"])
def test_a_normalised_window_may_be_of_any_level_and_size(channels, loss):
    y = _waves()
    model = LSTMForecaster(5, normalize="window", channels=channels, loss=loss, **FAST).fit(y)
    forecast = model.predict(context=y)
    for a, b in [(1e-3, 0.0), (5.0, -100.0), (1e6, 1e6)]:
        moved = model.predict(context=a * y + b)
        # single precision: one part in 1e6 of the largest number
        np.testing.assert_allclose(moved, a * forecast + b, rtol=0, atol=2e-6 * (3 * a + abs(b)))


@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_logarithms_are_those_taken_by_hand(loss):
    y = np.exp(_waves())
    model = LSTMForecaster(5, transform="log", loss=loss, **FAST).fit(y)
    by_hand = LSTMForecaster(5, loss=loss, **FAST).fit(np.log1p(y))
    np.testing.assert_array_equal(model.predict(12), np.expm1(by_hand.predict(12)))
    np.testing.assert_array_equal(model.predict_quantiles(), np.expm1(by_hand.predict_quantiles()))
    assert (model.predict(100) > -1).all()
    model.update(y[:20])
    by_hand.update(np.log1p(y[:20]))
    np.testing.assert_array_equal(model.predict_interval(), np.expm1(by_hand.predict_interval()))


def test_what_has_no_logarithm_is_refused_wherever_it_comes():
    y = np.exp(_waves())
    wrong = np.where(np.arange(len(y))[:, None] == 390, -1.5, y)
    words = "expected values above -1 for transform='log', got -1.5"
    with pytest.raises(ValueError, match=words):
        LSTMForecaster(5, transform="log", **FAST).fit(wrong)
    model = LSTMForecaster(5, transform="log", **FAST).fit(y)
    before = model.predict()
    with pytest.raises(ValueError, match=words):
        model.predict(context=wrong)
    with pytest.raises(ValueError, match=words):
        model.update(wrong[380:])
    np.testing.assert_array_equal(model.predict(), before)
