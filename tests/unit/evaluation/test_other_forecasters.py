"""Other forecasters in a backtest see the rows before an origin only, and stand beside ours in every table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lstmforecast import Folds, LagRegressor, LSTMForecaster, Sampling, backtest, compare, metrics

SMALL = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=4), "random_state": 0, "n_threads": 1}
HORIZON, TEST = 3, 12
FOLDS = Folds(TEST, stride=3, refit=2)
MODEL = LSTMForecaster(HORIZON, window_size=12, **SMALL)


def table(n_series=3, n=80):
    rng = np.random.default_rng(0)
    parts = []
    for i in range(n_series):
        promo = rng.integers(0, 2, n)
        sales = 50 * (i + 1) + 20 * promo + 10 * np.sin(np.arange(n) * 2 * np.pi / 7) + rng.normal(size=n)
        days = pd.date_range("2026-01-01", periods=n - 4 * i)
        part = {"shop": f"s{i}", "day": days, "sales": sales[: n - 4 * i], "promo": promo[: n - 4 * i], "size": i}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


NAMES = {"target": "sales", "series": "shop", "time": "day", "known": "promo", "static": "size"}
HOURS = pd.Series(np.random.default_rng(1).normal(size=90).cumsum(), pd.date_range("2026-01-01", periods=90, freq="h"))


def last(y, horizon):
    return np.repeat(y.iloc[-1], horizon)


def last_season(y, horizon):
    return y.to_numpy()[-7:][np.arange(horizon) % 7]


class Mean:
    """As an object of the user's own."""

    def fit(self, y):
        self.mean = y.mean()

    def predict(self, horizon):
        return [self.mean] * horizon


class StatsForecast:
    """With the signatures of a model of statsforecast."""

    def fit(self, y, X=None):
        raise AssertionError

    def predict(self, h, X=None):
        raise AssertionError

    def forecast(self, y, h, X=None, X_future=None, fitted=False):
        assert isinstance(y, np.ndarray)
        return {"mean": np.full(h, y[-1])}


def test_functions_of_the_naive_forecasts_get_their_scores():
    result = backtest(MODEL, table(), **NAMES, folds=FOLDS, others={"last": last, "season": last_season})
    for name, same in (("last", "repeat-last"), ("season", "seasonal-naive")):
        pd.testing.assert_series_equal(result.scores.loc[name], result.scores.loc[same], check_names=False)
        for scores in (result.scores_by_step, result.scores_by_series):
            by_name = scores.swaplevel(axis=1)
            pd.testing.assert_frame_equal(by_name[name], by_name[same])
    truth, found = result.forecasts["truth"], result.forecasts["last"]
    assert metrics.mae(truth, found) == pytest.approx(result.scores.loc["last", "MAE"])


def test_ours_are_the_same_with_and_without_others():
    alone = backtest(MODEL, table(), **NAMES, folds=FOLDS, coverage=0.5)
    beside = backtest(MODEL, table(), **NAMES, folds=FOLDS, coverage=0.5, others={"ridge": Ridge(), "last": last})
    np.testing.assert_array_equal(alone.values, beside.values)
    pd.testing.assert_frame_equal(alone.scores, beside.scores.iloc[:3])
    pd.testing.assert_frame_equal(alone.forecasts, beside.forecasts[alone.forecasts.columns])
    pd.testing.assert_frame_equal(alone.intervals, beside.intervals)


@pytest.mark.parametrize("window", ["expanding", "sliding"])
def test_each_series_is_shown_up_to_the_origin_from_the_first_row_of_the_fit(window):
    seen = []

    def watch(y, horizon):
        seen.append(y)
        return last(y, horizon)

    size = {"train_size": 30} if window == "sliding" else {}
    folds = Folds(TEST, stride=3, refit=2, window=window, **size)
    result = backtest(MODEL, HOURS, folds=folds, others={"watch": watch})
    assert [len(y) - origin for y, origin in zip(seen, result.origins, strict=True)] == (
        [0, 0, 0, 0] if window == "expanding" else [-48, -48, -54, -54]
    )
    for y, origin in zip(seen, result.origins, strict=True):
        pd.testing.assert_series_equal(y, HOURS.iloc[origin - len(y) : origin], check_names=False, check_freq=False)
        assert y.index.freq == "h"


