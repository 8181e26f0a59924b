"""Gaps in covariates: masked, filled from earlier rows, or refused with the ways out."""

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from lstmforecast import LSTM, LSTMForecaster, Sampling, backtest, load
from lstmforecast.data.covariate_table import Table
from lstmforecast.data.covariates import Covariates
from lstmforecast.data.observations import Observations

SMALL = {"hidden_size": 4, "sampling": Sampling(steps_per_epoch=10), "random_state": 0, "n_threads": 1}
NAMES = {"target": "sales", "time": "day", "known": ["promo", "price", "kind"], "past": "visits"}
N, HORIZON = 120, 3


def table(n=N):
    rng = np.random.default_rng(0)
    promo = rng.integers(0, 2, n).astype(float)
    return pd.DataFrame(
        {
            "day": pd.date_range("2026-01-01", periods=n),
            "sales": 10 + 5 * promo + rng.normal(size=n) / 10,
            "promo": promo,
            "price": 3 + rng.normal(size=n),
            "kind": rng.choice(["a", "b"], n),
            "visits": rng.normal(size=n),
        }
    )


def ahead(**changes):
    plan = table(N + HORIZON).iloc[N:][["day", "promo", "price", "kind"]]
    return plan.assign(**changes)


def model(missing, **parameters):
    given = {"window_size": 8, "max_epochs": 2} | SMALL | parameters
    return LSTMForecaster(HORIZON, missing=missing, freq="D", **given)


def holes(df, **rows):
    for name, which in rows.items():
        df.loc[which, name] = np.nan if name != "kind" else None
    return df


def test_masked_gaps_become_a_feature_of_the_columns_that_have_them_at_fit():
    df = holes(table(), promo=[3, N - 3], visits=[7], kind=[9])
    fitted = model("mask").fit(df, **NAMES)
    dataset = fitted.fitted_.dataset
    names = ["visits", "visits_missing", "promo", "price", "kind_a", "kind_b"]
    names += [f"{name}_missing" for name in ("promo", "kind")]
    assert dataset.covariates.names == names
    features = dataset.covariates.of(dataset.observations, *covariates_of(df.tail(len(dataset.observations))))
    np.testing.assert_array_equal(dataset.features, features)
    known, past = covariates_of(df)
    by_hand = np.column_stack([past, past.isna(), known, known[["promo", "kind_a"]].isna()])
    np.testing.assert_array_equal(features, by_hand[-len(features) :])
    assert np.isnan(features).any()


@pytest.mark.parametrize("embed", [2, None])
@pytest.mark.parametrize("named", [True, False])
def test_a_column_of_words_has_one_mark(embed, named, tmp_path):
    df = holes(table(), kind=range(0, N, 4))
    fitted = model("mask", architecture=LSTM(embed=embed))
    frame = df.set_index("day")
    if named:
        fitted.fit(df[["day", "sales", "promo", "kind"]], target="sales", time="day", known=["promo", "kind"])
    else:
        fitted.fit(frame["sales"], frame[["promo", "kind"]])
    assert fitted.fitted_.dataset.covariates.names == ["promo", "kind_a", "kind_b", "kind_missing"]
    plan = ahead(kind=[None, "a", "b"])[["day", "promo", "kind"]]
    plan = plan if named else plan.set_index("day")
    assert fitted.explain(known=plan).features == ["sales", "promo", "kind"]
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(known=plan), fitted.predict(known=plan))
    fitted.to_onnx(tmp_path / "model.onnx")
    metadata = onnxruntime.InferenceSession(tmp_path / "model.onnx").get_modelmeta().custom_metadata_map
    told = {each["name"]: each for each in json.loads(metadata["inputs"])["future"]["columns"]}
    assert [told[name].get("source") for name in ("kind_a", "kind_b")] == ["kind", "kind"]
    assert [told[name]["nan"] for name in ("kind_a", "kind_b", "promo")] == ["missing", "missing", "refused"]
    assert told["kind_missing"]["marks"] == "kind"


def test_a_file_with_a_mark_for_each_category_is_read_as_before():
    df = holes(table(), kind=[4]).set_index("day")
    y = Observations.read(df["sales"], freq="D", missing="mask")
    now = Covariates.at_fit(y, df[["kind", "promo"]], None, None, None, None, missing="mask").known
    older = Table.unpack("X", now.pack() | {"marked": [0, 1]})
    features = now.read(df[["kind", "promo"]], y)
    np.testing.assert_array_equal(older.read(df[["kind", "promo"]], y), features[:, [0, 1, 2, 3, 3]])
    assert older.names == ["kind_a", "kind_b", "promo", "kind_missing", "kind_missing"]
    with pytest.raises(ValueError, match=r"no missing values in X, got 1 NaN, the first in column 'promo'"):
        now.read(holes(df.copy(), promo=df.index[:1])[["kind", "promo"]], y)


