"""Columns by their names: the same numbers as with separate tables, results that merge, and refusals."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from lstmforecast import (
    LSTM,
    BacktestDisplay,
    Folds,
    ForecastDisplay,
    IntervalDisplay,
    LSTMForecaster,
    backtest,
    compare,
    load,
    make_future,
    quantization_report,
    tune,
)
from lstmforecast.cli import main
from lstmforecast.data.columns import Columns, NamedTable
from lstmforecast.metrics import mae
from lstmforecast.serve.served_model import ServedModel

FAST = {"horizon": 3, "hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}
NAMES = {"target": "sales", "series": "store", "time": "date"}
ROLES = {"known": ["promo", "day"], "past": "visitors", "static": ["area", "kind"]}


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for number, store in enumerate(["b", "a", "c"]):
        times = pd.date_range("2026-01-01", periods=60 + number, freq="D")
        promo = rng.random(len(times)) < 0.3
        parts.append(
            pd.DataFrame(
                {
                    "store": store,
                    "date": times,
                    "sales": 10 + 3 * promo + rng.normal(size=len(times)),
                    "promo": promo,
                    "day": np.where(times.day_of_week >= 5, "weekend", "week"),
                    "visitors": rng.integers(1, 9, len(times)),
                    "area": float(number),
                    "kind": "xyx"[number],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


TABLE = _table()
MODEL = LSTMForecaster(**FAST).fit(TABLE, **NAMES, **ROLES)
ONE = TABLE.loc[TABLE["store"] == "a", ["date", "sales"]]
FUTURE = make_future(MODEL).assign(promo=True, day="week")


def _separate(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The tables that the same model takes without names."""
    keys = table[["store", "date"]].rename(columns={"store": "unique_id", "date": "ds"})
    days = {f"day_{each}": (table["day"] == each).astype(float) for each in ("week", "weekend")}
    return keys.join(table.assign(promo=table["promo"].astype(float), **days)[columns])


def test_named_columns_are_the_same_as_separate_tables() -> None:
    static = TABLE.drop_duplicates("store").set_index("store")[["area", "kind"]]
    known = ["promo", "day_week", "day_weekend"]
    tables = (_separate(TABLE, ["sales"]), _separate(TABLE, known), _separate(TABLE, ["visitors"]))
    separate = LSTMForecaster(**FAST).fit(*tables, static)
    X = _separate(FUTURE, known)
    assert_array_equal(MODEL.predict(known=FUTURE)["forecast"], separate.predict(X=X)["sales"])
    lower = MODEL.predict_interval(0.5, known=FUTURE)["lo-50"]
    assert_array_equal(lower, separate.predict_interval(0.5, X=X)["sales", 0.5, "lower"])
    scores = backtest(MODEL, TABLE, **NAMES, **ROLES, folds=9).scores
    assert_frame_equal(scores, backtest(separate, *tables, static, folds=9).scores)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(len(TABLE))))
def test_rows_may_be_in_any_order(order: list[int]) -> None:
    read = Columns.at_fit(NamedTable(TABLE, "sales", "store", "date", ["promo", "day"], "visitors", ["area", "kind"]))
    mixed = TABLE.iloc[order].set_axis(range(len(TABLE)))
    parts = Columns.at_fit(NamedTable(mixed, "sales", "store", "date", ["promo", "day"], "visitors", ["area", "kind"]))
    assert read[1].weights is parts[1].weights is None
    for part, expected in zip(parts[1][:-1], read[1][:-1], strict=True):
        assert_frame_equal(part.sort_index(), expected.sort_index(), check_dtype=False)


def test_results_merge_with_each_other_and_with_the_table() -> None:
    results = [
        MODEL.predict(known=FUTURE),
        MODEL.predict_interval([0.5, 0.8], known=FUTURE),
        MODEL.predict_quantiles([0.1, 0.5], known=FUTURE),
        MODEL.predict_samples(120, known=FUTURE, random_state=0),
    ]
    names = [
        ["forecast"],
        ["lo-50", "hi-50", "lo-80", "hi-80"],
        ["q-0.1", "q-0.5"],
        [f"sample-{number}" for number in range(120)],
    ]
    merged = FUTURE
    for result, own in zip(results, names, strict=True):
        assert list(result.columns) == ["store", "date", *own]
        merged = merged.merge(result, on=["store", "date"], validate="one_to_one")
    assert len(merged) == len(FUTURE) == 9
    assert (merged["lo-80"] < merged["lo-50"]).all()
    assert (merged["q-0.1"] == merged["lo-80"]).all()