def test_what_a_function_writes_into_its_series_changes_nothing():
    def spoil(y, horizon):
        y[:] = 0.0
        return [0.0] * horizon

    spoiled, alone = backtest(MODEL, HOURS, folds=FOLDS, others={"spoil": spoil}), backtest(MODEL, HOURS, folds=FOLDS)
    np.testing.assert_array_equal(spoiled.values, alone.values)


def test_objects_are_called_as_their_libraries_ask_and_are_not_changed():
    mean = Mean()
    result = backtest(MODEL, HOURS, folds=FOLDS, others={"mean": mean, "naive": StatsForecast()})
    assert not hasattr(mean, "mean")
    expected = [HOURS.iloc[:origin].mean() for origin in result.origins]
    np.testing.assert_allclose(result.others["mean"][..., 0], np.repeat(np.array(expected)[:, None], HORIZON, axis=1))
    assert result.scores.loc["naive", "MAE"] == pytest.approx(result.scores.loc["repeat-last", "MAE"])


def test_another_of_our_forecasters_has_the_forecasts_of_its_own_backtest():
    linear = LSTMForecaster(HORIZON, window_size=12, architecture="linear", **SMALL)
    beside = backtest(MODEL, table(), **NAMES, folds=FOLDS, others={"linear": linear})
    np.testing.assert_array_equal(beside.others["linear"], backtest(linear, table(), **NAMES, folds=FOLDS).values)


def test_the_names_of_a_fitted_forecaster_count_for_the_others_too():
    df = table(n_series=2)
    linear = LSTMForecaster(HORIZON, window_size=12, architecture="linear", **SMALL)
    fitted = LSTMForecaster(HORIZON, window_size=12, **SMALL).fit(df, **NAMES)
    beside = backtest(fitted, df, folds=FOLDS, others={"linear": linear})
    np.testing.assert_array_equal(beside.others["linear"], backtest(linear, df, **NAMES, folds=FOLDS).values)


def by_hand(df, lags, back):
    """Fit a regression on lags of all series, standardised, and forecast from ``back`` rows before each end."""
    features, targets, parts = [], [], {}
    for key, part in df.groupby("shop"):
        values = part["sales"].to_numpy()
        middle, width = values[:-TEST].mean(), values[:-TEST].std()
        z, promo, size = (values - middle) / width, part["promo"].to_numpy(), part["size"].to_numpy()
        for t in range(max(lags), len(part) - TEST):
            features.append([*(z[t - lag] for lag in lags), size[t], promo[t]])
            targets.append(z[t])
        parts[key] = (z, promo, size, middle, width)
    fitted = LinearRegression().fit(features, targets)
    found = []
    for z, promo, size, middle, width in parts.values():
        t = len(z) - back
        path = list(z[:t])
        for step in range(HORIZON):
            path.append(fitted.predict([[*(path[-lag] for lag in lags), size[t + step], promo[t + step]]])[0])
        found.append(np.array(path[t:]) * width + middle)
    return np.array(found)


@pytest.mark.parametrize("lags", [4, [1, 7]], ids=str)
def test_a_regressor_reads_lags_and_covariates_and_forecasts_step_by_step(lags):
    other = LagRegressor(LinearRegression(), lags=lags)
    result = backtest(MODEL, table(), **NAMES, folds=Folds(TEST, stride=3), others={"linear": other})
    each = list(range(1, lags + 1)) if isinstance(lags, int) else lags
    for number, back in enumerate(range(TEST, HORIZON - 1, -3)):
        found = result.others["linear"][number::4, :, 0]
        # sums in another order
        np.testing.assert_allclose(found, by_hand(table(), each, back), rtol=1e-9)