def covariates_of(df):
    """Known and past covariates as features, by hand."""
    index = pd.Index(df["day"])
    kind = pd.get_dummies(df["kind"], prefix="kind").astype(float).where(df["kind"].notna())
    known = pd.concat([df[["promo", "price"]], kind], axis=1).set_axis(index)
    return known, df[["visits"]].set_axis(index)


def test_a_masked_gap_is_read_as_the_mean_and_told():
    """By a network that was never shown gaps but knows a column of marks: the same numbers in both."""
    df = holes(table(), promo=range(0, N, 5))
    masked = model("mask", max_epochs=30).fit(df, **NAMES)
    told = df.assign(gone=df["promo"].isna().astype(float), promo=df["promo"].fillna(df["promo"].mean()))
    names = NAMES | {"known": ["promo", "price", "kind", "gone"]}
    by_hand = model("mask", max_epochs=30, early_stopping=None).fit(told, **names)
    again = model("mask", max_epochs=30, early_stopping=None).fit(df, **NAMES)
    plan = ahead(promo=[np.nan, 0.0, 1.0])
    filled = plan.assign(gone=[1.0, 0.0, 0.0], promo=[df["promo"].mean(), 0.0, 1.0])
    # the scale of the filled column is smaller than that of its known values: another network, of the same kind
    found, expected = again.predict(known=plan), by_hand.predict(known=filled)
    np.testing.assert_allclose(found["forecast"], expected["forecast"], atol=1.5)
    low, high = masked.predict(known=ahead(promo=[np.nan, 0.0, 1.0]))["forecast"].iloc[1:]
    assert low == pytest.approx(10, abs=1.0)
    assert high == pytest.approx(15, abs=1.0)


@pytest.mark.parametrize("missing", ["ffill", "interpolate"])
def test_filled_gaps_are_those_that_the_user_would_fill(missing):
    df = holes(table(), promo=[20, 21], price=[50, 51, 52], kind=[30], visits=[40])
    by_hand = df.copy()
    fill = ["price", "visits"]
    by_hand[fill] = df[fill].ffill() if missing == "ffill" else df[fill].interpolate()
    # what is 0 or 1, and words, has no value between
    by_hand[["promo", "kind"]] = df[["promo", "kind"]].ffill()
    found, expected = (model(missing).fit(each, **NAMES).predict(known=ahead()) for each in (df, by_hand))
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("missing", ["mask", "ffill", "interpolate"])
def test_rows_whose_times_are_missing_need_no_covariates(missing):
    df = table().drop(index=[40, 41, 90])
    fitted = model(missing).fit(df, **NAMES)
    assert np.isfinite(fitted.predict(known=ahead())["forecast"]).all()
    again = fitted.predict(known=ahead(), context=df)
    pd.testing.assert_frame_equal(fitted.predict(known=ahead()), again)


def test_a_panel_fills_within_each_series():
    first, second = table(), table().assign(price=lambda df: df["price"] + 100)
    second.loc[4:6, "price"] = np.nan
    df = pd.concat([first.assign(shop="x"), second.assign(shop="y")])
    by_hand = df.assign(price=df.groupby("shop")["price"].ffill())
    plan = pd.concat([ahead(shop="x"), ahead(shop="y")])
    found, expected = (model("ffill").fit(each, **NAMES, series="shop").predict(known=plan) for each in (df, by_hand))
    pd.testing.assert_frame_equal(found, expected)
    second.loc[0, "price"] = np.nan
    df = pd.concat([first.assign(shop="x"), second.assign(shop="y")])
    with pytest.raises(ValueError, match=r"known to begin with values .*'ffill'.*'price' at 2026-01-01.*'y'"):
        model("ffill").fit(df, **NAMES, series="shop")


def test_filled_gaps_of_a_context_come_from_all_its_rows():
    df = holes(table(), price=range(N - 8, N - 2))
    fitted = model("ffill").fit(df, **NAMES)
    pd.testing.assert_frame_equal(fitted.predict(known=ahead()), fitted.predict(known=ahead(), context=df))


