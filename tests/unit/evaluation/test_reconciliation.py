"""Reconciled forecasts add up, and are those of the formulas in the literature."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hierarchicalforecast.core import HierarchicalReconciliation
from hierarchicalforecast.methods import MinTrace

from lstmforecast import Folds, LSTMForecaster, Sampling, aggregate, backtest, reconcile

STRUCTURE = {"total": ["north", "c"], "north": ["a", "b"]}
LABELS = ["total", "north", "c", "a", "b"]
SUMS = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
NAMES = {"target": "sales", "series": "shop", "time": "day"}
FAST = {"window_size": 8, "hidden_size": 4, "max_epochs": 2, "sampling": Sampling(steps_per_epoch=4), "n_threads": 1}


def leaves(n=80):
    rng = np.random.default_rng(0)
    days = pd.date_range("2026-01-01", periods=n)
    noise = rng.normal(size=(4, n))
    parts = {"a": 20 + noise[0] + noise[3], "b": 30 + noise[1] + noise[3], "c": 50 + 4 * noise[2]}
    return pd.concat([pd.DataFrame({"shop": key, "day": days, "sales": y}) for key, y in parts.items()])


@pytest.fixture(scope="module")
def fitted():
    df = aggregate(leaves(), STRUCTURE, **NAMES)
    model = LSTMForecaster(3, random_state=0, **FAST)
    errors = backtest(model, df, **NAMES, folds=Folds(24, stride=1))
    return model.fit(df, **NAMES), errors


def wide(table, column="forecast"):
    return table.pivot(index="shop", columns="day", values=column).loc[LABELS].to_numpy()


def test_aggregate_adds_up_the_leaves():
    table = leaves()
    found = aggregate(table, STRUCTURE, **NAMES)
    by_shop = {key: part["sales"].to_numpy() for key, part in found.groupby("shop")}
    assert found["shop"].unique().tolist() == LABELS
    np.testing.assert_allclose(by_shop["north"], by_shop["a"] + by_shop["b"])
    np.testing.assert_allclose(by_shop["total"], by_shop["north"] + by_shop["c"])
    np.testing.assert_array_equal(by_shop["a"], table.loc[table["shop"] == "a", "sales"])


def test_a_sum_is_missing_where_a_part_is():
    table = leaves(10).reset_index(drop=True)
    table.loc[3, "sales"] = np.nan
    found = aggregate(table.drop(index=25), STRUCTURE, **NAMES).set_index(["shop", "day"])["sales"]
    gone = found[found.isna()].index.to_flat_index().tolist()
    days = pd.date_range("2026-01-01", periods=10)
    assert gone == [("total", days[3]), ("total", days[5]), ("north", days[3]), ("a", days[3])]
    assert len(found) == 49


@pytest.mark.parametrize("method", ["bottom_up", "ols", "wls_struct", "mint_shrink"])
def test_forecasts_and_samples_add_up(fitted, method):
    model, errors = fitted
    for table, columns in (
        (model.predict(), ["forecast"]),
        (model.predict_samples(5, random_state=0), [f"sample-{i}" for i in range(5)]),
    ):
        found = reconcile(table, STRUCTURE, method, errors=errors)
        assert list(found) == list(table)
        for column in columns:
            values = wide(found, column)
            np.testing.assert_allclose(values, SUMS @ values[2:], rtol=1e-12)
            if method != "bottom_up":
                assert np.abs(values - wide(table, column)).max() > 1e-4


def test_least_squares_are_those_of_the_formula(fitted):
    model, errors = fitted
    base = wide(model.predict())
    for method, weights in (("ols", np.ones(5)), ("wls_struct", 1 / SUMS.sum(axis=1))):
        root = np.sqrt(weights)[:, np.newaxis]
        leaf = np.linalg.lstsq(root * SUMS, root * base, rcond=None)[0]
        np.testing.assert_allclose(wide(reconcile(model.predict(), STRUCTURE, method)), SUMS @ leaf, rtol=1e-9)
    np.testing.assert_allclose(
        wide(reconcile(model.predict(), STRUCTURE, "bottom_up", errors=errors)), SUMS @ base[2:], rtol=1e-12
    )


def test_mint_is_that_of_hierarchicalforecast_on_the_same_errors(fitted):
    model, errors = fitted
    table = errors.forecasts.sort_values(["shop", "cutoff", "step"])
    size = (table["truth"] - table["forecast"]).abs().mean()
    # the package reads the errors as those of rows in time order; its ridge is absolute, so units count
    insample = pd.DataFrame(
        {
            "unique_id": table["shop"],
            "ds": table.groupby("shop").cumcount(),
            "y": table["truth"] / size,
            "model": table["forecast"] / size,
        }
    )
    base = model.predict().rename(columns={"shop": "unique_id", "day": "ds", "forecast": "model"})
    base["ds"] = base.groupby("unique_id").cumcount() + 1000
    sums = pd.DataFrame(SUMS, columns=["c", "a", "b"]).assign(unique_id=LABELS)[["unique_id", "c", "a", "b"]]
    tags = {"top": np.array(["total"]), "middle": np.array(["north"]), "leaves": np.array(["c", "a", "b"])}
    theirs = HierarchicalReconciliation([MinTrace("mint_shrink")]).reconcile(base, tags, sums, insample)
    expected = theirs.pivot(index="unique_id", columns="ds", values="model/MinTrace_method-mint_shrink").loc[LABELS]
    np.testing.assert_allclose(wide(reconcile(model.predict(), STRUCTURE, errors=errors)), expected, rtol=1e-9)


def test_bounds_move_with_the_forecast_and_widen_with_its_errors(fitted):
    model, errors = fitted
    table = model.predict().merge(model.predict_interval([0.5, 0.8]))
    found = reconcile(table, STRUCTURE, "bottom_up", errors=errors)
    error = errors.forecasts.assign(error=lambda df: df["truth"] - df["forecast"])
    by_shop = error.pivot(index=["cutoff", "step"], columns="shop", values="error")[LABELS].to_numpy().T
    before = np.sqrt((by_shop**2).mean(axis=1))
    after = np.sqrt(((SUMS @ by_shop[2:]) ** 2).mean(axis=1))
    growth = (after / before)[:, np.newaxis]
    np.testing.assert_allclose(growth[2:], 1.0)
    for bound in ("lo-50", "hi-50", "lo-80", "hi-80"):
        distance = wide(table, bound) - wide(table)
        np.testing.assert_allclose(wide(found, bound) - wide(found), growth * distance, rtol=1e-9, atol=1e-9)


def test_missing_sums_are_made_bottom_up_and_tables_of_polars_come_back(fitted):
    model, _ = fitted
    table = model.predict()
    only = table[table["shop"].isin(["a", "b", "c"])]
    found = reconcile(only, STRUCTURE, "bottom_up")
    np.testing.assert_allclose(wide(found), SUMS @ wide(table)[2:], rtol=1e-12)
    of_polars = reconcile(pl.from_pandas(only), STRUCTURE, "bottom_up", series="shop", time="day")
    assert isinstance(of_polars, pl.DataFrame)
    np.testing.assert_array_equal(of_polars["forecast"].to_numpy(), found["forecast"])


def change(table, **columns):
    return table.assign(**columns)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda t, e: (t, STRUCTURE, "mint"), "expected method to be one of"),
        (lambda t, e: (t, STRUCTURE, "mint_shrink"), "expected errors=backtest"),
        (lambda t, e: (t, {}, "ols"), "expected structure as a dict of lists"),
        (lambda t, e: (t, {"total": "ab"}, "ols"), "expected a list of the parts of 'total'"),
        (lambda t, e: (t, {"total": ["a", "total"]}, "ols"), "part of itself, got 'total'"),
        (lambda t, e: (t, {"total": ["north", "a"], "north": ["a", "b"]}, "ols"), "once in 'total', got 'a' more"),
        (lambda t, e: (t, {**STRUCTURE, "south": ["d"]}, "ols"), r"got none of \['south', 'd'\]"),
        (lambda t, e: (t, {"north": ["a", "b"]}, "ols"), r"\['total', 'c'\], which structure hasn't"),
        (
            lambda t, e: (t.iloc[1:], STRUCTURE, "ols"),
            "same times for all series, got no forecast of 'tot",
        ),
        (
            lambda t, e: (change(t, forecast=np.nan), STRUCTURE, "ols"),
            "expected finite forecasts, got nan in col",
        ),
        (lambda t, e: (change(t, price=1.0), STRUCTURE, "ols"), r"beside series and times, got \['price'\]"),
        (lambda t, e: (t.rename(columns={"forecast": "q-0.5"}), STRUCTURE, "ols"), r"got \['q-0.5'\]; quantiles of"),
        (
            lambda t, e: (change(t, **{"lo-80": 0.0}), STRUCTURE, "ols"),
            "intervals, got None beside 'lo-80'",
        ),
        (
            lambda t, e: (t.rename(columns={"forecast": "lo-80"}), STRUCTURE, "ols"),
            "beside 'lo-80', got none",
        ),
    ],
    ids=range(14),
)
def test_what_cannot_be_reconciled_is_refused(fitted, make, words):
    model, errors = fitted
    with pytest.raises((TypeError, ValueError), match=words):
        reconcile(*make(model.predict(), errors))


def test_errors_are_those_of_the_series(fitted):
    model, errors = fitted
    with pytest.raises(TypeError, match="expected errors as the result of backtest, got DataFrame"):
        reconcile(model.predict(), STRUCTURE, errors=errors.forecasts)
    alone = backtest(LSTMForecaster(3, random_state=0, **FAST), np.sin(np.arange(60.0)), folds=10)
    with pytest.raises(ValueError, match="expected errors of a backtest of the series of structure"):
        reconcile(model.predict(), STRUCTURE, errors=alone)


def test_labels_may_be_truth_values_and_targets_must_be_numbers():
    table = pd.DataFrame({"shop": [True, False] * 3, "day": [1, 1, 2, 2, 3, 3], "y": range(6)})
    names = {"target": "y", "series": "shop", "time": "day"}
    found = aggregate(table, {"total": [True, False]}, **names)
    assert found["y"].tolist() == [1, 5, 9, 0, 2, 4, 1, 3, 5]
    with pytest.raises(TypeError, match="expected numbers in every column of the table, got 'y'"):
        aggregate(table.assign(y="x"), {"total": [True, False]}, **names)
    with pytest.raises(TypeError, match=r"expected names of series as the parts of 'total' in structure, got \['b'\]"):
        aggregate(table, {"total": [True, ["b"]]}, **names)
