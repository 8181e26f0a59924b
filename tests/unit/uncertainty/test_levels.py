"""Levels that too few held-out windows can promise: how quantiles go on, and who is told."""

import pickle

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTMForecaster, backtest
from lstmforecast.uncertainty.calibration import Calibration, levels_of
from lstmforecast.uncertainty.intervals import corrected_quantiles
from lstmforecast.uncertainty.levels import is_promised, reach_of, too_few

FAST = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}


def _series(n, freq, k=1):
    index = pd.date_range("2020-01-01", periods=n, freq=freq)
    values = 10 + np.random.default_rng(0).normal(size=(n, k))
    return pd.DataFrame(values, index=index, columns=[f"v{i}" for i in range(k)])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8])
def test_intervals_of_few_normal_errors_hold_what_they_say(n):
    rng = np.random.default_rng(n)
    errors = rng.normal(size=(n, 40_000, 1)).astype(np.float32)
    lower, upper = corrected_quantiles(Calibration(errors), np.zeros((1, 40_000, 1, 1)), levels_of(0.8))
    truth = rng.normal(size=(1, 40_000, 1))
    held = ((lower <= truth) & (truth <= upper)).mean()
    # exact for one and two errors; for more, the outermost error and the median stand for a spread. The standard error
    # of 40,000 steps is 0.002, of which 0.01 is five
    assert abs(held - 0.8) < (0.01 if n < 3 else 0.05)


def test_quantiles_go_on_as_students_t_distribution():
    n = 11
    errors = np.random.default_rng(0).normal(size=(n, 2, 1)).astype(np.float32)
    forecast = np.full((1, 2, 1, 1), 5.0)
    median, known, beyond = corrected_quantiles(Calibration(errors), forecast, [0.5, 11 / 12, 0.975])
    # quantiles of t with 10 degrees of freedom, from tables: 2.228139 at 0.975, 1.491576 at 11/12
    np.testing.assert_allclose((beyond - median) / (known - median), 2.228139 / 1.491576, rtol=1e-5)
    levels = [0.01, 0.05, 0.1, 0.3, 0.5, 0.9, 0.92, 0.95, 0.99]
    assert (np.diff(corrected_quantiles(Calibration(errors), forecast, levels), axis=0) >= 0).all()


def test_a_level_that_the_errors_can_promise_stays_as_it_is():
    for n, level in [(9, 0.1), (9, 0.9), (19, 0.05), (19, 0.95), (39, 0.975), (39, 0.025), (11, 0.5)]:
        assert reach_of(level, n, of_panel=False) == (level, 1.0)
        assert is_promised(level, n, of_panel=False)
        assert too_few([level], n, ["alpha"], of_panel=False) is None
    assert not is_promised(0.95, 18, of_panel=False)
    assert is_promised(0.95, 9, of_panel=True)
    assert not is_promised(0.95, 8, of_panel=True)


@pytest.mark.parametrize(
    ("n", "freq", "horizon", "k"),
    [(60, "MS", 1, 1), (60, "MS", 12, 1), (60, "W", 8, 1), (40, "MS", 6, 1), (100, "D", 14, 3)],
)
def test_short_histories_get_an_interval_without_a_parameter(n, freq, horizon, k):
    y = _series(n, freq, k)
    model = LSTMForecaster(horizon, **FAST).fit(y)
    n_errors = model.fitted_.n_errors
    if n_errors >= 9:
        interval = model.predict_interval(0.8)
    else:
        with pytest.warns(
            UserWarning, match=rf"^{n_errors} windows? w.* held out, and coverage=0.8 needs 9: .*'exact'"
        ):
            interval = model.predict_interval(0.8)
    bounds = interval.to_numpy().reshape(horizon, k, 2)
    assert np.isfinite(bounds).all()
    assert (bounds[..., 0] < bounds[..., 1]).all()