def test_without_missing_the_error_offers_the_ways_out():
    df = holes(table(), price=[50])
    with pytest.raises(ValueError, match=r"missing values in known, got 1 NaN.*'price'.*2026-02-20.*missing='mask'"):
        model("error").fit(df, **NAMES)
    y, X = df["sales"].set_axis(df["day"]), df[["price"]].set_index(df["day"])
    with pytest.raises(ValueError, match=r"missing values in X, got 1 NaN, .*'price'.*missing='mask'"):
        model("error").fit(y, X)


def test_what_the_network_has_not_learned_is_refused():
    fitted = model("mask").fit(holes(table(), promo=[3]), **NAMES)
    with pytest.raises(ValueError, match=r"in known, got 1 NaN, .*'price'.*the column had no gap at fit"):
        fitted.predict(known=ahead(price=[1.0, np.nan, 1.0]))
    with pytest.raises(ValueError, match=r"expected known with a row for each of the 3 steps after the end"):
        fitted.predict(known=ahead().iloc[:2])
    with pytest.raises(
        ValueError, match=r"expected past with a row for each of the rows of y, got none for 2026-04-28"
    ):
        fitted.predict(known=ahead(), context=table().drop(index=N - 3))
    filled = model("ffill").fit(holes(table(), price=[3]), **NAMES)
    with pytest.raises(ValueError, match=r"expected no missing values in known, got 1 NaN"):
        filled.predict(known=ahead(price=[1.0, np.nan, 1.0]))
    with pytest.raises(ValueError, match=r"expected finite values in known, got .*infinite"):
        fitted.predict(known=ahead(promo=[1.0, np.inf, 1.0]))


def test_masked_gaps_survive_files_updates_and_backtests(tmp_path):
    df = holes(table(), promo=range(0, N, 4), visits=[9, N - 2])
    fitted = model("mask").fit(df.iloc[:-10], **NAMES)
    fitted.update(df.iloc[-10:])
    fitted.save(tmp_path / "model.safetensors")
    plan = ahead(promo=[np.nan, 0.0, 1.0])
    pd.testing.assert_frame_equal(load(tmp_path / "model.safetensors").predict(known=plan), fitted.predict(known=plan))
    pd.testing.assert_frame_equal(fitted.predict(known=plan), fitted.predict(known=plan, context=df))
    assert np.isfinite(backtest(model("mask"), df, **NAMES, folds=9).values).all()


def test_a_row_without_a_target_has_its_covariates():
    df = holes(table(), sales=[30])
    df.loc[30, "promo"] = 1.0
    whole = model("mask").fit(df, **NAMES).fitted_.dataset.covariates
    assert whole.known.marked == ()


@pytest.mark.parametrize("missing", ["ffill", "interpolate"])
def test_an_update_is_filled_from_the_rows_before_it(missing):
    df = holes(table(), price=[N - 10, N - 9], promo=[N - 10], kind=[N - 10], visits=[N - 10]).drop(index=N - 8)
    whole = model(missing).fit(df[df["day"] < df["day"].iloc[-20]], **NAMES)
    early, late = df[df.index < N - 10], df[df.index >= N - 10]
    whole.update(early[early["day"] >= df["day"].iloc[-20]]).update(late)
    pd.testing.assert_frame_equal(whole.predict(known=ahead()), whole.predict(known=ahead(), context=df))


@pytest.mark.parametrize("missing", ["ffill", "interpolate"])
def test_a_day_may_be_missing_before_an_update(missing):
    fitted = model(missing).fit(table()[: N - 10], **NAMES)
    df = table().drop(index=N - 10)
    fitted.update(df.loc[N - 9 :])
    pd.testing.assert_frame_equal(fitted.predict(known=ahead()), fitted.predict(known=ahead(), context=df))


def test_what_has_no_value_between_is_decided_at_fit():
    df = table()
    df["price"] = 0.0
    df.loc[5, "price"] = 5.0
    df.loc[N - 4 :, "price"] = [np.nan, 1.0, 1.0, 1.0]
    fitted = model("interpolate").fit(df, **NAMES)
    context = df.iloc[20:]
    pd.testing.assert_frame_equal(fitted.predict(known=ahead()), fitted.predict(known=ahead(), context=context))


def test_a_missing_word_is_one_value_of_its_column():
    df = holes(table(), kind=[50])
    with pytest.raises(ValueError, match=r"got 1 NaN.*'kind' at 2026-02-20"):
        model("error").fit(df, **NAMES)
    y, X = df["sales"].set_axis(df["day"]), df[["kind"]].set_index(df["day"])
    with pytest.raises(ValueError, match=r"got 1 NaN.*'kind' at 2026-02-20"):
        model("error").fit(y, X)
