"""A backtest of a panel forecasts each series from rows before its origins, and scores all series together."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, Device, Folds, LSTMForecaster, Sampling, backtest, metrics, plot
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.evaluation.scoring import METHODS, PANEL_SCORES, carried
from lstmforecast.fitting.held_out import HeldOut

FAST = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=4), "random_state": 0, "n_threads": 1}
HOURS = pd.date_range("2026-01-01", periods=400, freq="h")
# of different sizes, ends and orders; the last three are too short for a season, for an origin, and for that still
LENGTHS = {"b": 150, "a": 90, "great": 120, "little": 40, "late": 18, "tiny": 3}
TESTED = ["b", "a", "great", "little"]
SEASON, TEST, STRIDE = 24, 18, 3


def _panel(columns=("load", "heat"), lengths=None):
    rng = np.random.default_rng(0)
    parts = {}
    for i, (key, n) in enumerate((lengths or LENGTHS).items()):
        size = 1000.0 if key == "great" else 1.0
        values = size * (5 + rng.normal(size=(n, len(columns))).cumsum(axis=0) / 4)
        parts[key] = pd.DataFrame(values, HOURS[7 * i : 7 * i + n], columns=list(columns))
    return pd.concat(parts, names=["shop", "hour"])


PANEL = _panel()


def small(**parameters):
    return LSTMForecaster(**({"horizon": 4, "window_size": 12} | FAST | parameters))


def cut(panel, back, keep=None):
    """The panel without the last ``back`` rows of each series, or the last ``keep`` of what remains."""
    parts = [part.iloc[: max(len(part) - back, 0)] for _, part in panel.groupby(level=0, sort=False)]
    return pd.concat([part if keep is None else part.iloc[-keep:] for part in parts])


def series_of(panel, key):
    return panel.loc[[key]]


def twin(forecaster, panel, *, refit=0, gap=0, keep=None, horizon=4, test=TEST, **context):
    """Each window by itself: fit where a fit is due, then predict from the rows of one series before its origin."""
    windows, fitted = {}, None
    for number, back in enumerate(range(test, horizon - 1, -STRIDE)):
        if number == 0 or (refit and number % refit == 0):
            fitted = small(**forecaster).fit(cut(panel, back + gap, keep))
        for key in panel.index.get_level_values(0).unique():
            part = series_of(panel, key)
            if len(part) > test + gap:
                windows[key, len(part) - back] = fitted.predict(horizon, context=part.iloc[:-back]).to_numpy()
    return windows


def check_twin(result, windows):
    keys = result.observations.series_keys
    got = {(keys[i], origin): each for i, origin, each in zip(result.which, result.origins, result.values, strict=True)}
    assert sorted(got) == sorted(windows)
    for place, expected in windows.items():
        # one call for all windows or one for each: scaled in float32, brought back in float64
        np.testing.assert_allclose(got[place], expected, rtol=1e-5)


@pytest.fixture(scope="module")
def result():
    return backtest(small(), PANEL, folds=Folds(TEST, stride=STRIDE), season_length=SEASON)


def test_forecasts_are_those_of_a_loop_over_origins_and_series(result):
    check_twin(result, twin({}, PANEL))
    assert list(result.observations.series_keys[np.unique(result.which)]) == TESTED


@pytest.mark.parametrize(
    ("options", "forecaster"),
    [
        ({"folds": {"refit": True}}, {}),
        ({"folds": {"refit": 2, "gap": 3}}, {}),
        ({"folds": {"refit": 3, "window": "sliding", "train_size": 40}}, {}),
        ({"horizon": 9}, {}),
        ({"horizon": 2}, {"normalize": "window"}),
        ({}, {"transform": "log", "loss": "quantile"}),
        ({}, {"n_estimators": 2, "scaler": "minmax"}),
        ({}, {"architecture": LSTM(head="recursive")}),
        ({}, {"device": Device(backend="torch")}),
    ],
    ids=str,
)
def test_every_switch_gives_the_forecasts_of_the_loop(options, forecaster):
    panel = PANEL.abs() if "transform" in forecaster else PANEL
    options = dict(options)
    of_folds = options.pop("folds", {})
    found = backtest(small(**forecaster), panel, folds=Folds(TEST, stride=STRIDE, **of_folds), **options)
    options |= {{"train_size": "keep"}.get(name, name): each for name, each in of_folds.items() if name != "window"}
    check_twin(found, twin(forecaster, panel, **options))


def test_a_fraction_is_of_each_series():
    found = backtest(small(), PANEL, folds=0.2)
    firsts = {found.observations.series_keys[i]: found.origins[found.which == i][0] for i in np.unique(found.which)}
    # of 18 rows, 4 hold one window; of 3, 1 holds none
    assert firsts == {"b": 120, "a": 72, "great": 96, "little": 32, "late": 14}
    fitted = small().fit(pd.concat([series_of(PANEL, key).iloc[: firsts.get(key, 2)] for key in LENGTHS]))
    for key, first in firsts.items():
        expected = fitted.predict(context=series_of(PANEL, key).iloc[:first])
        windows = (found.which == list(LENGTHS).index(key)) & (found.origins == first)
        np.testing.assert_allclose(found.values[windows][0], expected, rtol=1e-5)


def test_the_table_has_the_columns_of_one_series_and_the_series(result):
    table = result.forecasts
    assert list(table.columns) == ["series", "cutoff", "time", "step", "variable", "truth", "forecast"]
    assert len(table) == 4 * 5 * 4 * 2
    merged = table.pivot(index=["series", "cutoff", "time"], columns="variable", values="truth")
    for (key, _, time), row in merged.iterrows():
        assert tuple(row) == tuple(PANEL.loc[(key, time)])
    first = table.iloc[0]
    assert (first.series, first.cutoff, first.time, first.step) == ("b", HOURS[131], HOURS[132], 1)
    last = table.iloc[-1]
    # the fifth origin is 6 rows before the end
    assert (last.series, last.cutoff, last.time, last.step) == ("little", HOURS[21 + 33], HOURS[21 + 37], 4)


def test_one_series_alone_has_the_forecasts_and_scores_of_that_series():
    alone = PANEL.loc[["b"]]
    panel = backtest(small(), alone, folds=Folds(TEST, stride=STRIDE), season_length=SEASON)
    again = backtest(panel.forecaster, PANEL.loc["b"], folds=Folds(TEST, stride=STRIDE), season_length=SEASON)
    np.testing.assert_array_equal(panel.origins, again.origins)
    table = panel.forecasts
    pd.testing.assert_frame_equal(table.drop(columns=["series", "forecast"]), again.forecasts.drop(columns="forecast"))
    naive = ["repeat-last", "seasonal-naive"]
    pd.testing.assert_frame_equal(panel.scores.loc[naive, again.scores.columns], again.scores.loc[naive])


def _naive(values, origin, season):
    known = list(values[:origin])
    for _ in range(4):
        known.append(known[-season])
    return np.array(known[origin:])


@pytest.mark.parametrize("season_length", [SEASON, 22])
def test_scores_of_each_series_and_of_all_are_those_of_the_metrics(result, season_length):
    if season_length != SEASON:
        # as many rows as the series "little" has before its first origin
        result = backtest(small(), PANEL, folds=Folds(TEST, stride=STRIDE), season_length=season_length)
    assert list(result.scores.index) == list(METHODS)
    assert list(result.scores.columns) == list(PANEL_SCORES)
    assert list(result.scores_by_series.index) == TESTED
    assert result.scores_by_series.index.name == "shop"
    names = {"MAE": metrics.mae, "MSE": metrics.mse, "RMSE": metrics.rmse, "sMAPE": metrics.smape}
    every = {method: {"truth": [], "forecast": [], "scaled": []} for method in METHODS}
    for i, key in enumerate(LENGTHS):
        values = series_of(PANEL, key).to_numpy()
        origins = result.origins[result.which == i]
        if not len(origins):
            continue
        # where no season lies before, its last value stands for it
        season = season_length if origins[0] >= season_length else 1
        truth = np.array([values[o : o + 4] for o in origins])
        forecasts = [result.values[result.which == i]]
        for each in (1, season_length):
            forecasts.append(np.array([_naive(values, o, each if o >= each else 1) for o in origins]))
        for method, forecast in zip(METHODS, forecasts, strict=True):
            row = result.scores_by_series.loc[key].xs(method, level="forecast")
            for name, metric in names.items():
                assert row[name] == pytest.approx(metric(truth, forecast), rel=1e-12)
            train, lag = values[: origins[0]], season if season < origins[0] else 1
            assert row["MASE"] == pytest.approx(metrics.mase(truth, forecast, train, lag), rel=1e-12)
            assert row["RMSSE"] == pytest.approx(metrics.rmsse(truth, forecast, train, lag), rel=1e-12)
            for name, part in (("truth", truth), ("forecast", forecast)):
                every[method][name].append(part)
    for method, parts in every.items():
        truth, forecast = (np.concatenate(parts[name]) for name in ("truth", "forecast"))
        for name, metric in names.items():
            assert result.scores.loc[method, name] == pytest.approx(metric(truth, forecast), rel=1e-12)
            for step in range(4):
                expected = metric(truth[:, step], forecast[:, step])
                assert result.scores_by_step[name].loc[step + 1, method] == pytest.approx(expected, rel=1e-12)
        # all series have as many windows
        by_series = result.scores_by_series.xs(method, level="forecast", axis=1)
        assert result.scores.loc[method, "MASE"] == pytest.approx(by_series["MASE"].mean(), rel=1e-12)
        assert result.scores.loc[method, "RMSSE"] == pytest.approx((by_series["RMSSE"] ** 2).mean() ** 0.5, rel=1e-12)


def test_scaled_scores_are_in_deviations_of_each_series(result):
    scaled = backtest(small(), PANEL, folds=Folds(TEST, stride=STRIDE), season_length=SEASON, scaled=True)
    splits = HeldOut.of(small()).training_lengths(read_series(small(), cut(PANEL, TEST)).observations)
    for i, key in enumerate(TESTED):
        values = series_of(PANEL, key).to_numpy()
        deviation = values[: splits[i]].std(axis=0)
        truth = np.array([values[o : o + 4] for o in scaled.origins[scaled.which == i]])
        expected = metrics.mse(truth / deviation, scaled.values[scaled.which == i] / deviation)
        assert scaled.scores_by_series.loc[key, ("MSE", "LSTMForecaster")] == pytest.approx(expected, rel=1e-9)
    for score in ("sMAPE", "MASE", "RMSSE"):
        np.testing.assert_allclose(scaled.scores[score], result.scores[score], rtol=1e-12)


def test_series_that_repeat_themselves_have_no_scale():
    panel = _panel(["load"], {"b": 80, "a": 80})
    panel.loc["a"] = 3.0
    found = backtest(small(), panel, folds=Folds(TEST, stride=STRIDE), season_length=SEASON)
    assert found.scores_by_series.loc["a", "MASE"].isna().all()
    np.testing.assert_array_equal(found.scores["MASE"], found.scores_by_series.loc["b", "MASE"])
    assert found.scores.notna().all(axis=None)


@pytest.mark.parametrize("horizon", [4, 8])
def test_covariates_and_static_features_are_aligned_at_each_origin(horizon):
    panel = _panel(["load"], {"b": 60, "a": 80})
    index = pd.MultiIndex.from_product([["a", "b"], HOURS], names=["shop", "hour"])
    rng = np.random.default_rng(1)
    X, X_past = (pd.DataFrame({name: rng.normal(size=len(index))}, index) for name in ("plan", "measured"))
    static = pd.DataFrame({"size": [1.0, 2.0]}, ["a", "b"])
    X_past = X_past if horizon <= 4 else None
    found = small(calendar="auto").backtest(panel, X, X_past, static, folds=Folds(8, stride=2), horizon=horizon)
    fitted = small(calendar="auto").fit(cut(panel, 8), X, X_past, static)
    for i, origin, values in zip(found.which, found.origins, found.values, strict=True):
        context = series_of(panel, ["b", "a"][i]).iloc[:origin]
        expected = fitted.predict(horizon, X=X, X_past=X_past, context=context, static=static)
        np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_missing_values_are_no_truth_and_are_carried_within_their_series():
    panel = PANEL[["load"]].copy()
    for key, row in (("a", 0), ("a", 80), ("b", 140), ("b", 10)):
        panel.loc[panel.loc[[key]].index[row], "load"] = np.nan
    found = backtest(small(missing="mask"), panel, folds=TEST, coverage=0.5)
    table = found.forecasts
    assert table.truth.isna().sum() == sum(
        ((table.series == key) & (table.time == panel.loc[[key]].index[row][1])).sum()
        for key, row in (("a", 80), ("b", 140))
    )
    assert found.scores.notna().all(axis=None)
    assert found.interval_scores.notna().all(axis=None)
    values = pd.Series(carried(found.observations)[:, 0], panel.index)
    # the first value of its series, not the last of the one before
    assert values.loc["a"].iloc[0] == panel.loc["a", "load"].iloc[1]
    assert values.loc["b"].iloc[10] == panel.loc["b", "load"].iloc[9]
    # gaps between rows are mended in every series
    gappy = PANEL.drop(PANEL.index[[140, 160]])
    assert backtest(small(missing="interpolate"), gappy, folds=TEST).scores.notna().all(axis=None)


@pytest.mark.parametrize("refit", [False, True])
def test_nothing_after_an_origin_reaches_its_forecast(refit):
    later = PANEL.copy()
    for key in LENGTHS:
        rows = later.loc[[key]].index[-9:]
        later.loc[rows] = 1e6
    before, after = (
        backtest(small(), y, folds=Folds(TEST, stride=STRIDE, refit=refit), coverage=0.5) for y in (PANEL, later)
    )
    early = np.array([LENGTHS[list(LENGTHS)[i]] for i in before.which]) - before.origins >= 9
    np.testing.assert_array_equal(before.values[early], after.values[early])
    np.testing.assert_array_equal(before.bounds[:, early], after.bounds[:, early])
    assert (before.values[~early] != after.values[~early]).all()


def test_long_format_periods_integers_and_names_that_are_tuples():
    times = pd.period_range("2020-01", periods=60, freq="M")
    keys = pd.Index([("x", 1), ("y", 2)], tupleize_cols=False)
    index = pd.MultiIndex.from_arrays([keys.repeat([60, 40]), times.append(times[10:50])], names=["unique_id", "ds"])
    y = pd.Series(np.random.default_rng(0).normal(size=100).cumsum(), index, name="y")
    expected = backtest(small(), y, folds=6)
    assert list(expected.scores_by_series.index) == [("x", 1), ("y", 2)]
    assert expected.forecasts.time.iloc[-1] == times[49]
    long = backtest(small(), y.reset_index(), folds=6)
    pd.testing.assert_frame_equal(long.forecasts, expected.forecasts)
    shuffled = y.reset_index().sample(frac=1, random_state=0).sort_values("ds", kind="stable")
    assert len(backtest(small(), shuffled, folds=6).forecasts) == len(long.forecasts)


def test_the_result_prints_and_is_drawn():
    probable = backtest(small(), PANEL, folds=Folds(TEST, stride=STRIDE), coverage=0.5)
    assert repr(probable).startswith(
        "Backtest: 4 series, 20 origins x 4 steps x 2 variables, season of 24; MAE, MSE, RMSE in the data's units"
    )
    assert "RMSSE" in repr(probable)
    assert probable._repr_html_().count("<table") == 2
    ax = plot.backtest(probable, variable="heat", series="great")
    assert ax.get_title(loc="left") == "series great"
    truth, first = ax.get_lines()[:2]
    np.testing.assert_array_equal(first.get_ydata(), probable.values[probable.which == 2][0, :, 1])
    np.testing.assert_array_equal(truth.get_ydata()[:4], series_of(PANEL, "great")["heat"].to_numpy()[102:106])
    assert plot.backtest(probable).get_title(loc="left") == "series b"
    for unknown in ("tiny", "nowhere"):
        with pytest.raises(ValueError, match=f"expected series to be one of those that were forecast, got '{unknown}'"):
            plot.backtest(probable, series=unknown)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 150}, "expected a test set of at most 149 rows, one less than the longest series has, got 150"),
        ({"folds": 3}, "expected a test set of at least 4 rows for horizon=4, got 3"),
        ({"folds": Folds(20, gap=130)}, "expected gap to be below the 130 rows before the test set, got 130"),
        ({"folds": 147}, "expected a series of more than 4 rows for horizon=4, got 3 at most"),
        ({"folds": TEST, "coverage": 0.999}, "expected at least 999 windows held out for coverage=0.999, got"),
    ],
)
def test_what_is_too_short_gets_one_clear_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        backtest(small(calibration="exact"), PANEL, **options)