def test_all_doors_go_on_alike():
    y = _series(60, "MS", 2)
    model = LSTMForecaster(4, **FAST).fit(y)
    with pytest.warns(UserWarning, match=r"9 windows were held out, and coverage=0\.95 needs 39"):
        interval = model.predict_interval([0.5, 0.95])
    with pytest.warns(UserWarning, match=r"alpha=0\.025 needs 39"):
        quantiles = model.predict_quantiles([0.025, 0.975])
    np.testing.assert_array_equal(interval["v0", 0.95], quantiles["v0"])
    with pytest.warns(UserWarning, match="needs 39"):
        restored = pickle.loads(pickle.dumps(model)).predict_interval([0.5, 0.95])
    pd.testing.assert_frame_equal(restored, interval)
    assert len(model.predict_samples(10, random_state=0)) == 4
    later = pd.concat([y, y[-4:].set_axis(y.index[-4:] + pd.DateOffset(months=4))])
    with pytest.warns(UserWarning, match=r"9 windows were held out, and coverage=0\.95 needs 39") as told:
        result = backtest(LSTMForecaster(4, **FAST), later, folds=4, coverage=0.95)
    assert [each.filename for each in told] == [__file__]
    lower = result.intervals.pivot(index="step", columns="variable", values="lower")
    np.testing.assert_array_equal(lower, interval.xs("lower", axis=1, level=2).xs(0.95, axis=1, level=1))


def test_one_warning_names_the_farthest_level_and_its_caller():
    model = LSTMForecaster(3, **FAST).fit(np.arange(60.0))
    with pytest.warns(UserWarning, match=r"10 windows were held out, and coverage=0\.95 needs 39") as told:
        model.predict_interval([0.9, 0.95])
    assert len(told) == 1
    assert told[0].filename == __file__


def test_exact_refuses_and_other_words_are_refused():
    model = LSTMForecaster(3, calibration="exact", **FAST).fit(np.arange(60.0))
    with pytest.raises(ValueError, match=r"expected at least 19 windows held out for coverage=0\.9, got 10"):
        model.predict_interval(0.9)
    model.set_params(calibration="auto")
    with pytest.warns(UserWarning, match="calibration='exact' makes this an error$"):
        model.predict_interval(0.9)
    with pytest.raises(ValueError, match="expected calibration to be 'auto' or 'exact', got None"):
        LSTMForecaster(3, calibration=None).fit(np.arange(60.0))


def test_probabilities_next_to_0_and_1_are_finite_or_refused():
    model = LSTMForecaster(3, **FAST).fit(np.arange(60.0))
    with pytest.warns(UserWarning, match="needs 1999999"):
        assert np.isfinite(model.predict_interval(1 - 1e-9).to_numpy()).all()
    with pytest.raises(ValueError, match=r"expected coverage from 1e-09 to 1 - 1e-09, got 0\.9999999999999"):
        model.predict_interval(1 - 1e-13)
    with pytest.raises(ValueError, match="expected alpha from 1e-09 to 1 - 1e-09, got 1e-13"):
        model.predict_quantiles(1e-13)


def test_an_older_pickle_goes_on():
    model = LSTMForecaster(3, **FAST).fit(np.arange(60.0))
    state = model.__getstate__()
    del state["calibration"]
    older = LSTMForecaster.__new__(LSTMForecaster)
    older.__setstate__(state)
    assert older.calibration == "auto"


@pytest.mark.parametrize("loss", ["quantile", "normal"])
def test_distributions_and_panels_go_on_too(loss):
    y = _series(60, "MS")
    model = LSTMForecaster(4, loss=loss, **FAST).fit(y)
    levels = [0.001, 0.1, 0.5, 0.9, 0.999]
    with pytest.warns(UserWarning, match=r"alpha=0\.001 needs 999"):
        quantiles = model.predict_quantiles(levels)
    assert (np.diff(quantiles, axis=1) > 0).all()
    panel = pd.concat({key: y["v0"] * size for key, size in (("a", 1.0), ("b", 5.0))}, names=["unique_id", "ds"])
    model = LSTMForecaster(4, loss=loss, **FAST).fit(panel)
    with pytest.warns(UserWarning, match=r"alpha=0\.001 needs 499"):
        quantiles = model.predict_quantiles(levels)
    assert (np.diff(quantiles, axis=1) > 0).all()