def test_regressors_of_any_kind_and_several_targets():
    y = np.stack([np.sin(np.arange(100) / 3), np.cos(np.arange(100) / 5)], axis=1)
    others = {
        "linear": LinearRegression(),
        "pipe": make_pipeline(StandardScaler(), Ridge(1e-8)),
        "trees": HistGradientBoostingRegressor(max_iter=20),
    }
    scores = backtest(MODEL, y, folds=FOLDS, others=others).scores["MAE"]
    assert scores[["linear", "pipe"]].max() < 1e-4 < scores["trees"] < scores["repeat-last"]


def test_a_regressor_reads_masked_covariates_as_their_mean():
    df = table().astype({"promo": float})
    df.loc[::6, "promo"] = np.nan
    masked = LSTMForecaster(HORIZON, window_size=12, missing="mask", **SMALL)
    result = backtest(masked, df, **NAMES, folds=Folds(TEST), others={"linear": LinearRegression()})
    assert result.scores.loc["linear", "MASE"] < 0.6


def test_the_default_lags_fit_into_short_series_and_rows_are_limited():
    class Shape(BaseEstimator):
        shapes = []  # noqa: RUF012

        def fit(self, X, y):
            self.shapes.append(X.shape)
            return self

        def predict(self, X):
            return np.zeros(len(X))

    backtest(MODEL, HOURS[:40], folds=6, others={"shape": Shape()})
    backtest(MODEL, HOURS, folds=6, others={"shape": LagRegressor(Shape(), lags=2, max_rows=50)})
    backtest(MODEL, HOURS, folds=6, others={"shape": LagRegressor(Shape())})
    assert Shape.shapes == [(17, 17), (50, 2), (84 - 42, 42)]


def test_compare_takes_the_name_of_a_method():
    result = backtest(MODEL, table(), **NAMES, folds=Folds(TEST), others={"last": last})
    named, naive = (compare(result, name, random_state=0) for name in ("last", "repeat-last"))
    assert named.mean_losses == pytest.approx(naive.mean_losses)
    assert named.mean_losses[0] != named.mean_losses[1]
    with pytest.raises(ValueError, match=r"expected b to be one of \['repeat-last', .*'last'\].*, got 'ETS'"):
        compare(result, "ETS")
    with pytest.raises(ValueError, match=r"one of \['repeat-last', .*got 'LSTMForecaster'"):
        compare(result, "LSTMForecaster")
    assert named.names == ("LSTMForecaster", "last")


@pytest.mark.parametrize(
    ("others", "error", "words"),
    [
        ([last], TypeError, r"expected others to be a dict of forecasters by name"),
        ({1: last}, TypeError, r"expected names of others to be strings, got 1"),
        ({"repeat-last": last}, ValueError, r"that the result doesn't use, got 'repeat-last'"),
        ({"shop": last}, ValueError, r"that the result doesn't use, got 'shop'"),
        ({"ridge": Ridge}, TypeError, r"got the class Ridge: call it"),
        ({"x": 3}, TypeError, r"expected 'x' in others to be a regressor, .*got 3"),
        ({"short": lambda y, h: [1.0]}, ValueError, r"expected 3 forecasts from 'short' of others, got shape \(1,\)"),
        ({"nan": lambda y, h: [np.nan] * h}, ValueError, r"finite forecasts from 'nan', got nan at the origin .*'s0'"),
        ({"bad": lambda y, h: 1 / 0}, RuntimeError, r"'bad' of others failed at the origin 2026-03-10.*ZeroDivision"),
        ({"lags": LagRegressor(Ridge(), lags=70)}, ValueError, r"expected more than 70 rows of a series in each fit"),
    ],
    ids=lambda value: ", ".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_what_cannot_forecast_is_refused(others, error, words):
    with pytest.raises(error, match=words):
        backtest(MODEL, table(), **NAMES, folds=FOLDS, others=others)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"regressor": Ridge}, TypeError, "expected regressor to be an object with fit and predict"),
        ({"regressor": Ridge(), "lags": 0}, ValueError, "lags"),
        ({"regressor": Ridge(), "lags": [1, 0]}, ValueError, "each of lags"),
        ({"regressor": Ridge(), "lags": []}, ValueError, "empty list"),
        ({"regressor": Ridge(), "lags": "12"}, TypeError, "lags"),
        ({"regressor": Ridge(), "max_rows": 0}, ValueError, "max_rows"),
    ],
    ids=str,
)
def test_parameters_of_a_lag_regressor(arguments, error, words):
    with pytest.raises(error, match=words):
        LagRegressor(**arguments)


