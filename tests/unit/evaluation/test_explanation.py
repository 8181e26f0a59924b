"""Contributions of integrated gradients: exact for linear networks, complete, and by the user's columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from lstmforecast import LSTM, LSTMForecaster, Quantiles, Sampling, explain, permutation_importance
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.roll import Seen, ends_of, roll

FAST = {
    "window_size": 10,
    "hidden_size": 8,
    "sampling": Sampling(steps_per_epoch=10),
    "random_state": 0,
    "n_threads": 1,
}
N, HORIZON = 150, 3
NAMES = {"target": "sales", "time": "day", "known": ["promo", "noise", "kind"], "past": "visits"}


def table(n=N + HORIZON):
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=n), "promo": rng.random(n) < 0.4})
    df["noise"], df["visits"], df["kind"] = rng.normal(size=n), rng.normal(size=n), rng.choice(["a", "b", "c"], n)
    df["sales"] = 20 + 5 * df["promo"] + 3 * (df["kind"] == "a") + rng.normal(0, 0.1, n)
    return df


def ahead(df):
    return df.iloc[N:][["day", "promo", "noise", "kind"]]


def model(**parameters):
    return LSTMForecaster(HORIZON, **({"max_epochs": 3} | FAST | parameters))


def panel():
    parts = {key: table().assign(size=size, area=area) for key, size, area in (("x", 1, "n"), ("y", 2, "s"))}
    return pd.concat(parts, names=["shop", None]).reset_index(level=0)


PANEL = {**NAMES, "series": "shop", "static": ["size", "area"]}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"architecture": LSTM(linear_skip=False), "normalize": None, "max_epochs": 10},
        {"loss": Quantiles([0.1, 0.5, 0.9])},
        {"transform": "log"},
        {"n_estimators": 2},
        {"calendar": "auto"},
        {"architecture": "linear"},
    ],
    ids=str,
)
def test_contributions_add_up_to_the_forecast(parameters):
    df = table()
    fitted = model(**parameters).fit(df.iloc[:N], **NAMES)
    explanation = fitted.explain(known=ahead(df))
    np.testing.assert_array_equal(explanation.forecast.ravel(), fitted.predict(known=ahead(df))["forecast"])
    total = explanation.contributions.sum(axis=(-2, -1))
    # differences in single precision, of values around 20 that vary by 5; bends of hinges of several values, which a
    # sum over 40 parts of the path meets to a part in 2,000
    np.testing.assert_allclose(total, explanation.forecast - explanation.baseline, atol=4e-3)


def test_of_a_linear_network_a_contribution_is_the_change_of_the_forecast_by_one_value():
    df = table()
    fitted = model(architecture="linear").fit(df.iloc[:N], **NAMES)
    explanation = fitted.explain(known=ahead(df))
    dataset, network = fitted.fitted_.dataset, fitted.model_
    assert explanation.features == ["sales", "visits", "promo", "noise", "kind"]
    known = dataset.covariates.known
    given = pd.concat(
        [df.iloc[N:][["promo", "noise"]].astype(float), pd.get_dummies(df["kind"])[N:].astype(float)], axis=1
    )
    given.columns = known.form.columns
    windows, future, _ = ends_of(network, dataset, HORIZON, given.set_axis(df["day"][N:]))
    center = network.scalers()["input_center"]
    start, later = np.broadcast_to(center, windows.shape).copy(), np.broadcast_to(center[1:], future.shape).copy()
    start[:, :, 0] = windows[:, -1:, 0]
    later[np.isnan(future)] = np.nan

    def forecast(windows, future):
        return mean(network.config["distribution"], roll(network, Seen(windows, future)))[0, :, 0]

    base = forecast(start, later)
    columns = {"sales": [0], "visits": [1], "promo": [2], "noise": [3], "kind": [4, 5, 6]}
    for i, name in enumerate(explanation.features):
        of_name = columns[name]
        for place, lag in enumerate(explanation.lags):
            one, other = start.copy(), later.copy()
            if lag > 0:
                one[:, -lag, of_name] = windows[:, -lag, of_name]
            elif name not in ("sales", "visits"):
                ahead_of = [column - 1 for column in of_name]
                other[:, -lag, ahead_of] = future[:, -lag, ahead_of]
            expected = forecast(one, other) - base
            np.testing.assert_allclose(explanation.contributions[0, :, 0, i, place], expected, atol=2e-4)


def test_noise_gets_nothing_and_what_matters_is_first():
    df = table()
    fitted = model(max_epochs=40).fit(df.iloc[:N], **NAMES)
    importance = fitted.explain(known=ahead(df)).importance().set_index("feature")["share"]
    assert importance[["noise", "visits"]].max() < 0.1 < importance[["promo", "kind"]].min()


def test_a_panel_is_explained_series_by_series_with_its_static_features():
    df = panel()
    before, later = df[df["day"] < df["day"].iloc[N]], df[df["day"] >= df["day"].iloc[N]]
    fitted = model(channels="together", architecture=LSTM(mix_naive=False)).fit(before, **PANEL)
    known = later[["shop", "day", "promo", "noise", "kind"]]
    explanation = fitted.explain(known=known)
    assert explanation.series == ["x", "y"]
    assert explanation.features == ["sales", "size", "area", "visits", "promo", "noise", "kind"]
    np.testing.assert_array_equal(explanation.forecast.ravel(), fitted.predict(known=known)["forecast"])
    static = explanation.contributions[:, :, :, 1:3]
    at_zero = explanation.lags == 0
    assert (static[..., ~at_zero] == 0).all()
    assert (static[..., at_zero] != 0).all()
    only = explain(fitted, context=before[before["shop"] == "y"], known=known[known["shop"] == "y"])
    # one series in a call, or two
    np.testing.assert_allclose(only.contributions[0], explanation.contributions[1], atol=1e-3)


def test_tables_hold_every_contribution():
    df = table()
    explanation = model().fit(df.iloc[:N], **NAMES).explain(known=ahead(df))
    frame = explanation.to_frame()
    assert list(frame) == ["variable", "step", "feature", "lag", "contribution"]
    row = frame[(frame["step"] == 2) & (frame["feature"] == "promo") & (frame["lag"] == -1)]
    place = explanation.lags.tolist().index(-1)
    assert row["contribution"].item() == explanation.contributions[0, 1, 0, 2, place]
    sums = frame.groupby(["step", "feature"])["contribution"].sum().abs()
    by_step = explanation.importance("step").set_index(["step", "feature"])["contribution"]
    pd.testing.assert_series_equal(by_step.sort_index(), sums.sort_index(), check_names=False, check_index_type=False)
    means = sums.groupby("feature").mean()
    overall = explanation.importance().set_index("feature")
    assert overall["contribution"].to_dict() == pytest.approx(means.to_dict())
    assert overall["share"].sum() == pytest.approx(1)
    assert overall["contribution"].is_monotonic_decreasing
    sizes = frame.assign(size=frame["contribution"].abs()).groupby(["lag", "feature"])["size"].mean()
    by_lag = explanation.importance("lag").set_index(["lag", "feature"])["contribution"]
    pd.testing.assert_series_equal(by_lag.sort_index(), sizes.sort_index(), check_names=False, check_index_type=False)
    assert "promo" in repr(explanation)


def test_gaps_stay_gaps_and_their_marks_count_with_their_column():
    df = table().assign(promo=lambda df: df["promo"].astype(float))
    df.loc[::5, "promo"] = np.nan
    fitted = model(missing="mask").fit(df.iloc[:N], **NAMES)
    explanation = fitted.explain(known=ahead(df))
    assert explanation.features == ["sales", "visits", "promo", "noise", "kind"]
    total = explanation.contributions.sum(axis=(-2, -1))
    np.testing.assert_allclose(total, explanation.forecast - explanation.baseline, atol=2e-3)


def test_arrays_recursive_heads_and_two_targets():
    y = np.column_stack([np.sin(np.arange(N) / 4), np.cos(np.arange(N) / 7)])
    explanation = model(architecture=LSTM(head="recursive"), channels="together").fit(y).explain()
    assert explanation.contributions.shape == (1, HORIZON, 2, 2, 10)
    assert explanation.features == explanation.variables == [0, 1]
    total = explanation.contributions.sum(axis=(-2, -1))
    np.testing.assert_allclose(total, explanation.forecast - explanation.baseline, atol=2e-4)


def test_cycles_of_the_calendar_are_one_feature():
    y = pd.Series(np.arange(N) % 7.0, pd.date_range("2026-01-01", periods=N))
    explanation = model(calendar="auto").fit(y).explain()
    assert explanation.features == [0, "day_of_week", "weekend", "day_of_year"]


def test_what_cannot_be_explained_is_refused():
    with pytest.raises(NotFittedError):
        model().explain()
    df = table()
    fitted = model().fit(df.iloc[:N], **NAMES)
    with pytest.raises(ValueError, match="expected known for the 3 steps after the end"):
        fitted.explain()
    explanation = fitted.explain(known=ahead(df))
    for groups in (["month"], ["step", "step"], ["series"]):
        with pytest.raises(ValueError, match="expected groups out of"):
            explanation.importance(*groups)


def test_columns_of_one_name_in_several_tables_are_told_apart():
    rng = np.random.default_rng(0)
    X, past = rng.normal(size=(N + HORIZON, 2)), rng.normal(size=(N, 2))
    fitted = model().fit(rng.normal(size=N), X[:N], past)
    expected = ["0 (X_past)", "1 (X_past)", "0 (X)", "1 (X)"]
    assert fitted.explain(X=X[N:]).features == ["0 (y)", *expected]
    assert sorted(permutation_importance(fitted, rng.normal(size=N), X[:N], past).index) == sorted(expected)


def test_a_column_called_as_a_category_of_another_keeps_its_effect():
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=N), "kind": rng.choice(["a", "b"], N)})
    df["kind_a"] = rng.normal(size=N)
    df["sales"] = 5 * df["kind_a"].shift(fill_value=0.0) + rng.normal(0, 0.1, N)
    names = {"target": "sales", "time": "day", "known": "kind", "past": "kind_a"}
    fitted = LSTMForecaster(1, **(FAST | {"max_epochs": 30})).fit(df, **names)
    importance = permutation_importance(fitted, df, random_state=0)["importance"]
    assert importance["kind_a"] > 1.0 > 4 * abs(importance["kind"])


def test_tables_of_a_panel_have_the_name_of_the_series():
    df = panel()
    before, later = df[df["day"] < df["day"].iloc[N]], df[df["day"] >= df["day"].iloc[N]]
    explanation = model().fit(before, **PANEL).explain(known=later[["shop", "day", "promo", "noise", "kind"]])
    assert explanation.to_frame().columns[0] == explanation.importance("series").columns[1] == "shop"
