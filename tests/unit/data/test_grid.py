"""Tables with all times of a grid, and of the steps after their end."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from lstmforecast import LSTMForecaster, complete_grid, make_future
from lstmforecast.calendar import calendar_features

DAYS = pd.date_range("2026-01-01", periods=6, freq="D")
FULL = pd.DataFrame(
    {"shop": np.repeat(["b", "a"], 6), "day": [*DAYS, *DAYS], "sold": np.arange(12), "area": np.repeat([1.0, 2.0], 6)}
)
HOLES = FULL.drop(index=[2, 3, 7]).sample(frac=1, random_state=0)
KEYS = {"series": "shop", "time": "day"}


def test_missing_rows_are_added_in_order() -> None:
    complete = complete_grid(HOLES, **KEYS, static="area")
    by_shop = complete.sort_values(["shop", "day"], ignore_index=True)
    expected = FULL.sort_values(["shop", "day"], ignore_index=True)
    assert_frame_equal(by_shop.drop(columns="sold"), expected.drop(columns="sold"))
    assert_array_equal(by_shop["sold"], expected["sold"].where(~expected["sold"].isin([2, 3, 7])))
    assert list(complete["shop"].unique()) == list(HOLES["shop"].unique())


def test_what_is_complete_is_sorted_only() -> None:
    assert_frame_equal(complete_grid(FULL, **KEYS), FULL)
    assert_frame_equal(complete_grid(FULL.iloc[::-1], **KEYS), pd.concat([FULL[6:], FULL[:6]], ignore_index=True))


def test_polars_keeps_types_and_has_nulls() -> None:
    table = pl.from_pandas(HOLES.assign(open=True))
    complete = complete_grid(table, **KEYS, static=["area"])
    assert complete.schema == table.schema
    assert complete["sold"].null_count() == complete["open"].null_count() == 3
    assert complete["area"].null_count() == 0


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 2]])
def test_polars_keeps_all_its_types(rows: list[int]) -> None:
    table = pl.DataFrame(
        {
            "day": pl.Series(DAYS[:3]).cast(pl.Date),
            "small": pl.Series([1, 2, 3], dtype=pl.Int8),
            "narrow": pl.Series([1, 2, 3], dtype=pl.Float32),
            "word": pl.Series(["a", "b", "c"], dtype=pl.Categorical),
        }
    )
    complete = complete_grid(table[rows], "D", time="day")
    assert complete.schema == table.schema
    assert complete["day"].to_list() == table["day"].to_list()
    assert complete["small"].to_list() == [row + 1 if row in rows else None for row in range(3)]


def test_a_forecaster_reads_what_was_completed() -> None:
    days = pd.date_range("2026-01-01", periods=60, freq="D")
    table = pd.DataFrame({"day": days, "sold": np.sin(np.arange(60.0))}).drop(index=[20, 31])
    model = LSTMForecaster(3, hidden_size=4, max_epochs=1, random_state=0, n_threads=1, missing="ffill")
    expected = model.fit(table, target="sold", time="day").predict()
    assert_frame_equal(model.fit(complete_grid(table, time="day"), target="sold", time="day").predict(), expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"time": "days"}, r"got 'days'; did you mean 'day'\?$"),
        ({"series": "shop"}, "expected time= to name the column of times, got None"),
        (
            {**KEYS, "static": "areas"},
            r"expected static to name columns of the table, .* got 'areas'; did you mean 'area'\?$",
        ),
        ({"time": "day"}, "expected every time of the table once, got 2026-01-01 00:00:00 in rows"),
        ({**KEYS, "freq": "2D"}, "expected the times of the table at a constant step"),
    ],
)
def test_wrong_names_are_refused(names, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        complete_grid(FULL, **names)


def test_the_future_of_a_table_and_of_its_forecaster_are_the_same() -> None:
    days = pd.date_range("2026-01-01", periods=40, freq="D")
    table = pd.DataFrame({"shop": np.repeat(["b", "a"], 40), "day": [*days, *(days + pd.Timedelta(days=1))]})
    table = table.assign(sold=np.sin(np.arange(80.0)))
    model = LSTMForecaster(3, hidden_size=4, max_epochs=1, random_state=0, n_threads=1).fit(
        table, target="sold", **KEYS
    )
    future = make_future(table.sample(frac=1, random_state=0), 3, **KEYS)
    by_shop = future.sort_values(["shop", "day"], ignore_index=True)
    expected = model.predict()[["shop", "day"]]
    assert_frame_equal(make_future(model), expected, check_dtype=False)
    assert_frame_equal(by_shop, expected.sort_values(["shop", "day"], ignore_index=True), check_dtype=False)
    assert make_future(pl.from_pandas(table), 2, **KEYS).columns == ["shop", "day"]


def test_features_of_the_calendar_are_those_of_the_calendar() -> None:
    future = make_future(FULL, 2, **KEYS, calendar=["day_of_week"])
    expected = calendar_features(pd.DatetimeIndex(future["day"]), "D", ["day_of_week"])
    assert_frame_equal(future[expected.columns], expected.reset_index(drop=True))


def test_a_future_needs_times_and_steps() -> None:
    model = LSTMForecaster(3, hidden_size=4, max_epochs=1, n_threads=1).fit(np.sin(np.arange(60.0)))
    with pytest.raises(TypeError, match=r"^expected a forecaster of data with times, got one of an array$"):
        make_future(model)
    with pytest.raises(ValueError, match=r"^expected horizon to be a number of steps from 1 for a table, got None$"):
        make_future(FULL, **KEYS)
    with pytest.raises(ValueError, match=r"^expected series, time and freq for a table only"):
        make_future(model, time="day")
    with pytest.raises(ValueError, match="not fitted"):
        make_future(LSTMForecaster())


@pytest.mark.parametrize(
    ("static", "message"),
    [
        (["day"], r"^expected static to name columns beside series and times, got \['day'\]$"),
        (["area", "shop"], r"^expected static to name columns beside series and times, got \['shop'\]$"),
        (["sold"], r"^expected one value of static column 'sold' in series '.' of the table, got several$"),
        (np.array(["area", "sold"]), "expected one value of static column 'sold' in series"),
    ],
)
def test_static_columns_are_no_others(static, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        complete_grid(HOLES, **KEYS, static=static)


def test_types_of_series_and_static_columns_are_kept() -> None:
    table = HOLES.astype({"shop": pd.CategoricalDtype(["z", "b", "a"]), "area": "float32"})
    complete = complete_grid(table, **KEYS, static=pd.Index(["area"]))
    assert complete.dtypes[["shop", "area"]].equals(table.dtypes[["shop", "area"]])
    assert len(complete) == 12


def test_features_of_the_calendar_have_names_of_their_own() -> None:
    table = FULL.rename(columns={"shop": "month_sin"})
    with pytest.raises(ValueError, match=r"names than features of the calendar, got \['month_sin'\]$"):
        make_future(table, 2, series="month_sin", time="day", calendar=["month"])
