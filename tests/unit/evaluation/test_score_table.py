"""`BacktestResult.scores_by` gives the scores of `lstmforecast.metrics`, group by group."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import Folds, LSTMForecaster, Sampling, backtest, metrics

SMALL = {"hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=4), "random_state": 0, "n_threads": 1}
COLUMNS = ["MAE", "MSE", "RMSE", "bias", "WAPE", "MAPE", "sMAPE", "MASE", "RMSSE"]


def panel():
    rng = np.random.default_rng(0)
    parts = {}
    for i, key in enumerate("abc"):
        n = 90 - 5 * i
        values = (1 + i) * (20 + rng.normal(size=(n, 2)).cumsum(axis=0))
        parts[key] = pd.DataFrame(values, pd.date_range("2026-01-01", periods=n), columns=["x", "y"])
    y = pd.concat(parts, names=["key", "day"])
    y.iloc[80, 0] = y.iloc[-2, 1] = np.nan
    return y


@pytest.fixture(scope="module")
def result():
    model = LSTMForecaster(4, window_size=8, missing="mask", **SMALL)
    others = {"last": lambda y, horizon: [y.iloc[-1]] * horizon}
    folds = Folds(14, stride=2, refit=3)
    return backtest(model, panel(), folds=folds, coverage=[0.5], levels=[0.1, 0.5, 0.9], others=others)


def by_group(result, groups, score):
    """A score of our forecasts, group by group, by the functions of `metrics`."""
    frame = result.forecasts.assign(fold=np.repeat(result.fold, 8)).astype({"variable": object}).dropna()
    return {key: score(part) for key, part in frame.groupby(groups)}


@pytest.mark.parametrize("groups", [["fold"], ["series", "variable"], ["step", "fold"], ["variable", "step"]], ids=str)
def test_scores_of_a_group_are_those_of_metrics(result, groups):
    table = result.scores_by(*groups)
    assert list(table.columns[: len(groups) + 10]) == [*groups, "forecast", *COLUMNS]
    ours = table[table["forecast"] == "LSTMForecaster"].set_index(groups)
    for name in ("MAE", "MSE", "RMSE", "bias", "WAPE", "MAPE", "sMAPE"):
        score = getattr(metrics, name.lower())
        expected = by_group(result, groups, lambda part, score=score: score(part["truth"], part["forecast"]))
        assert ours[name].to_dict() == pytest.approx({k if len(k) > 1 else k[0]: v for k, v in expected.items()})


def test_without_groups_they_are_the_overall_scores(result):
    table = result.scores_by().set_index("forecast")
    assert list(table.index) == list(result.scores.index)
    for name in result.scores:
        np.testing.assert_allclose(table[name], result.scores[name], rtol=1e-12)
    three = table.iloc[:3]
    intervals = result.interval_scores.droplevel("nominal coverage")
    for name in ("coverage", "width", "interval score"):
        np.testing.assert_allclose(three[f"{name}-50"], intervals[name], rtol=1e-12)
    np.testing.assert_allclose(three["CRPS"], result.quantile_scores["CRPS"], rtol=1e-12)
    assert table.loc["last", "coverage-50":].isna().all()


def test_steps_and_series_are_those_of_the_other_tables(result):
    for groups, scores in (("step", result.scores_by_step), ("series", result.scores_by_series)):
        table = result.scores_by(groups)
        for name in ("MAE", "MASE", "RMSSE"):
            wide = table.pivot(index=groups, columns="forecast", values=name)[scores[name].columns]
            np.testing.assert_allclose(wide, scores[name], rtol=1e-12)
    by_step = result.interval_scores_by_step
    width = result.scores_by("step").query("forecast == 'repeat-last'")["width-50"]
    np.testing.assert_allclose(width, by_step[("width", "repeat-last", 0.5)], rtol=1e-12)


def test_scaled_errors_are_those_of_the_other_tables():
    model = LSTMForecaster(4, window_size=8, missing="mask", **SMALL)
    result = backtest(model, panel(), folds=14, coverage=0.5, scaled=True)
    table = result.scores_by().set_index("forecast")
    np.testing.assert_allclose(table[["MAE", "RMSE"]], result.scores[["MAE", "RMSE"]], rtol=1e-12)
    np.testing.assert_allclose(table["width-50"], result.interval_scores["width"], rtol=1e-12)


def test_a_truth_of_zero_has_no_percentage_error():
    y = np.where(np.arange(80) % 9 == 0, 0.0, 5.0)
    result = backtest(LSTMForecaster(3, window_size=8, **SMALL), y, folds=18)
    table = result.scores_by().set_index("forecast")
    assert table["MAPE"].isna().all()
    expected = metrics.wape(result.forecasts["truth"], result.forecasts["forecast"])
    assert table.loc["LSTMForecaster", "WAPE"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (["month"], "out of .*, got 'month'"),
        (["step", "step"], "each group once"),
        (["series"], "one"),
    ],
    ids=str,
)
def test_other_groups_are_refused(groups, words):
    result = backtest(LSTMForecaster(3, window_size=8, **SMALL), np.sin(np.arange(60.0)), folds=6)
    with pytest.raises(ValueError, match=words):
        result.scores_by(*groups)
