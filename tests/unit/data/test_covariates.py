"""What stands beside the targets: found by its time, named where it is missing, and made use of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, Calendar, LSTMForecaster, Sampling, backtest
from lstmforecast.data.covariates import Covariates

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=5), "random_state": 0, "n_threads": 1}
HOURS = pd.date_range("2026-01-01", periods=400, freq="h", name="time")
RNG = np.random.default_rng(0)
X = pd.DataFrame({"price": RNG.normal(size=400), "plan": RNG.normal(size=400)}, HOURS)
Y = pd.Series(3 * X["price"] + 0.1 * RNG.normal(size=400) + 20, HOURS, name="sales")


def _model(**parameters):
    return LSTMForecaster(**({"horizon": 4, "window_size": 24} | FAST | parameters))


@pytest.fixture(scope="module")
def fitted():
    return _model().fit(Y[:360], X)


def test_a_known_effect_is_forecast():
    truth = Y[360:364]
    with_x = _model(max_epochs=10, early_stopping=None).fit(Y[:360], X).predict(X=X)
    without = _model(max_epochs=10, early_stopping=None).fit(Y[:360]).predict()
    # the noise has a deviation of 0.1, the effect one of 3
    assert np.abs(with_x - truth).mean() < 0.5
    assert np.abs(without - truth).mean() > 1


@pytest.mark.parametrize("kind", ["frame", "more rows in another order", "arrays"])
def test_rows_are_found_by_their_times_or_places(kind, fitted):
    expected = fitted.predict(X=X)
    if kind == "arrays":
        # arrays have no season, whose naive forecast would be a part
        expected = _model(architecture=LSTM(mix_naive=False)).fit(Y[:360], X).predict(X=X)
        model = _model(architecture=LSTM(mix_naive=False)).fit(Y[:360].to_numpy(), X[:360].to_numpy())
        forecast = model.predict(X=X[360:364].to_numpy())
        context = model.predict(X=X[300:364].to_numpy(), context=Y[300:360].to_numpy())
        np.testing.assert_array_equal(context, forecast)
    else:
        given = X if kind == "frame" else X.sample(frac=1, random_state=0)
        model = _model().fit(Y[:360], given)
        forecast = model.predict(X=given)
        pd.testing.assert_series_equal(model.predict(X=given, context=Y[300:360]), forecast)
    np.testing.assert_array_equal(np.asarray(forecast), expected.to_numpy())


def test_the_future_matters_step_by_step(fitted):
    changed = X.copy()
    changed.iloc[362, 0] += 1
    difference = (fitted.predict(X=changed) - fitted.predict(X=X)).abs().to_numpy()
    assert difference[2] > 0
    later = X.copy()
    later.iloc[364:] = 99.0
    pd.testing.assert_series_equal(fitted.predict(X=later), fitted.predict(X=X))


def test_what_is_known_so_far_only_is_not_asked_for():
    model = _model().fit(Y[:360], X_past=X[:360])
    assert len(model.predict()) == 4
    with pytest.raises(ValueError, match="expected horizon of at most 4 with X_past, which is not known beyond, got 5"):
        model.predict(5)
    with pytest.raises(ValueError, match="expected X_past for the rows of y, as there was one at fit, got None"):
        model.update(Y[360:370])


def test_longer_horizons_need_longer_covariates(fitted):
    assert len(fitted.predict(10, X=X)) == 10
    np.testing.assert_array_equal(fitted.predict(10, X=X)[:4], fitted.predict(X=X))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m: m.predict(),
            r"expected X for the 4 steps after the end .the network forecasts 4 at once., as there was one at",
        ),
        (
            lambda m: m.predict(X=X[:362]),
            r"for each of the 4 steps after the end .* at once., got none for 2026-01-16 02:00:00 and 1 more",
        ),
        (lambda m: m.predict(X=X[["plan", "price"]]), "expected the columns of X in the order at fit"),
        (lambda m: m.predict(X=X[["price"]]), "expected X with 2 columns as at fit"),
        (
            lambda m: m.predict(X=X.mask(X.loc[HOURS[361]] == X)),
            "expected no missing values in X, got 2 NaN, the first in",
        ),
        (lambda m: m.predict(X=pd.concat([X, X[-1:]])), "expected every time of X once"),
        (lambda m: m.update(Y[360:365]), "expected X for the rows of y, as there was one at fit, got None"),
        (lambda m: m.predict(X=X, X_past=X), "expected X_past and static with context only, got them without"),
        (lambda m: _model().fit(Y).predict(X=X), "expected no X, as there was none at fit, got one"),
        (
            lambda m: _model().fit(Y.to_numpy(), X[:100].to_numpy()),
            "expected X with 400 rows, for the rows of y, got 100",
        ),
        (lambda m: _model().fit(Y, X[5:]), "for each of the rows of y, got none for 2026-01-01 00:00:00 and 4 more"),
        (
            lambda m: _model(calendar="auto").fit(Y.to_numpy()),
            "with a (DatetimeIndex or PeriodIndex|time index) for calendar",
        ),
    ],
)
def test_what_is_missing_or_strange_is_named(call, message, fitted):
    before = fitted.predict(X=X)
    with pytest.raises(ValueError, match=message):
        call(fitted)
    pd.testing.assert_series_equal(fitted.predict(X=X), before)


def test_update_brings_covariates_along():
    model = _model().fit(Y[:340], X)
    context = model.predict(X=X, context=Y[:360])
    pd.testing.assert_series_equal(model.update(Y[340:360], X).predict(X=X), context)


def test_files_keep_covariates(fitted, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "model.safetensors")
    pd.testing.assert_series_equal(loaded.predict(X=X), fitted.predict(X=X))
    with pytest.raises(ValueError, match="expected the columns of X in the order at fit"):
        loaded.predict(X=X[["plan", "price"]])


def test_the_calendar_continues_by_itself():
    y = pd.Series(np.where(HOURS.hour == 12, 5.0, 0.0) + 0.1 * RNG.normal(size=400), HOURS)
    model = _model(calendar=Calendar("auto", holidays="DE")).fit(y)
    assert len(model.predict(30)) == 30
    assert model.fitted_.dataset.covariates.n_known == 8
    assert len(_model(calendar=["month"]).fit(y.to_frame()).predict()) == 4


def test_a_backtest_knows_the_covariates_of_the_steps_ahead():
    model = _model(max_epochs=5)
    with_x, without = (backtest(model, Y, x, folds=60).scores.loc["LSTMForecaster", "MAE"] for x in (X, None))
    assert with_x < 0.5 * without
    result = backtest(_model(), Y, X, folds=60, coverage=0.8)
    origin = 350
    table = result.forecasts[result.forecasts.cutoff == HOURS[origin - 1]]
    expected = result.forecaster.predict(context=Y[:origin], X=X)
    # one call for all windows, or one for each
    np.testing.assert_allclose(table.forecast, expected, rtol=1e-6)


@pytest.mark.parametrize("freq", ["W-SUN", "MS"])
def test_a_model_of_an_older_file_keeps_the_holidays_that_it_was_trained_with(freq, tmp_path):
    y = pd.Series(RNG.normal(size=80), pd.date_range("2018-01-01", periods=80, freq=freq))
    model = _model(window_size=12, calendar=Calendar(holidays="DE")).fit(y)
    seen = model.fitted_.dataset
    older = replace(seen.covariates, calendar_version=1)
    # what was written, and pickled, when the features knew no other way
    saved = {name: value for name, value in seen.covariates.pack().items() if name != "calendar_version"}
    assert Covariates.unpack(saved).calendar_version == 1
    for version in (0, 3, "2", None):
        with pytest.raises(ValueError, match="features of the calendar of version"):
            Covariates.unpack(saved | {"calendar_version": version})
    state = {name: value for name, value in vars(seen.covariates).items() if name != "calendar_version"}
    pickled = Covariates.__new__(Covariates)
    pickled.__setstate__(state)
    assert pickled == older
    features = [each.of(seen.observations, None, None) for each in (seen.covariates, older)]
    assert 0 < features[0].max() < 1
    assert set(np.unique(features[1])) <= {0, 1}
    model.save(tmp_path / "m")
    again = LSTMForecaster.load(tmp_path / "m")
    assert again.fitted_.dataset.covariates.calendar_version == 2
    pd.testing.assert_series_equal(again.predict(), model.predict())


def test_names_count_beside_an_array_too():
    model = _model().fit(Y[:360].to_numpy(), X[:360].reset_index(drop=True), X_past=X[:360].reset_index(drop=True))
    given = {"context": Y[300:360].to_numpy(), "X_past": X[300:360].reset_index(drop=True)}
    known = X[300:364].reset_index(drop=True)
    np.testing.assert_array_equal(model.predict(X=known, **given), model.predict(X=X[360:364].reset_index(drop=True)))
    for name, table in (("X", known), ("X_past", given["X_past"])):
        with pytest.raises(ValueError, match=f"expected the columns of {name} in the order at fit"):
            model.predict(**{"X": known} | given | {name: table[["plan", "price"]]})
    with pytest.raises(ValueError, match="expected X_past with 60 rows, for the rows of context, got 360"):
        model.predict(X=known, **given | {"X_past": X[:360].reset_index(drop=True)})
