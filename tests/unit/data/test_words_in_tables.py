"""Truth values and words in X and X_past, without names of columns: the features of a table with named columns."""

import re

import numpy as np
import pandas as pd
import pytest
from tests.serve.client import Client

from lstmforecast import LSTMForecaster, Sampling, load
from lstmforecast.serve import create_app

SMALL = {"window_size": 8, "hidden_size": 4, "max_epochs": 1, "sampling": Sampling(steps_per_epoch=4), "n_threads": 1}
N, HORIZON = 80, 3
RNG = np.random.default_rng(0)
DAYS = pd.date_range("2026-01-01", periods=N + HORIZON)
X = pd.DataFrame(
    {"promo": RNG.random(N + HORIZON) < 0.3, "kind": RNG.choice(["a", "b"], N + HORIZON), "price": 1.5}, DAYS
)
PAST = pd.DataFrame({"weather": RNG.choice(["sun", "rain"], N)}, DAYS[:N])
Y = pd.Series(RNG.normal(size=N), DAYS[:N], name="sales")


def model(**parameters):
    return LSTMForecaster(HORIZON, random_state=0, **SMALL, **parameters)


@pytest.mark.parametrize(
    "types",
    [{}, {"kind": "category", "promo": "boolean"}, {"kind": "string", "promo": object}, {"promo": float}],
    ids=str,
)
def test_they_are_those_of_named_columns(types, tmp_path):
    given = X.astype(types)
    fitted = model().fit(Y, given[:N], PAST)
    fitted.save(tmp_path / "model.safetensors")
    df = pd.concat([Y, X[:N], PAST], axis=1).reset_index(names="day")
    names = {"target": "sales", "time": "day", "known": list(X), "past": "weather"}
    named = model().fit(df, **names)
    expected = named.predict(known=X[N:].reset_index(names="day"))["forecast"]
    for each in (fitted, load(tmp_path / "model.safetensors")):
        np.testing.assert_array_equal(each.predict(X=given), expected)
        found = each.predict(X=given, X_past=PAST, context=Y)
        np.testing.assert_array_equal(found, expected)
    assert fitted.explain(X=given).features == ["sales", "weather", "promo", "kind", "price"]


def test_series_of_truth_values_and_arrays():
    promo = X["promo"]
    expected = model().fit(Y, promo.astype(float)).predict(X=promo.astype(float))
    np.testing.assert_array_equal(model().fit(Y, promo).predict(X=promo), expected)


def test_new_categories_are_refused_or_ignored():
    ahead = X.assign(kind="c")
    with pytest.raises(ValueError, match=r"'kind' of X \('a', 'b'\), got 'c' at 2026-03-22 .*unknown='ignore'"):
        model().fit(Y, X[:N]).predict(X=ahead[N:])
    assert np.isfinite(model().fit(Y, X[:N], unknown="ignore").predict(X=ahead[N:])).all()


def test_they_are_served_under_their_names():
    fitted = model().fit(Y, X[:N], PAST)
    client = Client(create_app({"sales": fitted}))
    known = X[N - 8 :].astype({"promo": object})
    window = {
        "values": Y[-8:].tolist(),
        "times": [f"{day:%Y-%m-%d}" for day in DAYS[N - 8 : N]],
        "known": {name: known[name].tolist() for name in known},
        "past": {"weather": PAST["weather"][-8:].tolist()},
    }
    answer = client.predict({"windows": [window]}).json()
    np.testing.assert_array_equal(answer["forecasts"][0]["values"], fitted.predict(X=X[N:]))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.5] * 40 + ["-"] + [2.0] * (N - 41), "got '-' at 2026-02-10 00:00:00 .* among numbers"),
        (["a"] * 40 + [3] + ["b"] * (N - 41), "got 3 at 2026-02-10 00:00:00 .* among words"),
        ([str(i) for i in range(40)] + ["-"] * (N - 40), "got '-' at 2026-02-10 .* among texts of numbers"),
    ],
    ids=["numbers", "words", "texts"],
)
def test_words_among_numbers_are_no_categories(values, words):
    column = pd.DataFrame({"price": pd.Series(values, DAYS[:N], dtype=object)})
    with pytest.raises(TypeError, match=rf"expected words or numbers in column 'price', {words}"):
        model().fit(Y, column)
    table = column.assign(sales=Y).reset_index(names="day")
    with pytest.raises(TypeError, match=r"expected words or numbers in column 'price', got .* among"):
        model().fit(table, target="sales", time="day", known="price")


def test_whole_numbers_are_one_category_whatever_their_type():
    df = pd.DataFrame({"day": DAYS[:N], "sales": Y.to_numpy(), "k": pd.Categorical(RNG.choice([1, 2], N))})
    fitted = model().fit(df, target="sales", time="day", known="k")
    plan = pd.DataFrame({"day": DAYS[N:], "k": 1})
    for values in ([1.0] * 3, ["1"] * 3, pd.Categorical([1, 1, 1]), [1] * 3):
        pd.testing.assert_frame_equal(fitted.predict(known=plan.assign(k=values)), fitted.predict(known=plan))


def test_two_features_of_one_name_are_told_by_their_columns():
    with pytest.raises(ValueError, match=r"got 'kind_a' of columns 'kind' and 'kind_a' .*; rename one of them"):
        model().fit(Y, X[:N].assign(kind_a=1.0))


@pytest.mark.parametrize("role", ["known", "static"])
def test_two_values_of_one_text_are_no_category(role):
    df = pd.DataFrame({"day": DAYS[:N], "sales": Y.to_numpy(), "shop": "a"})
    df = pd.concat([df, df.assign(shop="b")], ignore_index=True)
    df["k"] = pd.Categorical([1 if shop == "a" else "1" for shop in df["shop"]], [1, "1"])
    message = (
        "expected categories that differ as text in column 'k', got 1 and '1'; if they are one category, convert the "
        "column with astype(str), else rename one"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model().fit(df, target="sales", series="shop", time="day", **{role: "k"})