def test_a_backtest_has_the_names_of_the_table_and_is_drawn() -> None:
    result = backtest(MODEL, TABLE, **NAMES, **ROLES, folds=9, coverage=0.5)
    merged = result.forecasts.merge(TABLE, on=["store", "date"], validate="many_to_one")
    assert_array_equal(merged["truth"], merged["sales"])
    assert list(result.intervals)[:3] == ["store", "cutoff", "date"]
    assert "series" in BacktestDisplay.from_result(result).forecasts
    assert IntervalDisplay.from_result(result)


def test_a_fitted_forecaster_knows_the_names() -> None:
    named = backtest(MODEL, TABLE, **NAMES, **ROLES, folds=9).scores
    assert_frame_equal(backtest(MODEL, TABLE, folds=9).scores, named)
    assert_frame_equal(MODEL.backtest(pl.from_pandas(TABLE), folds=9).scores, named)
    search = tune(MODEL, TABLE, space={"hidden_size": [4]}, n_trials=1, folds=Folds(9))
    assert (
        search.best_value_
        == tune(MODEL, TABLE, **NAMES, **ROLES, space={"hidden_size": [4]}, n_trials=1, folds=Folds(9)).best_value_
    )
    with pytest.raises(ValueError, match="got none for"):
        backtest(MODEL, TABLE.assign(more=1), folds=9)


def test_several_targets_name_their_columns() -> None:
    model = LSTMForecaster(**FAST).fit(
        TABLE.drop(columns=["day", "area", "kind"]),
        target=["sales", "visitors"],
        series="store",
        time="date",
        known="promo",
    )
    known = FUTURE.drop(columns="day")
    assert list(model.predict(known=known)) == ["store", "date", "sales-forecast", "visitors-forecast"]
    assert list(model.predict_interval(0.5, known=known))[2:] == [
        f"{target}-{side}-50" for target in ("sales", "visitors") for side in ("lo", "hi")
    ]


@pytest.mark.parametrize("convert", [pl.from_pandas, lambda table: pa.Table.from_pandas(table, preserve_index=False)])
def test_other_libraries_get_their_own_tables(convert) -> None:
    model = LSTMForecaster(**FAST).fit(convert(TABLE), **NAMES, **ROLES)
    forecast = model.predict(known=convert(FUTURE))
    assert type(forecast) is type(convert(TABLE))
    assert_array_equal(forecast["forecast"].to_numpy(), MODEL.predict(known=FUTURE)["forecast"])
    # the table that comes back is of the library of the one that was given
    assert isinstance(model.predict(context=TABLE, known=FUTURE), pd.DataFrame)


@pytest.mark.parametrize("kind", ["Categorical", "Enum", "Date"])
def test_types_of_polars_come_back(kind: str) -> None:
    table = pl.from_pandas(TABLE[["store", "date", "sales"]])
    types = {"Categorical": pl.Categorical, "Enum": pl.Enum(["a", "b", "c"]), "Date": pl.Date}
    name = "date" if kind == "Date" else "store"
    table = table.with_columns(pl.col(name).cast(types[kind]))
    forecast = LSTMForecaster(**FAST).fit(table, **NAMES).predict()
    assert forecast.schema[name] == table.schema[name]


def test_the_index_may_hold_series_and_times() -> None:
    expected = LSTMForecaster(**FAST).fit(TABLE[["store", "date", "sales"]], **NAMES).predict()
    indexed = TABLE.set_index(["store", "date"])[["sales"]]
    assert_frame_equal(LSTMForecaster(**FAST).fit(indexed, target="sales").predict(), expected)
    one = LSTMForecaster(**FAST).fit(ONE.set_index("date"), target="sales").predict()
    assert_frame_equal(one, LSTMForecaster(**FAST).fit(ONE, target="sales", time="date").predict())
    assert list(one) == ["date", "forecast"]


def test_the_usual_names_go_without_saying() -> None:
    usual = TABLE.rename(columns={"store": "unique_id", "date": "ds", "sales": "y"})[["unique_id", "ds", "y", "promo"]]
    model = LSTMForecaster(**FAST).fit(usual, known="promo")
    forecast = model.predict(known=make_future(model).assign(promo=False))
    assert list(forecast) == ["unique_id", "ds", "forecast"]


