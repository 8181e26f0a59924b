"""Conformal intervals: their promise on exchangeable errors, their form, and what update teaches them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmforecast import EarlyStopping, LSTMForecaster, Sampling
from lstmforecast.uncertainty.calibration import (
    MOST_WINDOWS,
    Calibration,
    check_probabilities,
    levels_of,
)
from lstmforecast.uncertainty.errors import calibration_origins

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=5), "random_state": 0, "n_threads": 1}


def _hours(n=400, k=1):
    index = pd.date_range("2026-01-01", periods=n, freq="h")
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(n) * np.pi / 12)[:, None] + rng.normal(0, 0.2, (n, k))
    return pd.DataFrame(values, index=index, columns=[f"v{i}" for i in range(k)])


@given(n=st.integers(1, 200), level=st.floats(0.01, 0.99))
def test_a_quantile_holds_with_the_promised_probability(n, level):
    # Of n + 1 exchangeable errors each is as likely to be the new one, which is at most the j-th smallest of the others
    # with probability j / (n + 1).
    calibration = Calibration(np.random.default_rng(n).permutation(n).astype(np.float32).reshape(n, 1, 1) + 1)
    try:
        j = calibration.quantile(level, "").item()
    except ValueError:
        # the promise cannot be kept with so few
        assert n == 1 or min(level, 1 - level) < 1 / (n + 1) + 1e-9
        return
    if n == 1:
        # a single error has no sign: it holds to both sides with a probability of one half
        assert 0.25 <= level <= 0.75
        assert abs(j) in (0, 1)
    elif level >= 0.5:
        assert j / (n + 1) >= level - 1e-9
        assert (j - 1) / (n + 1) < level  # and no more than needed
    else:
        assert j / (n + 1) <= level + 1e-9
        assert (j + 1) / (n + 1) > level


def test_a_pickle_has_no_caches():
    calibration = Calibration(np.random.default_rng(0).normal(size=(50, 2, 1)).astype(np.float32))
    before = pickle.dumps(calibration)
    expected = calibration.quantile(0.9, "")
    assert pickle.dumps(calibration) == before
    np.testing.assert_array_equal(pickle.loads(before).quantile(0.9, ""), expected)


@given(n=st.integers(1, 200), coverage=st.floats(0.01, 0.99), shift=st.floats(-300, 300))
def test_errors_of_a_panel_hold_to_both_sides_whatever_they_have_in_common(n, coverage, shift):
    errors = np.random.default_rng(n).permutation(n + 1).astype(np.float32) + np.float32(shift)
    lower, upper = levels_of(coverage)
    try:
        calibration = Calibration(errors[:n].reshape(n, 1, 1), spreads=np.ones((n, 1)))
        low, high = (calibration.quantile(level, "").item() for level in (lower, upper))
    except ValueError:
        assert 1 - coverage < 1 / (n + 1) + 1e-9
        return
    assert low == -high
    # of the n + 1 errors each is as likely to be the new one
    held = np.sum(np.abs(errors[:n]) <= high)
    assert held / (n + 1) >= coverage - 1e-9
    assert calibration.quantile(0.5, "") == 0


def test_the_needed_number_of_windows_suffices():
    for coverage, needed in [(0.8, 9), (0.9, 19), (0.95, 39)]:
        upper = levels_of(coverage)[1]
        with pytest.raises(ValueError, match=rf"expected at least {needed} windows held out for c, got {needed - 1}"):
            Calibration(np.zeros((needed - 1, 1, 1), np.float32)).quantile(upper, "c")
        assert Calibration(np.zeros((needed, 1, 1), np.float32)).quantile(upper, "c") == 0


def test_origins_are_spread_over_the_rows_held_out():
    assert calibration_origins(80, 100, horizon=5).tolist() == list(range(80, 96))
    origins = calibration_origins(10_000, 20_000, horizon=24)
    assert len(origins) == MOST_WINDOWS
    assert (origins[0], origins[-1]) == (10_000, 20_000 - 24)
    assert len(calibration_origins(80, 84, horizon=5)) == 0


def test_errors_are_those_of_forecasts_of_the_rows_held_out():
    y = _hours()
    model = LSTMForecaster(3, window_size=24, **FAST).fit(y)
    truth = y["v0"].to_numpy()
    for at, origin in [(0, 320), (77, 397)]:
        forecast = model.predict(context=y[:origin])["v0"].to_numpy()
        # float32 on both sides, numbers of size 1
        np.testing.assert_allclose(
            model.fitted_.calibration.errors[at, :, 0], truth[origin : origin + 3] - forecast, atol=1e-6
        )


@pytest.mark.parametrize("k", [1, 3])
def test_intervals_have_sktimes_columns_and_the_forecasts_index(k):
    model = LSTMForecaster(3, **FAST).fit(_hours(k=k))
    interval = model.predict_interval([0.5, 0.9], horizon=2)
    assert list(interval.columns[:4]) == [
        ("v0", 0.5, "lower"),
        ("v0", 0.5, "upper"),
        ("v0", 0.9, "lower"),
        ("v0", 0.9, "upper"),
    ]
    assert interval.shape == (2, 4 * k)
    assert interval.index.equals(model.predict(2).index)
    assert (interval["v0", 0.9, "lower"] < interval["v0", 0.5, "lower"]).all()
    quantiles = model.predict_quantiles([0.05, 0.25, 0.5, 0.75, 0.95])
    assert list(quantiles.columns[:2]) == [("v0", 0.05), ("v0", 0.25)]
    assert (np.diff(quantiles["v0"].to_numpy(), axis=1) >= 0).all()
    pd.testing.assert_series_equal(quantiles["v0", 0.05][:2], interval["v0", 0.9, "lower"], check_names=False)


def test_arrays_get_numbers():
    y = np.random.default_rng(0).normal(size=300)
    model = LSTMForecaster(2, **FAST).fit(y)
    assert model.predict_interval(0.8).index.tolist() == [300, 301]
    model.update(y[:5])
    interval = model.predict_interval(0.8)
    assert interval.index.tolist() == [305, 306]
    assert interval.columns.tolist() == [(0, 0.8, "lower"), (0, 0.8, "upper")]
    assert model.predict_interval(0.8, context=y[:200]).index.tolist() == [200, 201]


def test_update_learns_the_errors_that_can_be_judged_in_any_portions():
    y = _hours(420, k=2)
    at_once = LSTMForecaster(5, window_size=24, **FAST).fit(y[:400])
    n_before = len(at_once.fitted_.calibration.errors)
    in_portions = LSTMForecaster(5, window_size=24, **FAST).fit(y[:400])
    at_once.update(y[400:])
    for row in [slice(400, 401), slice(401, 403), slice(403, 420)]:
        in_portions.update(y[row])
    errors = at_once.fitted_.calibration.errors
    # each new row completes one window
    assert len(errors) == min(MOST_WINDOWS, n_before + 20)
    np.testing.assert_array_equal(errors, in_portions.fitted_.calibration.errors)
    truth = y.to_numpy()[415:420]
    np.testing.assert_allclose(errors[-1], truth - at_once.predict(context=y[:415]).to_numpy(), atol=1e-6)


def test_intervals_widen_when_the_series_becomes_wilder():
    rng = np.random.default_rng(0)
    model = LSTMForecaster(1, window_size=12, **FAST).fit(rng.normal(size=600))
    before = model.predict_interval()
    model.update(rng.normal(0, 10, 1000))
    after = model.predict_interval()
    width = [interval[0, 0.9, "upper"] - interval[0, 0.9, "lower"] for interval in (before, after)]
    assert width[1].item() > 5 * width[0].item()


def test_made_up_values_are_no_truth():
    y = _hours()["v0"]
    y.iloc[[350, 351]] = np.nan
    model = LSTMForecaster(3, window_size=24, missing="interpolate", **FAST).fit(y)
    # windows of three steps that begin two rows before the gap to its last row
    assert len(model.fitted_.calibration.errors) == 400 - 320 - 3 + 1 - 4


def test_intervals_are_saved(tmp_path):
    model = LSTMForecaster(3, **FAST).fit(_hours(k=2))
    model.save(tmp_path / "model.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "model.safetensors")
    newer = _hours(430, k=2)[400:]
    pd.testing.assert_frame_equal(loaded.predict_interval(), model.predict_interval())
    pd.testing.assert_frame_equal(loaded.update(newer).predict_interval(), model.update(newer).predict_interval())


def test_what_cannot_be_promised_is_said():
    y = np.arange(200.0)
    nothing = LSTMForecaster(3, early_stopping=None, **FAST).fit(y)
    with pytest.raises(ValueError, match=r"expected rows held out by fit .*got none: set early_stopping$"):
        nothing.predict_interval()
    no_rows = LSTMForecaster(3, early_stopping=EarlyStopping(validation_fraction=0), **FAST).fit(y)
    with pytest.raises(ValueError, match=r"got none: set another validation_fraction of EarlyStopping$"):
        no_rows.predict_interval()
    no_truth = LSTMForecaster(3, missing="mask", **FAST).fit(np.where(y % 3, y, np.nan))
    with pytest.raises(ValueError, match="expected 3 rows in a row without missing values among those held out by fit"):
        no_truth.predict_interval()
    model = LSTMForecaster(3, calibration="exact", **FAST).fit(y)
    with pytest.raises(
        TypeError, match="expected horizon to be an integer, got ndarray: pass data to forecast from as co"
    ):
        model.predict(y)
    with pytest.raises(ValueError, match="expected a horizon of at most 3, as trained for, got 4"):
        model.predict_interval(horizon=4)
    with pytest.raises(
        ValueError,
        match=r"expected at least 199 windows held out for coverage=0\.99, got 38; ask for a "
        r"coverage of at most 0\.94, or hold out more rows with "
        r"early_stopping=EarlyStopping\(validation_fraction=\.\.\.\)$",
    ):
        model.predict_interval(0.99)
    with pytest.raises(ValueError, match="expected coverage between 0 and 1, got 90"):
        model.predict_interval(90)
    with pytest.raises(ValueError, match=r"expected each coverage once, got \[0\.8, 0\.8\]"):
        model.predict_interval([0.8, 0.8])
    with pytest.raises(TypeError, match="expected coverage to be a number or a list of numbers, got"):
        model.predict_interval([[0.1], [0.2, 0.3]])
    with pytest.raises(TypeError, match="expected alpha to be a number or a list of numbers, got 'half'"):
        model.predict_quantiles("half")
    assert check_probabilities("alpha", (0.1, 0.5)) == [0.1, 0.5]
