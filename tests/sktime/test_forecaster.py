"""The forecaster beside our own estimator, and within sktime."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import ForecastingPipeline, TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.stream import UpdateRefitsEvery
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import ExpandingWindowSplitter
from sktime.transformations.series.boxcox import LogTransformer
from sktime.transformations.series.detrend import Detrender
from sktime.transformations.series.difference import Differencer

import lstmforecast
from lstmforecast import LSTM, Attention, EarlyStopping, Pretrained
from lstmforecast.sktime import LSTMForecaster

# sktime 1.2 announces of all its own forecasters that they will forget their data
pytestmark = pytest.mark.filterwarnings("ignore:The default of config ``remember_data`` will change:FutureWarning")

SMALL = {"window_size": 12, "hidden_size": 4, "max_epochs": 1, "random_state": 0}


def months(n: int, seed: int = 0, start: str = "2010-01") -> pd.Series:
    rng = np.random.default_rng(seed)
    values = 20 + 5 * np.sin(np.arange(n) * np.pi / 6) + rng.normal(0, 0.5, n)
    return pd.Series(values, pd.period_range(start, periods=n, freq="M"), name="sales")


def panel(lengths: dict[str, int]) -> pd.DataFrame:
    return pd.concat(
        {key: months(n, i).to_frame() for i, (key, n) in enumerate(lengths.items())}, names=["shop", "month"]
    )


def ours(horizon: int, **parameters: object) -> lstmforecast.LSTMForecaster:
    return lstmforecast.LSTMForecaster(horizon, **SMALL | parameters)


def test_the_parameters_are_ours_with_a_horizon_of_fh() -> None:
    parameters = LSTMForecaster().get_params()
    assert parameters | {"horizon": 1} == lstmforecast.LSTMForecaster().get_params()
    assert list(parameters) == list(lstmforecast.LSTMForecaster().get_params())
    assert parameters["horizon"] is None


def test_an_unknown_parameter_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="hiden_size"):
        LSTMForecaster(hiden_size=3)


def test_forecasts_and_intervals_are_those_of_our_estimator() -> None:
    y = months(160)
    forecaster, estimator = LSTMForecaster(**SMALL).fit(y, fh=[1, 2, 3]), ours(3).fit(y)
    pd.testing.assert_series_equal(forecaster.predict(), estimator.predict(), check_freq=False)
    np.testing.assert_array_equal(forecaster.predict_interval(coverage=[0.8]), estimator.predict_interval(0.8))
    np.testing.assert_array_equal(
        forecaster.predict_quantiles(alpha=[0.9, 0.1]), estimator.predict_quantiles([0.9, 0.1])
    )


def test_a_horizon_leaves_fh_free_and_some_steps_can_be_asked_for() -> None:
    y = months(160)
    forecaster, estimator = LSTMForecaster(horizon=4, **SMALL).fit(y), ours(4).fit(y)
    expected = estimator.predict(6)
    pd.testing.assert_series_equal(forecaster.predict(fh=[2, 6]), expected.iloc[[1, 5]], check_freq=False)
    absolute = ForecastingHorizon(expected.index[[0, 3]], is_relative=False)
    pd.testing.assert_series_equal(forecaster.predict(fh=absolute), expected.iloc[[0, 3]], check_freq=False)
    with pytest.raises(ValueError, match="horizon of at most 4, as trained for, got 6"):
        forecaster.predict_interval(fh=[2, 6])


@given(
    st.sets(st.integers(1, 8), min_size=1),
    st.lists(st.integers(40, 48), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([None, 3]),
)
def test_any_steps_of_any_panel_are_rows_of_our_forecast(steps, lengths, is_relative, horizon):
    y = panel({f"shop {i}": n for i, n in enumerate(lengths)})
    last = pd.Period("2010-01", "M") + max(lengths) - 1
    ahead = sorted(steps)
    fh = ForecastingHorizon(ahead if is_relative else pd.PeriodIndex([last + step for step in ahead]), is_relative)
    forecast = LSTMForecaster(**SMALL, horizon=horizon).fit(y, fh=fh).predict()
    farthest = max(steps) + (0 if is_relative else max(lengths) - min(lengths))
    all_steps = ours(horizon or farthest).fit(y).predict(farthest)
    parts = []
    for i, n in enumerate(lengths):
        later = 0 if is_relative else max(lengths) - n
        parts.append(all_steps.loc[[f"shop {i}"]].iloc[[step + later - 1 for step in ahead]])
    pd.testing.assert_frame_equal(forecast, pd.concat(parts))


def test_covariates_known_in_advance_are_used() -> None:
    y = months(160)
    X = pd.DataFrame(
        {"price": np.random.default_rng(1).normal(size=166)}, pd.period_range("2010-01", periods=166, freq="M")
    )
    forecaster = LSTMForecaster(**SMALL).fit(y, X=X.loc[y.index], fh=[1, 2, 3])
    estimator = ours(3).fit(y, X.loc[y.index])
    later = X.iloc[160:]
    pd.testing.assert_series_equal(forecaster.predict(X=later), estimator.predict(X=later), check_freq=False)
    newer = months(3, start="2023-05")
    forecaster.update(newer, X=X.iloc[160:163])
    estimator.update(newer, X.iloc[160:163])
    pd.testing.assert_series_equal(forecaster.predict(X=X), estimator.predict(X=X), check_freq=False)


def test_missing_values_need_the_parameter_missing() -> None:
    y = months(160)
    y.iloc[40:43] = np.nan
    with pytest.raises(ValueError, match="cannot handle missing data"):
        LSTMForecaster(**SMALL).fit(y, fh=[1])
    forecast = LSTMForecaster(missing="mask", **SMALL).fit(y, fh=[1]).predict()
    pd.testing.assert_series_equal(forecast, ours(1, missing="mask").fit(y).predict(), check_freq=False)


def test_tags_follow_the_parameters() -> None:
    assert LSTMForecaster().get_tag("requires-fh-in-fit")
    assert not LSTMForecaster(horizon=3).get_tag("requires-fh-in-fit")
    assert not LSTMForecaster(early_stopping=None).get_tag("capability:pred_int")
    assert LSTMForecaster(missing="ffill").get_tag("capability:missing_values")
    assert not LSTMForecaster(missing="ffill").set_params(missing="error").get_tag("capability:missing_values")


def test_parameters_of_objects_are_set_as_in_our_estimator() -> None:
    given = Attention(8)
    forecaster = LSTMForecaster(architecture=given)
    assert forecaster.get_params()["architecture__num_heads"] == 8
    assert forecaster.set_params(architecture__num_heads=2, hidden_size=8).architecture == Attention(2)
    assert (forecaster.hidden_size, given) == (8, Attention(8))
    assert forecaster.clone().architecture == Attention(2)
    # a word, or a number, becomes the object first
    words = LSTMForecaster(random_state=0)
    words.set_params(architecture="attention", architecture__num_heads=2, early_stopping__min_delta=0.1)
    assert (words.architecture, words.early_stopping) == (Attention(2), EarlyStopping(10, min_delta=0.1))
    assert words.set_params(architecture="linear", early_stopping=None).get_params()["architecture"] == "linear"
    assert not words.get_tag("capability:pred_int")
    for wrong in ({"architecture__num_heads": 2}, {"num_heads": 2}, {"lr_schedule__patience": 2}):
        with pytest.raises(ValueError, match=r"patience|num_heads"):
            words.set_params(**wrong)


def test_overlapping_updates_append_only_newer_rows() -> None:
    y = months(160)
    forecaster, estimator = LSTMForecaster(**SMALL).fit(y[:150], fh=[1, 2]), ours(2).fit(y[:150])
    forecaster.update(y[100:155]).update(y)
    estimator.update(y[150:155]).update(y[155:])
    pd.testing.assert_series_equal(forecaster.predict(), estimator.predict(), check_freq=False)
    np.testing.assert_array_equal(forecaster.predict_interval(coverage=0.5), estimator.predict_interval(0.5))
    with pytest.raises(ValueError, match="rows after 2023-04, got 2019-02 as the last"):
        forecaster.update(y[:110])


def test_one_network_learns_from_a_panel() -> None:
    y = panel({"a": 90, "b": 80})
    forecaster, estimator = LSTMForecaster(**SMALL).fit(y, fh=[1, 3]), ours(3).fit(y)
    expected = estimator.predict().iloc[[0, 2, 3, 5]]
    pd.testing.assert_frame_equal(forecaster.predict(), expected)
    assert len(forecaster.predict_interval()) == 4


@pytest.mark.parametrize("kind", ["periods", "timestamps", "integers"])
def test_absolute_times_are_forecast_for_series_with_different_ends(kind: str) -> None:
    y = panel({"a": 90, "b": 88})
    times = pd.period_range("2010-01", periods=92, freq="M")
    known = {"periods": times, "timestamps": times.to_timestamp(), "integers": pd.RangeIndex(92)}[kind]
    y.index = y.index.set_levels(known[:90], level=1)
    fh = ForecastingHorizon(known[90:], is_relative=False)
    forecaster = LSTMForecaster(**SMALL).fit(y, fh=fh)
    forecast, interval = forecaster.predict(), forecaster.predict_interval(coverage=0.5)
    assert forecaster.estimator_.horizon == 4
    assert list(forecast.index) == [(shop, time) for shop in "ab" for time in known[90:]]
    assert list(interval.index) == list(forecast.index)
    pd.testing.assert_frame_equal(forecast.loc["b"], ours(4).fit(y).predict().loc["b"].iloc[2:])


def test_a_hierarchy_keeps_its_names_and_takes_new_series() -> None:
    y = pd.concat({"north": panel({"a": 80, "b": 80}), "south": panel({"a": 80})}, names=["region"])
    forecaster = LSTMForecaster(**SMALL).fit(y, fh=[1, 2])
    flat = pd.concat({0: y.loc["north", "a"], 1: y.loc["north", "b"], 2: y.loc["south", "a"]})
    forecast = forecaster.predict()
    np.testing.assert_array_equal(forecast, ours(2).fit(flat).predict())
    assert forecast.index.names == y.index.names
    assert forecast.index[2] == ("north", "b", pd.Period("2016-09"))
    forecaster.update(pd.concat({"south": panel({"new": 60})}, names=["region"]), update_params=False)
    assert ("south", "new", pd.Period("2015-01")) in forecaster.predict().index


def test_levels_beyond_the_errors_are_those_of_the_estimator() -> None:
    y = months(60)  # 12 rows held out, 11 errors of two steps: up to a level of 11/12
    forecaster = LSTMForecaster(**SMALL).fit(y, fh=[1, 2])
    with pytest.warns(UserWarning, match=r"11 windows were held out, and alpha=0\.975 needs 39"):
        beyond = forecaster.predict_quantiles(alpha=[0.975])
    with pytest.warns(UserWarning, match=r"alpha=0\.975 needs 39"):
        np.testing.assert_array_equal(beyond, forecaster.estimator_.predict_quantiles(0.975))
    with pytest.warns(UserWarning, match=r"11 windows were held out, and alpha=0\.05 needs 19"):
        forecaster.predict_interval(coverage=0.9)
    exact = LSTMForecaster(calibration="exact", **SMALL).fit(y, fh=[1, 2])
    with pytest.raises(ValueError, match="at least 39 windows held out"):
        exact.predict_quantiles(alpha=[0.975])


@pytest.mark.filterwarnings("ignore:.* held out, and .* needs")
@pytest.mark.parametrize("loss", ["poisson", "tweedie"])
def test_levels_beyond_the_errors_are_not_below_zero(loss: str) -> None:
    y = (months(60) % 3 > 1.5).astype(float)
    forecaster = LSTMForecaster(**SMALL, loss=loss).fit(y, fh=[1, 2])
    quantiles = forecaster.predict_quantiles(alpha=[0.001, 0.01, 0.5, 0.999])
    assert (quantiles >= 0).all(axis=None)
    assert (np.diff(quantiles) >= 0).all()
    if loss == "poisson":
        assert (quantiles == quantiles.round()).all(axis=None)


def test_it_works_in_pipelines_of_sktime() -> None:
    y = months(120)
    pipeline = TransformedTargetForecaster(
        [("log", LogTransformer()), ("trend", Detrender()), ("forecast", LSTMForecaster(**SMALL))]
    )
    forecast = pipeline.fit(y, fh=[1, 2, 3]).predict()
    trend = Detrender().fit(np.log(y))
    expected = np.exp(trend.inverse_transform(ours(3).fit(trend.transform(np.log(y))).predict()))
    pd.testing.assert_series_equal(forecast, expected, check_freq=False)
    assert (pipeline.predict_interval(coverage=0.5).to_numpy() > 0).all()
    exogenous = ForecastingPipeline(
        [("difference", Differencer(na_handling="fill_zero")), ("forecast", LSTMForecaster(**SMALL))]
    )
    X = months(123, 7).to_frame("X")
    exogenous.fit(y, X=X[:120], fh=[1, 2, 3])
    assert exogenous.predict(X=X[120:]).between(10, 30).all()
    assert (Detrender() * LSTMForecaster(**SMALL)).fit(y, fh=[1]).predict().between(10, 30).all()


def test_evaluate_scores_it_over_time() -> None:
    y = months(120)
    splitter = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=90, step_length=10)
    for strategy in ("refit", "no-update_params"):
        scores = evaluate(
            LSTMForecaster(**SMALL), splitter, y, scoring=MeanAbsoluteError(), strategy=strategy, return_data=True
        )
        estimator = ours(3).fit(y[:90])
        for end, row in zip((90, 100, 110), scores.itertuples(), strict=True):
            if strategy == "refit":
                estimator.fit(y[:end])
            elif end > 90:
                estimator.update(y[end - 10 : end])
            np.testing.assert_array_equal(row.y_pred, estimator.predict())
            expected = np.abs(estimator.predict().to_numpy() - y[end : end + 3].to_numpy()).mean()
            np.testing.assert_allclose(row.test_MeanAbsoluteError, expected, rtol=1e-12)  # sums in another order


def test_a_grid_search_finds_parameters() -> None:
    y = months(120)
    splitter = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=100, step_length=10)
    search = ForecastingGridSearchCV(LSTMForecaster(**SMALL), splitter, {"window_size": [3, 24]})
    search.fit(y, fh=[1, 2, 3])
    # 24 months show a season, 3 do not
    assert search.best_params_ == {"window_size": 24}
    assert len(search.predict()) == 3
    given = Attention(2)
    networks = {"architecture": ["lstm", given], "architecture__linear_skip": [False]}
    search = ForecastingGridSearchCV(LSTMForecaster(**SMALL), splitter, networks).fit(y, fh=[1, 2, 3])
    objects = {"lstm": LSTM(linear_skip=False), "Attention(num_heads=2)": Attention(2, linear_skip=False)}
    expected = objects[str(search.best_params_["architecture"])]
    assert search.best_forecaster_.estimator_.architecture == expected
    assert given == Attention(2)


def test_a_network_pretrained_on_a_panel_is_tuned_to_a_series() -> None:
    shops, y = panel({"a": 90, "b": 80}), months(60, 7)
    rates = {"fc.*": 1e-3}
    pretrained = Pretrained(freeze="lstm.*", learning_rates=rates)
    forecaster = LSTMForecaster(**SMALL | {"window_size": None}, pretrained=pretrained).pretrain(shops, fh=[1, 2, 3])
    source = ours(3, window_size=None, pretrained=Pretrained(learning_rates=rates)).fit(shops)
    forecast = forecaster.clone().fit(y, fh=[1, 2, 3]).predict()
    same_windows = {
        "window_size": source.window_size_,
        "architecture": LSTM(segment_length=source.model_.config["segment_length"]),
    }
    expected = ours(3, pretrained=Pretrained(source, freeze="lstm.*", learning_rates=rates), **same_windows).fit(y)
    pd.testing.assert_series_equal(forecast, expected.predict(), check_freq=False)
    assert expected.pretrained_["left"] == []
    forecaster.pretrain(shops).fit(y, fh=[1, 2, 3])
    assert not forecaster.predict().equals(forecast)
    with pytest.raises(ValueError, match="expected fh, or a forecaster with a horizon, to pretrain it, got neither"):
        LSTMForecaster(**SMALL).pretrain(shops)


def test_sktime_can_refit_it() -> None:
    y = months(120)
    forecaster = UpdateRefitsEvery(LSTMForecaster(**SMALL), refit_interval=0)
    forecaster.fit(y[:100], fh=[1, 2]).update(y[100:], update_params=True)
    pd.testing.assert_series_equal(forecaster.predict(), ours(2).fit(y).predict(), check_freq=False)


def test_a_backtest_scores_forecasters_of_sktime() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=60).cumsum(), pd.period_range("2020-01", periods=60, freq="M"))
    model = lstmforecast.LSTMForecaster(3, window_size=12, hidden_size=4, max_epochs=1, random_state=0)
    others = {"naive": NaiveForecaster(), "season": NaiveForecaster(sp=12)}
    scores = lstmforecast.backtest(model, y, folds=12, others=others).scores
    for name, same in (("naive", "repeat-last"), ("season", "seasonal-naive")):
        np.testing.assert_allclose(scores.loc[name], scores.loc[same], rtol=1e-12)