@pytest.mark.parametrize(
    "write", [str, lambda each: each.strftime("%d.%m.%Y"), lambda each: each.date(), lambda each: f"{each:%Y/%m/%d}"]
)
def test_text_and_dates_are_times(write) -> None:
    table = ONE.assign(date=[write(each) for each in ONE["date"]])
    expected = LSTMForecaster(**FAST).fit(ONE, target="sales", time="date").predict()
    forecast = LSTMForecaster(**FAST).fit(table, target="sales", time="date").predict()
    assert_frame_equal(forecast, expected, check_dtype=False)


def test_files_and_pickles_keep_the_names(tmp_path) -> None:
    MODEL.save(tmp_path / "model.safetensors")
    expected = MODEL.predict(known=FUTURE)
    for model in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(MODEL))):
        assert_frame_equal(model.predict(known=FUTURE), expected)
        with pytest.raises(ValueError, match=r"^expected known with the columns .* got none named \['promo'\]$"):
            model.predict(known=FUTURE.drop(columns="promo"))
    polars = LSTMForecaster(**FAST).fit(pl.from_pandas(TABLE), **NAMES, **ROLES)
    polars.save(tmp_path / "polars.safetensors")
    assert isinstance(load(tmp_path / "polars.safetensors").predict(known=FUTURE), pl.DataFrame)


def test_update_and_context_take_the_table() -> None:
    ends = TABLE.groupby("store")["date"].transform("max")
    older, newer = (
        TABLE[TABLE["date"] <= ends - pd.Timedelta(days=2)],
        TABLE[TABLE["date"] > ends - pd.Timedelta(days=2)],
    )
    model = LSTMForecaster(**FAST).fit(older, **NAMES, **ROLES).update(newer.sample(frac=1, random_state=0))
    assert_frame_equal(model.predict(known=FUTURE), model.predict(context=TABLE, known=FUTURE))
    assert list(model.context_) == ["store", "date", "sales"]
    assert len(model.context_) == 3 * model.window_size_


def test_arrays_and_series_as_context_come_back_as_such() -> None:
    model = LSTMForecaster(**FAST).fit(ONE, target="sales", time="date")
    values = ONE["sales"].to_numpy()
    assert isinstance(model.predict(context=values), np.ndarray)
    series = ONE.set_index("date")["sales"]
    assert_array_equal(model.predict(context=series), model.predict()["forecast"])
    assert isinstance(model.predict(context=series), pd.Series)


def test_searches_reports_and_pictures_take_the_table() -> None:
    result = tune(MODEL, TABLE, **NAMES, **ROLES, space={"hidden_size": [4, 6]}, n_trials=2, folds=Folds(6))
    assert list(result.best_estimator_.predict(known=FUTURE)) == ["store", "date", "forecast"]
    assert len(quantization_report(MODEL, TABLE)) > 0
    display = ForecastDisplay.from_estimator(MODEL, X=FUTURE, coverage=0.5, series="a")
    expected = MODEL.predict(known=FUTURE).query("store == 'a'")["forecast"]
    assert_array_equal(display.forecast.iloc[:, 0], expected)


