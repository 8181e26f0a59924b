"""The day of the year as a feature: chosen by held-out rows, kept by files, refits and other doors."""

import pickle

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, LSTMAnomalyDetector, LSTMForecaster, backtest, load
from lstmforecast.calendar import Calendar

FAST = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "n_threads": 1, "window_size": 28}
DAYS = pd.date_range("2010-01-01", periods=1500, freq="D")
NOISE = 0.3 * np.random.default_rng(0).normal(size=len(DAYS))
WEEK = 2.0 * (DAYS.day_of_week > 4)
CHRISTMAS = -6.0 * ((DAYS.month == 12) & (DAYS.day > 22) & (DAYS.day < 28))
YEARLY = pd.Series(4 * np.sin(2 * np.pi * DAYS.day_of_year / 365.25) + CHRISTMAS + WEEK + NOISE, DAYS, name="sales")
WEEKLY = pd.Series(WEEK + NOISE, DAYS, name="sales")


def _profile(model):
    return model.fitted_.dataset.covariates.yearly


@pytest.fixture(scope="module")
def fitted():
    return LSTMForecaster(14, **FAST).fit(YEARLY)


def test_a_year_is_found_and_forecast(fitted):
    assert _profile(fitted) is not None
    # the forecast begins some weeks before the maximum of the year; 1,500 days end in February
    before = YEARLY[:"2013-12-20"]
    truth = YEARLY["2013-12-21":][:14]
    without = LSTMForecaster(14, calendar=Calendar(yearly=False), **FAST).fit(YEARLY)
    errors = [np.abs(model.predict(context=before) - truth).mean() for model in (fitted, without)]
    assert errors[0] < 0.6 * errors[1]


@pytest.mark.parametrize(
    ("y", "calendar"),
    [
        (WEEKLY, None),
        (YEARLY[:800], None),
        (YEARLY.to_numpy(), None),
        (YEARLY, ["day_of_week"]),
        (YEARLY, Calendar(holidays="DE")),
        (YEARLY, Calendar(yearly=False)),
        (pd.concat({"a": YEARLY, "b": YEARLY}, names=["unique_id", "ds"]), None),
    ],
    ids=["no year", "two years", "no times", "calendar", "holidays", "False", "panel"],
)
def test_there_is_none_where_it_does_not_help_or_was_not_asked_for(y, calendar):
    assert _profile(LSTMForecaster(14, calendar=calendar, **FAST).fit(y)) is None


def test_a_series_without_a_year_is_forecast_as_if_nobody_had_looked():
    for y in (WEEKLY, YEARLY[:800]):
        models = [LSTMForecaster(14, calendar=calendar, **FAST) for calendar in (None, Calendar(yearly=False))]
        one, other = (model.fit(y).predict() for model in models)
        pd.testing.assert_series_equal(one, other, check_exact=True)


def test_true_is_beside_other_features_and_refuses_what_has_no_year():
    model = LSTMForecaster(14, calendar=Calendar("auto", yearly=True), **FAST).fit(WEEKLY)
    assert model.fitted_.dataset.covariates.names[-2:] == ["day_of_year_cos", "yearly"]
    panel = pd.concat({"a": YEARLY, "b": YEARLY}, names=["unique_id", "ds"])
    for y, got in ((YEARLY[:600], "480 rows of frequency"), (YEARLY.to_numpy(), "None"), (panel, "got several")):
        with pytest.raises(ValueError, match=f"expected one series with 2 years of steps of a day.*{got}"):
            LSTMForecaster(14, calendar=Calendar(yearly=True), **FAST).fit(y)
    with pytest.raises(ValueError, match=r"expected yearly.* to be 'auto', True or False, got 'yes'"):
        LSTMForecaster(14, calendar=Calendar(yearly="yes"), **FAST).fit(YEARLY)


def test_files_and_pickles_keep_it(fitted, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    for again in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(fitted))):
        pd.testing.assert_series_equal(again.predict(20), fitted.predict(20))
        pd.testing.assert_frame_equal(again.predict_interval(0.8), fitted.predict_interval(0.8))
        assert again.fitted_.dataset.covariates.names == ["yearly"]
    # an array has no times, of which the feature is made
    with pytest.raises((TypeError, ValueError), match="expected"):
        fitted.predict(context=YEARLY.to_numpy()[-28:])


def test_update_backtest_and_warm_starts_go_on_with_it(fitted):
    whole = LSTMForecaster(14, **FAST).fit(YEARLY[:-10])
    whole.update(YEARLY[-10:])
    assert whole.predict().index[0] == YEARLY.index[-1] + pd.Timedelta(days=1)
    result = backtest(LSTMForecaster(14, **FAST), YEARLY, folds=100)
    assert _profile(result.forecaster) is not None
    last = result.forecaster.predict(context=YEARLY[: result.origins[-1]])
    np.testing.assert_allclose(result.values[-1, :, 0], last, rtol=1e-6)
    warm = LSTMForecaster(14, warm_start=True, **FAST).fit(YEARLY)
    before = _profile(warm)
    # these rows alone would not have a year
    warm.fit(WEEKLY)
    np.testing.assert_array_equal(_profile(warm).waves, before.waves)


def test_detectors_have_none():
    detector = LSTMAnomalyDetector(LSTMForecaster(5, **FAST)).fit(YEARLY)
    assert _profile(detector.forecaster_) is None
    with pytest.raises(ValueError, match="expected a forecaster with yearly='auto' or False to detect anomalies with"):
        LSTMAnomalyDetector(LSTMForecaster(5, calendar=Calendar(yearly=True), **FAST)).fit(YEARLY)


def test_a_network_supervised_at_every_step_has_no_year():
    options = {"architecture": LSTM(segment_length=7, supervision="every"), **FAST}
    assert _profile(LSTMForecaster(14, **options).fit(YEARLY)) is None
    with pytest.raises(ValueError, match="expected no features known in advance"):
        LSTMForecaster(14, calendar=Calendar(yearly=True), **options).fit(YEARLY)