class Broken(BaseEstimator):
    """A regressor with a fault of some kind."""

    def __init__(self, fault="fit"):
        self.fault = fault

    def fit(self, X, y):
        if self.fault == "fit":
            raise IndexError("boom")
        return self

    def predict(self, X):
        return {"shape": np.zeros((len(X), 2)), "words": np.array(["a"] * len(X)), "column": np.zeros((len(X), 1))}[
            self.fault
        ]


@pytest.mark.parametrize(
    ("fault", "words"), [("fit", "IndexError: boom"), ("shape", r"got shape \(\d+, 2\)"), ("words", "ValueError")]
)
def test_faults_of_regressors_name_the_entry(fault, words):
    with pytest.raises(RuntimeError, match=rf"^'broken' of others failed: .*{words}"):
        backtest(MODEL, HOURS, folds=6, others={"broken": Broken(fault)})


def test_predictions_in_a_column_are_read():
    assert np.isfinite(backtest(MODEL, HOURS, folds=6, others={"column": Broken("column")}).others["column"]).all()


@pytest.mark.parametrize("other", [LogisticRegression(), KMeans(2, n_init=1), IsolationForest()], ids=repr)
def test_labels_are_no_forecasts(other):
    with pytest.raises(TypeError, match=r"expected a regressor for 'x' in others, got a \w+"):
        backtest(MODEL, HOURS, folds=6, others={"x": other})


def test_the_error_of_another_of_our_forecasters_names_it():
    y = HOURS.copy()
    y.iloc[30] = np.nan
    filled = LSTMForecaster(HORIZON, window_size=12, missing="mask", **SMALL)
    with pytest.raises(ValueError, match=r"^'o' of others: expected no missing values in y"):
        backtest(filled, y, folds=6, others={"o": MODEL})


@pytest.mark.parametrize("is_panel", [True, False])
def test_a_series_that_begins_after_an_origin_is_refused(is_panel):
    """Naive forecasts, and others, would be shown its first value before it was known."""
    y = pd.Series(np.nan, HOURS.index)
    y.iloc[80:] = 900.0
    if is_panel:
        y = pd.concat({"late": y, "whole": HOURS}, names=["key", "hour"])
    model = LSTMForecaster(HORIZON, window_size=12, missing="mask", **SMALL)
    of = "of series 'late' " if is_panel else ""
    with pytest.raises(
        ValueError, match=rf"known value of .*{of}before its test set, got the first at 2026-01-04 08:00"
    ):
        backtest(model, y, folds=20, others={"last": last})


@pytest.mark.parametrize("name", ["step", "truth", "lower", "cutoff"])
def test_names_of_results_are_refused_for_columns(name):
    df = table()[["shop", "day", "sales"]]
    for old in ("shop", "day"):
        names = {"target": "sales", "series": "shop", "time": "day"}
        names = {role: name if column == old else column for role, column in names.items()}
        with pytest.raises(ValueError, match=rf"whose names the results of a backtest don't have, got '{name}'"):
            backtest(MODEL, df.rename(columns={old: name}), **names, folds=FOLDS)