REFUSED = {
    "unspoken": (
        {"known": "promo"},
        (
            "expected a role for every column of the table, got none for ['day', 'visitors', 'area', 'kind']; name "
            "them in known= (known in advance), past= (known for the past only), static= (constant within a series), "
            "target= (to be forecast), weights= (how much a row counts), or drop them with "
            "df.drop(columns=['day', 'visitors', 'area', 'kind'])"
        ),
    ),
    "misspelt": ({"target": "sale"}, "got 'sale'; did you mean 'sales'?"),
    "twice": ({**ROLES, "past": ["visitors", "promo"]}, "got 'promo' in known= and past="),
    "no time": ({"time": None}, "expected time= to name the column of times, got None; the table has ["),
    "no target": ({"target": None}, "expected target= to name the columns to forecast, got None; the table has ["),
    "not static": (
        {**ROLES, "past": None, "static": ["area", "kind", "visitors"]},
        (
            "expected one value of static column 'visitors' for each series, got several for series 'b'; name it in "
            "known= or past="
        ),
    ),
    "X as well": (
        {"X": TABLE},
        (
            "expected covariates as columns of the table, named in known=, where columns are named, got X; join it "
            "with the table"
        ),
    ),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_names_are_checked(changes, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        LSTMForecaster(**FAST).fit(TABLE, **NAMES | changes)


def test_a_time_twice_is_refused_with_every_way_out() -> None:
    table = TABLE[["store", "date", "sales"]]
    with pytest.raises(
        ValueError,
        match=r"^expected every time of the table once, got 2026-01-01 00:00:00 in rows 0 and 60"
        r", and 120 more; name the column of series in series=, or keep one row for each time$",
    ):
        LSTMForecaster(**FAST).fit(table[["date", "sales"]], target="sales", time="date")
    with pytest.raises(
        ValueError, match=r"once in each series, got 2026-01-02 00:00:00 of series 'b' in rows 1 and 183;"
    ):
        LSTMForecaster(**FAST).fit(pd.concat([table, table.iloc[[1]]]), **NAMES)
    local = pd.date_range("2026-10-24", periods=72, freq="h", tz="Europe/Berlin").tz_localize(None)
    clocks = pd.DataFrame({"at": local, "load": np.arange(72.0)})
    zone = "df['at'].dt.tz_localize('Europe/Berlin', ambiguous='infer')"
    with pytest.raises(ValueError, match=re.escape(f"where clocks were put back, give the times a zone: {zone}") + "$"):
        LSTMForecaster(**FAST).fit(clocks, target="load", time="at")
    zoned = clocks.assign(at=clocks["at"].dt.tz_localize("Europe/Berlin", ambiguous="infer"))
    assert len(LSTMForecaster(**FAST).fit(zoned, target="load", time="at").predict()) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda future: future.drop(columns="promo"), "got none named ['promo']"),
        (lambda future: future.assign(promos=1), "got ['promos'] as well"),
        (
            lambda future: future.assign(day="feast"),
            "expected a category of fit in column 'day' of known ('week', 'week",
        ),
        (lambda future: future.iloc[:-1], "expected known with a row for each of the 3 steps after the end"),
        (lambda future: future.assign(promo=None), "expected no missing values in known, got 9 NaN, the first in col"),
        (
            lambda future: future.assign(promo="yes"),
            "expected numbers in column 'promo' of known, as at fit, got 'yes'",
        ),
        (lambda future: future.to_numpy(), "expected known as a table with the columns of fit, got ndarray"),
        (lambda future: None, "expected known for the 3 steps after the end"),
    ],
)
def test_later_tables_are_checked(change, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as error:
        MODEL.predict(known=change(FUTURE))
    assert message in str(error.value)
    with pytest.raises((TypeError, ValueError)):
        MODEL.update(FUTURE)


def test_columns_without_a_role_are_no_targets() -> None:
    usual = TABLE.rename(columns={"store": "unique_id", "date": "ds", "sales": "y"})[["unique_id", "ds", "y", "promo"]]
    with pytest.raises(
        ValueError, match=r"^expected a role for every column of the table, got none for \['promo'\]; na"
    ):
        LSTMForecaster(**FAST).fit(usual)
    with pytest.raises(ValueError, match="got none for"):
        backtest(LSTMForecaster(**FAST), pl.from_pandas(usual))


def test_covariates_are_eachin_one_way() -> None:
    with pytest.raises(ValueError, match=r"^expected X or known, which is another name of it, got both$"):
        MODEL.predict(known=FUTURE, X=FUTURE)
    with pytest.raises(ValueError, match=r"^expected covariates as columns of y, as at fit, got X$"):
        MODEL.update(TABLE, FUTURE)


def test_static_tables_may_have_the_name_of_the_series() -> None:
    table = TABLE[["store", "date", "sales"]].assign(store=TABLE["store"].map({"b": 2, "a": 0, "c": 1}))
    # the index 0, 1, 2 is of no meaning
    static = pd.DataFrame({"store": [2, 0, 1], "area": [5.0, 6.0, 7.0]})
    expected = LSTMForecaster(**FAST).fit(table, **NAMES, static=static.set_index("store"))
    for each in (static, pl.from_pandas(static), static.rename(columns={"store": "unique_id"})):
        model = LSTMForecaster(**FAST).fit(table, **NAMES, static=each)
        assert_array_equal(model.fitted_.dataset.features, expected.fitted_.dataset.features)
        assert_frame_equal(model.predict(), expected.predict())
        assert_frame_equal(model.predict(context=table, static=each), expected.predict())
    with pytest.raises(ValueError, match=r"^expected static features in one way, got columns of context and static as"):
        MODEL.predict(context=TABLE, known=FUTURE, static=TABLE.drop_duplicates("store")[["store", "area", "kind"]])


@pytest.mark.parametrize(
    "write",
    [
        lambda times: (times - times.min()).dt.days.astype(object),
        lambda times: times.dt.to_period("D").astype(object),
        lambda times: times.astype("timestamp[us][pyarrow]"),
        lambda times: pd.Series(times.dt.date.to_numpy(), times.index, pd.ArrowDtype(pa.date32())),
    ],
)
def test_columns_of_objects_and_of_arrow_are_times(write) -> None:
    times = write(TABLE["date"])
    # numbers have no week, whose naive forecast would be a part
    options = FAST | {"architecture": LSTM(mix_naive=False)}
    forecast = LSTMForecaster(**options).fit(TABLE[["store", "sales"]].assign(date=times), **NAMES).predict()
    expected = LSTMForecaster(**options).fit(TABLE[["store", "date", "sales"]], **NAMES).predict()
    assert_array_equal(forecast["forecast"], expected["forecast"])
    # numbers are no nanoseconds since 1970
    assert str(forecast["date"].iloc[0]).removesuffix(" 00:00:00") in ("60", "2026-03-02")


@pytest.mark.parametrize("other", [3, "02/03/2026"])
def test_times_of_several_types_are_refused(other) -> None:
    mixed = ONE.assign(date=[other, *ONE["date"][1:]])
    with pytest.raises(TypeError, match=rf"^expected times in column 'date' of the table, got {other!r} among other"):
        LSTMForecaster(**FAST).fit(mixed, target="sales", time="date")


def test_results_have_no_name_twice() -> None:
    table = TABLE[["store", "date", "sales"]]
    with pytest.raises(ValueError, match=r"got a result 'forecast' beside series 'forecast', time 'date' and target"):
        LSTMForecaster(**FAST).fit(
            table.rename(columns={"store": "forecast"}), target="sales", series="forecast", time="date"
        )
    two = table.rename(columns={"sales": 1}).assign(**{"1": 0.0})
    with pytest.raises(ValueError, match="got a result '1-forecast' beside series"):
        LSTMForecaster(**FAST).fit(two, target=[1, "1"], series="store", time="date")
    model = LSTMForecaster(**FAST).fit(ONE.rename(columns={"date": "lo-50"}), target="sales", time="lo-50")
    with pytest.raises(ValueError, match="got a result 'lo-50' beside"):
        model.predict_interval(0.5)


def test_levels_of_the_index_are_read_by_their_names() -> None:
    table = TABLE[["store", "date", "sales"]]
    expected = LSTMForecaster(**FAST).fit(table, **NAMES).predict()
    assert_frame_equal(LSTMForecaster(**FAST).fit(table.set_index(["date", "store"]), **NAMES).predict(), expected)
    with pytest.raises(ValueError, match=r"got 'dat'; did you mean 'date'\?$"):
        LSTMForecaster(**FAST).fit(ONE.set_index("date"), target="sales", time="dat")


def test_known_is_refused_where_there_was_none() -> None:
    table = TABLE[["store", "date", "sales"]]
    model = LSTMForecaster(**FAST).fit(table, **NAMES)
    for given_context in ({}, {"context": table}):
        with pytest.raises(ValueError, match=r"^expected no known, as there was none at fit, got one$"):
            model.predict(known=table, **given_context)


def test_servers_and_commands_read_models_of_named_columns(tmp_path) -> None:
    numbered = ONE.assign(date=range(len(ONE)))
    model = LSTMForecaster(**FAST, missing="ffill").fit(numbered, target="sales", time="date")
    served = ServedModel("sales", model)
    # a window with a missing value isn't read in the short way
    window = served.example(1)
    window.values[5] = np.nan
    expected = model.fitted_.dataset.windows(model.window_size_)
    expected[:, 5] = expected[:, 4]
    assert_array_equal(served.prepare(window, 3).seen.windows, expected)
    assert_frame_equal(model.predict(context=numbered.set_index("date")), model.predict())
    ONE.to_csv(tmp_path / "one.csv", index=False)
    LSTMForecaster(**FAST).fit(ONE, target="sales", time="date").save(tmp_path / "one.safetensors")
    files = ["--load", str(tmp_path / "one.safetensors"), "--save", str(tmp_path / "copy.safetensors")]
    main(["forecast", str(tmp_path / "one.csv"), *files, "--time", "date", "--horizon", "3"])
    # the copy still knows the names
    assert list(load(tmp_path / "copy.safetensors").predict()) == ["date", "forecast"]


def test_pictures_take_known() -> None:
    displays = [ForecastDisplay.from_estimator(MODEL, coverage=0.5, **{name: FUTURE}) for name in ("X", "known")]
    assert_frame_equal(displays[0].forecast, displays[1].forecast)
    with pytest.raises(ValueError, match=r"^expected X or known, which is another name of it, got both$"):
        ForecastDisplay.from_estimator(MODEL, X=FUTURE, known=FUTURE)


def test_context_and_known_may_have_their_own_time_zones() -> None:
    table = TABLE.loc[TABLE["store"] == "a", ["date", "sales", "promo"]]
    zoned = table.assign(date=table["date"].dt.tz_localize("Europe/Berlin"))
    model = LSTMForecaster(**FAST).fit(zoned, target="sales", time="date", known="promo")
    known = make_future(model).assign(promo=True)
    expected = model.predict(known=known)
    moved = [
        part.assign(date=part["date"].dt.tz_convert(zone)) for part, zone in ((zoned, "UTC"), (known, "Asia/Tokyo"))
    ]
    assert_frame_equal(model.predict(context=moved[0], known=moved[1]), expected)
    with pytest.raises(TypeError, match=r"^expected known in the time zone Europe/Berlin, .* got times without one"):
        model.predict(context=zoned, known=known.assign(date=known["date"].dt.tz_localize(None)))
    with pytest.raises(
        ValueError, match=r"^expected known for the steps after context only, got 2026-01-01 00:00:00\+0"
    ):
        model.predict(context=zoned, known=pd.concat([zoned.drop(columns="sales"), known]))


@pytest.mark.parametrize("newer", [np.ones(3), ONE.set_index("date")["sales"]], ids=["array", "Series"])
def test_one_series_does_not_continue_several(newer) -> None:
    model = LSTMForecaster(**FAST).fit(TABLE[["store", "date", "sales"]], **NAMES)
    with pytest.raises(
        TypeError, match=r"^expected y with several series, by an index of .* as at fit, got one series$"
    ):
        model.update(newer)


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_words_of_arrow_are_categories(kind) -> None:
    words, later = (table.assign(day=table["day"].astype(pd.ArrowDtype(kind))) for table in (TABLE, FUTURE))
    model = LSTMForecaster(**FAST).fit(words, **NAMES, **ROLES)
    assert_frame_equal(model.predict(known=later), MODEL.predict(known=FUTURE))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            lambda table: table["date"],
            "expected numbers in every column of known=, got 'day' (datetime64",
        ),
        (lambda table: [[1], *table["day"][1:]], "expected words or numbers in column 'day', got [1]"),
    ],
)
def test_columns_that_are_no_covariates_are_named(value, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        LSTMForecaster(**FAST).fit(TABLE.assign(day=value), **NAMES, **ROLES)


def test_times_and_names_of_flat_tables_are_no_forecasts() -> None:
    forecast = LSTMForecaster(**FAST).fit(ONE, target="sales", time="date").predict()
    long = pd.concat([forecast] * 5, ignore_index=True)
    several = long.assign(date="b")
    for call in (
        compare,
        lambda a, b, truth: mae(truth, a),
        lambda a, b, truth: ForecastDisplay.from_predictions(truth, a),
    ):
        for flat in (long, several):
            with pytest.raises(
                TypeError, match=r"^expected numbers in every column of .*, got 'date' \(.*\); .*make series "
            ):
                call(flat, flat, flat)
    drawn = ForecastDisplay.from_predictions(ONE.set_index("date"), forecast.set_index("date"))
    assert_array_equal(drawn.forecast["forecast"], forecast["forecast"])
