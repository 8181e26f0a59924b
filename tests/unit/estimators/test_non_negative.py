"""Series that were never negative are not forecast below 0, whatever way a forecast takes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lstmforecast
from lstmforecast import Folds, Linear, LSTMAnomalyDetector, LSTMForecaster, load
from lstmforecast.uncertainty.samples import raised_to_zero

DAYS = pd.date_range("2026-01-05", periods=150, freq="D")
# A falling line, which a linear forecast continues: 99, ..., 0, and then below 0.
LINE = pd.Series(np.arange(99.0, -51.0, -1.0), DAYS, name="load")
ABOVE = LINE[:100]


def _fit(y=ABOVE, horizon=3, **parameters):
    options = {"architecture": "linear", "window_size": 14, "n_threads": 1}
    return LSTMForecaster(horizon, **options | parameters).fit(y)


def _panel(rows=100):
    """Series "a" ends at 0, "b" is 20 lower."""
    each = {"a": LINE[:rows], "b": LINE[:rows] - 20}
    return pd.concat(each, names=["unique_id", "ds"])


def test_forecasts_are_zero_where_the_network_goes_below():
    # the line is exact but for rounding in single precision
    assert_allclose(_fit(non_negative=False).predict(), [-1, -2, -3], atol=1e-3)
    for non_negative in ("auto", True, np.bool_(True), np.array("auto")):
        assert_array_equal(_fit(non_negative=non_negative).predict(), 0)


@pytest.mark.parametrize("loss", ["mse", "quantile", "normal"])
def test_no_quantile_bound_or_sample_is_below_zero(loss):
    rng = np.random.default_rng(0)
    # falls to 0, where forecasts go on below it
    y = pd.Series(np.maximum(15 - np.arange(150) / 10 + rng.normal(0, 0.5, 150), 0), DAYS)
    small = {"loss": loss, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
    model, free = (LSTMForecaster(3, non_negative=each, **small).fit(y) for each in ("auto", False))
    for forecast in ("predict_interval", "predict_quantiles"):
        found, before = (getattr(each, forecast)().to_numpy() for each in (model, free))
        assert (before < 0).any()
        assert_array_equal(found, np.maximum(before, 0))
    found, before = (each.predict_samples(50, random_state=0).to_numpy() for each in (model, free))
    assert (before < 0).any()
    assert (found >= 0).all()
    # sums of paths that were only cut off would be too large
    assert_allclose(found.mean(axis=1), np.maximum(before.mean(axis=1), 0), atol=1e-12)


def test_paths_are_the_nearest_of_the_same_mean():
    rng = np.random.default_rng(0)
    paths = rng.normal(size=(40, 3, 2, 2)) + np.array([[[1, -1]], [[0.2, 3]], [[5, 0]]])
    found = raised_to_zero(paths, np.array([[0.0, -np.inf], [0.0, 0.0], [0.0, 0.0]]))
    assert_array_equal(found[:, 0, :, 1], paths[:, 0, :, 1])
    for i, step, k in np.ndindex(paths.shape[1:]):
        if (i, k) != (0, 1):
            own = paths[:, i, step, k]
            # the amount by which all are lowered, by bisection
            low, high, mean = 0.0, own.max(), max(own.mean(), 0)
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (low, middle) if np.maximum(own - middle, 0).mean() < mean else (middle, high)
            assert_allclose(found[:, i, step, k], np.maximum(own - low, 0), atol=1e-9)


def test_each_variable_counts_alone():
    y = pd.DataFrame({"load": ABOVE, "change": ABOVE - 20})
    found = _fit(y).predict()
    assert_array_equal(found["load"], 0)
    assert_allclose(found["change"], [-21, -22, -23], atol=1e-3)


def test_each_series_of_a_panel_counts_alone():
    model = _fit(_panel())
    found = model.predict()
    assert_array_equal(found["a"], 0)
    assert_allclose(found["b"], [-21, -22, -23], atol=1e-3)
    # a new series is as all series were
    newcomer = pd.concat({"c": ABOVE}, names=["unique_id", "ds"])
    assert (model.predict(context=newcomer) < 0).all()
    above = _fit(_panel()[["a"]]).predict(context=newcomer)
    assert_array_equal(above, 0)


def test_a_window_with_values_below_zero_is_forecast_as_it_goes_on():
    model = _fit()
    assert_allclose(model.predict(context=LINE[:120]), [-21, -22, -23], atol=1e-3)
    again = pickle.loads(pickle.dumps(model)).update(LINE[100:120])
    assert_allclose(again.predict(), [-21, -22, -23], atol=1e-3)
    # it is over when they have left the window
    again.update(pd.Series(LINE.to_numpy()[80:100], DAYS[120:140], name="load"))
    assert_array_equal(again.predict(), 0)


def test_what_is_fed_back_is_not_below_zero_either():
    model = _fit()
    first = model.predict()
    assert_array_equal(model.predict(6)[3:], model.predict(context=pd.concat([ABOVE, first])))
    step = _fit(architecture=Linear(head="recursive"))
    assert_array_equal(step.predict(6), 0)


def test_a_backtest_forecasts_what_predict_does():
    y = LINE[:130]
    model = LSTMForecaster(3, window_size=14, architecture="linear", n_threads=1)
    result = lstmforecast.backtest(model, y, folds=Folds(40, stride=3), coverage=0.5)
    for at, origin in enumerate(result.origins):
        context = y[:origin]
        assert_allclose(result.values[at, :, 0], result.forecaster.predict(context=context), atol=1e-6)
        bounds = result.forecaster.predict_interval(0.5, context=context).to_numpy()
        assert_allclose(result.bounds[:, at, :, 0].T, bounds, atol=1e-6)
    assert (result.values[:3] >= 0).all()
    assert (result.values[-1] < -20).all()


def test_explain_and_score_use_the_same_forecast():
    model = _fit()
    assert_array_equal(model.explain().forecast.ravel(), 0)
    values = np.r_[np.arange(30.0, -1, -1), 0, 0, 0]
    newer = pd.Series(values, pd.date_range("2027-01-04", periods=len(values), freq="D"), name="load")
    assert model.score(newer) > _fit(non_negative=False).score(newer)


@pytest.mark.parametrize("y", [ABOVE, _panel(), ABOVE.to_numpy()], ids=["series", "panel", "array"])
def test_files_pickles_and_small_networks_keep_it(y, tmp_path):
    model = _fit(y)
    model.save(tmp_path / "model")
    for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(other.predict(), model.predict())
        assert other.get_params()["non_negative"] == "auto"
    model.quantize("bf16").save(tmp_path / "small")
    assert np.asarray(load(tmp_path / "small").predict()).max() == 0


def test_the_logarithm_has_the_same_bound():
    y = np.expm1(ABOVE / 20)
    assert (_fit(y, transform="log", non_negative=False).predict() < 0).all()
    assert_array_equal(_fit(y, transform="log").predict(), 0)


class TestTrue:
    def test_values_below_zero_are_refused_everywhere(self):
        words = "expected values from 0 on, as non_negative=True says, got -"
        with pytest.raises(ValueError, match=f"{words}1 at 2026-04-15"):
            _fit(LINE, non_negative=True)
        with pytest.raises(ValueError, match=words):
            lstmforecast.backtest(LSTMForecaster(3, non_negative=True), LINE, folds=30)
        model = _fit(non_negative=True)
        with pytest.raises(ValueError, match=words):
            model.update(LINE[100:])
        with pytest.raises(ValueError, match=words):
            model.predict(context=LINE)
        with pytest.raises(ValueError, match=words):
            model.score(LINE)
        assert_array_equal(model.predict(), 0)

    def test_it_is_kept_in_files(self, tmp_path):
        _fit(non_negative=True).save(tmp_path / "model")
        with pytest.raises(ValueError, match="as non_negative=True says"):
            load(tmp_path / "model").update(LINE[100:])

    def test_detectors_refuse_it(self):
        words = "expected a forecaster with non_negative='auto' or False to detect anomalies with, got True"
        with pytest.raises(ValueError, match=words):
            LSTMAnomalyDetector(LSTMForecaster(non_negative=True)).fit(ABOVE)


def test_detectors_see_errors_of_the_network():
    forecaster = LSTMForecaster(3, window_size=14, architecture="linear", n_threads=1)
    each = [LSTMAnomalyDetector(forecaster.set_params(non_negative=on)).fit(ABOVE) for on in ("auto", False)]
    assert_array_equal(*(detector.decision_function(LINE) for detector in each))


def test_forecasters_of_before_do_not_change():
    state = _fit(non_negative=False).__getstate__()
    del state["non_negative"], state["loss_"]
    old = LSTMForecaster.__new__(LSTMForecaster)
    old.__setstate__(state)
    assert old.non_negative is False
    assert old.loss_ == "huber"
    assert_allclose(old.predict(), [-1, -2, -3], atol=1e-3)


def test_another_value_is_refused():
    with pytest.raises(ValueError, match="expected non_negative to be 'auto', True or False, got 'yes'"):
        _fit(non_negative="yes")
