"""`transform="auto"` and `normalize="auto"`: what held-out rows choose is what the fit then uses, everywhere."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lstmforecast
from lstmforecast import LSTM, EarlyStopping, LSTMAnomalyDetector, LSTMForecaster, backtest
from lstmforecast.estimators import automatic
from lstmforecast.estimators.forecaster import read_series
from lstmforecast.estimators.series_fit import fit_series
from lstmforecast.fitting.held_out import HeldOut

FAST = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1, "transform": "auto"}
N = 240
MONTHS = pd.date_range("2000-01-01", periods=N, freq="MS")


def _growing(seed=0):
    """A season that grows by percents, whose ups and downs a line of the values can't follow."""
    rng, months = np.random.default_rng(seed), np.arange(N)
    return pd.Series(np.exp(3 + 0.01 * months + np.sin(months * np.pi / 6) + rng.normal(0, 0.1, N)), MONTHS)


def _level(seed=0):
    """A season that is added to a level, with falls that are large in logarithms."""
    rng, months = np.random.default_rng(seed), np.arange(N)
    return pd.Series(np.maximum(2 + 2 * np.sin(months * np.pi / 6) + rng.normal(0, 0.3, N), 0), MONTHS)


def _panel(series):
    return pd.concat(series, names=["unique_id", "ds"])


def _fit(y, X=None, **parameters):
    return LSTMForecaster(6, **FAST | parameters).fit(y, X)


@pytest.mark.parametrize(
    ("y", "chosen"),
    [
        (_growing(), "log"),
        (_level(), None),
        (_growing() - 15, None),
        (pd.DataFrame({"a": _growing(), "b": _growing(1)}), "log"),
        (_panel({i: _growing(i) for i in range(4)}), "log"),
        (_panel({i: _level(i) for i in range(4)}), None),
    ],
    ids=["grows", "added", "negative", "two columns", "panel that grows", "panel"],
)
def test_the_fit_is_the_one_with_the_transform_that_was_chosen(y, chosen):
    model, same = _fit(y), _fit(y, transform=chosen, normalize="last")
    assert model.transform_ == same.transform_ == chosen
    assert (model.transform, model.normalize, model.normalize_) == ("auto", "auto", "last")
    assert_array_equal(model.predict(), same.predict())
    assert_array_equal(model.predict_interval(0.8), same.predict_interval(0.8))


def test_the_choice_is_the_candidate_of_the_least_error_on_held_out_rows(monkeypatch):
    """Forecasts of both linear models at each held-out origin, one by one."""
    y = _growing()
    n_train = HeldOut.of(LSTMForecaster(6)).training_rows(N)
    errors = []
    for transform in (None, "log"):
        line = _fit(y, architecture="linear", transform=transform)
        each = [line.predict(context=y[:i]).to_numpy() - y[i : i + 6].to_numpy() for i in range(n_train, N - 5)]
        errors.append(np.abs(each).mean())
    found, gain, factor = [], 1 - errors[1] / errors[0], 1 + 6 / (N - 5 - n_train)
    dataset = read_series(LSTMForecaster(6, transform="auto"), y, None, None, None, None)
    # forecasts in single precision: one part in 1e7 of values that are a hundred times the errors
    for least in (gain - 1e-4, gain + 1e-4):
        monkeypatch.setattr(automatic, "LEAST_GAIN", least / factor)
        found.append(automatic.resolve(LSTMForecaster(6, n_threads=1), dataset, fit_series)[0].transform)
    assert found == ["log", None]


@pytest.mark.parametrize(
    "parameters",
    [
        {"loss": "normal"},
        {"loss": "poisson"},
        {"early_stopping": None},
        {"early_stopping": EarlyStopping(validation_fraction=0.0)},
        {"transform": None},
    ],
    ids=str,
)
def test_nothing_is_transformed_where_nothing_can_choose(parameters):
    assert _fit(_growing().round(), **parameters).transform_ is None


def test_files_pickles_and_a_second_training_keep_the_choice(tmp_path):
    model = _fit(_growing(), warm_start=True)
    path = tmp_path / "model.safetensors"
    model.save(path)
    for again in (lstmforecast.load(path), pickle.loads(pickle.dumps(model))):
        assert (again.transform, again.transform_, again.normalize_) == ("auto", "log", "last")
        assert_array_equal(again.predict(), model.predict())
        with pytest.raises(ValueError, match=r"above -1 for transform='log', got -3.*; transform=None takes"):
            again.predict(context=_growing().mask(MONTHS[230] == MONTHS, -3.0))
    # the weights have learned logarithms
    assert model.fit(_level()).transform_ == "log"


@pytest.mark.parametrize("values", [{"transform": "sqrt"}, {"transform": "auto"}, {}])
def test_a_file_with_another_transform_is_refused(values):
    assert automatic.saved_transform("log", values) == "log"
    with pytest.raises(ValueError, match=r"^a transform of "):
        automatic.saved_transform("auto", values)


def test_each_fold_of_a_backtest_chooses_from_its_own_rows():
    y = _growing()
    result = backtest(LSTMForecaster(6, **FAST), y, folds=12, coverage=0.8)
    model = _fit(y[:-12])
    assert model.transform_ == result.forecaster.transform_ == "log"
    forecast = [model.predict(context=y[: N - 12 + i]).to_numpy() for i in range(7)]
    # the windows of one call and of several differ by rounding of single precision
    assert_allclose(result.values[..., 0], forecast, rtol=1e-5)
    bounds = result.all_bounds[0, :, 0, :, 0]
    assert_allclose(bounds.T, model.predict_interval(0.8).to_numpy(), rtol=1e-5)


def test_many_series_are_normalised_by_their_windows_if_that_errs_less(monkeypatch):
    def errors(line, dataset, which, origins, fit):
        return np.full((len(origins), 6, 1), 1.0 if line.normalize == "window" else 1.1)

    monkeypatch.setattr(automatic, "_errors", errors)
    monkeypatch.setattr(automatic, "LEAST_SERIES", 3)
    y = _panel({i: _level(i) for i in range(3)})
    model, same = _fit(y), _fit(y, normalize="window", transform=None)
    assert (model.normalize_, model.transform_) == ("window", None)
    assert_array_equal(model.predict(), same.predict())
    known = pd.Series(np.arange(len(y)) % 7.0, y.index, name="x")
    # few series, windows with a scale beside known covariates, and steps that may not read the later rows of a window
    assert _fit(y[y.index.get_level_values(0) < 2]).normalize_ == "last"
    assert _fit(y, X=known).normalize_ == "last"
    assert _fit(y, architecture=LSTM(supervision="every")).normalize_ == "last"


def test_some_series_of_a_large_panel_choose(monkeypatch):
    y = _panel({i: _growing(i) for i in range(6)})
    monkeypatch.setattr(automatic, "MOST_SERIES", 3)
    seen = []

    def fit(forecaster, dataset):
        seen.append(dataset.observations.series_keys.tolist())
        fit_series(forecaster, dataset)

    dataset = read_series(LSTMForecaster(6, transform="auto"), y, None, None, None, None)
    assert automatic.resolve(LSTMForecaster(6, n_threads=1), dataset, fit)[0].transform == "log"
    assert seen == [[0, 2, 5]] * 2


def test_detectors_look_for_anomalies_in_the_values_themselves():
    y, own = _growing(), LSTMForecaster(6, **FAST)
    assert own.fit(y).transform_ == "log"
    assert LSTMAnomalyDetector(own).fit(y).forecaster_.transform_ is None
    assert LSTMAnomalyDetector(own.set_params(transform="log")).fit(y).forecaster_.transform_ == "log"
