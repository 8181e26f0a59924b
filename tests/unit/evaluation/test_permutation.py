"""Permutation importance, and `score` for scikit-learn's own."""

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance as of_sklearn
from sklearn.metrics import r2_score

from lstmforecast import LSTMForecaster, Sampling, permutation_importance

FAST = {
    "window_size": 10,
    "hidden_size": 8,
    "sampling": Sampling(steps_per_epoch=10),
    "random_state": 0,
    "n_threads": 1,
}
N, HORIZON = 200, 3
NAMES = {"target": "sales", "series": "shop", "time": "day", "known": ["promo", "noise", "kind"], "static": "size"}


def table():
    rng = np.random.default_rng(0)
    parts = []
    for shop, size in (("x", 1.0), ("y", 2.0)):
        df = pd.DataFrame({"shop": shop, "day": pd.date_range("2026-01-01", periods=N), "promo": rng.random(N) < 0.4})
        df["noise"], df["kind"], df["size"] = rng.normal(size=N), rng.choice(["a", "b"], N), size
        df["sales"] = 20 + 5 * df["promo"] + 3 * (df["kind"] == "a") + rng.normal(0, 0.1, N)
        parts.append(df)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def fitted():
    df = table()
    return LSTMForecaster(HORIZON, max_epochs=40, **FAST).fit(df[df["day"] < "2026-05-01"], **NAMES)


def newer():
    df = table()
    return df[df["day"] >= "2026-04-01"]


@pytest.mark.parametrize("metric", ["MAE", "RMSE"])
def test_columns_of_the_user_are_exchanged_and_noise_does_not_matter(fitted, metric):
    found = permutation_importance(fitted, newer(), metric=metric, random_state=0)
    assert set(found.index) == {"promo", "noise", "kind", "size"}
    assert found.index[:2].tolist() == ["promo", "kind"]
    assert found["importance"].is_monotonic_decreasing
    assert found.loc["promo", "importance"] > 1.0 > 0.2 > found.loc[["noise", "size"], "importance"].abs().max()
    again = permutation_importance(fitted, newer(), metric=metric, random_state=0)
    pd.testing.assert_frame_equal(found, again)


def test_the_error_without_permutation_is_that_of_all_forecasts(fitted):
    df = newer()
    found = permutation_importance(fitted, df, n_repeats=1, random_state=0)
    errors = []
    for _, part in df.groupby("shop"):
        for start in range(10, len(part) - HORIZON + 1):
            plan = part.iloc[start : start + HORIZON]
            known = plan[["shop", "day", "promo", "noise", "kind"]]
            forecast = fitted.predict(context=part.iloc[:start], known=known)["forecast"].to_numpy()
            errors.append(np.abs(forecast - plan["sales"].to_numpy()))
    # one window in a call, or all
    assert found["error"].iloc[0] == pytest.approx(np.mean(errors), rel=1e-5)


def test_score_is_r2_of_all_forecasts_and_takes_a_table(fitted):
    df = newer()
    y, forecasts = [], []
    for _, part in df.groupby("shop"):
        for start in range(10, len(part) - HORIZON + 1):
            plan = part.iloc[start : start + HORIZON]
            known = plan[["shop", "day", "promo", "noise", "kind"]]
            forecasts.append(fitted.predict(context=part.iloc[:start], known=known)["forecast"])
            y.append(plan["sales"])
    assert fitted.score(df) == pytest.approx(r2_score(np.ravel(y), np.ravel(forecasts)), abs=1e-5)


def test_scikit_learn_permutes_covariates_by_score():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"promo": rng.random(N) < 0.4, "noise": rng.normal(size=N)}).astype(float)
    y = pd.Series(20 + 5 * X["promo"] + rng.normal(0, 0.1, N))
    model = LSTMForecaster(HORIZON, max_epochs=40, **FAST).fit(y[:150], X[:150])
    found = of_sklearn(model, X[150:], y[150:], n_repeats=3, random_state=0)
    assert found.importances_mean[0] > 0.5 > 0.05 > abs(found.importances_mean[1])
    assert model.score(X[150:], y[150:]) > 0.9


def test_a_constant_has_the_score_of_scikit_learn():
    rng = np.random.default_rng(0)
    model = LSTMForecaster(HORIZON, max_epochs=1, **FAST).fit(rng.normal(size=60))
    assert model.score(np.full(30, 1.5)) in (0.0, 1.0)


def test_what_has_no_importance_is_refused(fitted):
    alone = LSTMForecaster(HORIZON, max_epochs=1, **FAST).fit(np.arange(60.0))
    with pytest.raises(ValueError, match="expected a forecaster with covariates, got one without"):
        permutation_importance(alone, np.arange(60.0))
    with pytest.raises(ValueError, match="expected metric to be one of"):
        permutation_importance(fitted, newer(), metric="MAPE")
    with pytest.raises(ValueError, match="expected y with at least 13 rows, a window and a horizon, got 5"):
        permutation_importance(fitted, newer().groupby("shop").head(5))
    with pytest.raises(ValueError, match="n_repeats"):
        permutation_importance(fitted, newer(), n_repeats=0)
