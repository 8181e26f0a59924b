"""Windows of requests that are made from tables: the answers are the numbers of `predict`."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.serve.client import Client
from tests.serve.conftest import SMALL, table_of_shops, wave

from lstmforecast import LSTMForecaster, make_future
from lstmforecast.serve import create_app, request_windows


def answered(model: LSTMForecaster, windows: list[dict]) -> np.ndarray:
    answer = Client(create_app(model)).predict({"windows": windows})
    assert answer.status_code == 200, answer.text
    return np.array([forecast["values"] for forecast in answer.json()["forecasts"]]).ravel()


def plan_of_shops() -> pd.DataFrame:
    """Two days more than the horizon."""
    plan = make_future(table_of_shops(), 6, series="shop", time="day")
    return plan.assign(promo=np.arange(len(plan)) % 3 == 0, kind="workday")


def test_answers_are_the_forecasts_of_a_table(shops: LSTMForecaster) -> None:
    table, plan = table_of_shops(), plan_of_shops()
    windows = request_windows(shops, table.sample(frac=1, random_state=0), known=plan[::-1])
    assert {window["series"] for window in windows} == {"north", "south"}
    by_name = sorted(windows, key=lambda window: window["series"])
    expected = shops.predict(context=table, known=plan[plan["day"] < plan["day"].min() + pd.Timedelta(days=4)])
    assert answered(shops, by_name).tolist() == expected["forecast"].tolist()


def test_tables_of_polars(shops: LSTMForecaster) -> None:
    plan = plan_of_shops()
    of_polars = request_windows(shops, pl.from_pandas(table_of_shops()), known=pl.from_pandas(plan))
    assert of_polars == request_windows(shops, table_of_shops(), known=plan)


def test_missing_rows_are_sent_as_null() -> None:
    days = pd.date_range("2026-01-01", periods=122, freq="D")
    table = pd.DataFrame({"day": days[:120], "sales": wave(120), "promo": np.arange(120) % 7 == 3})
    table = table.drop(index=[50, 112, 113])
    model = LSTMForecaster(2, window_size=14, missing="mask", **SMALL)
    model.fit(table, target="sales", time="day", known="promo")
    plan = pd.DataFrame({"day": days[120:], "promo": [True, False]})
    (window,) = request_windows(model, table, known=plan)
    assert (len(window["times"]), window["values"].count([None]), window["known"]["promo"].count(None)) == (14, 2, 2)
    assert answered(model, [window]).tolist() == model.predict(known=plan)["forecast"].tolist()


def test_hours_over_a_clock_change() -> None:
    times = pd.date_range("2026-03-20", periods=240, freq="h", tz="Europe/Berlin")
    table = pd.DataFrame({"time": times, "load": wave()})
    model = LSTMForecaster(6, window_size=24, calendar="auto", **SMALL).fit(table, target="load", time="time")
    expected = model.predict()["forecast"].tolist()
    assert answered(model, request_windows(model, table)).tolist() == expected


def test_what_can_not_be_sent_is_refused(shops: LSTMForecaster, hourly: LSTMForecaster) -> None:
    table, plan = table_of_shops(), plan_of_shops()
    with pytest.raises(TypeError, match="fitted on a table with named columns, got one without"):
        request_windows(hourly, table)
    with pytest.raises(ValueError, match=r"known with the columns .'promo', 'kind'. of the steps ahead, got None"):
        request_windows(shops, table)
    with pytest.raises(ValueError, match="steps ahead of series 'south', got none"):
        request_windows(shops, table, known=plan[plan["shop"] == "north"])
    with pytest.raises(ValueError, match=r"the 4 steps ahead of series 'north', got none for 2026-05-02"):
        request_windows(shops, table, known=plan[plan["day"] != "2026-05-02"])
    with pytest.raises(ValueError, match=r"known to have the columns .*, got none named 'kind'"):
        request_windows(shops, table, known=plan.drop(columns="kind"))
    with pytest.raises(ValueError, match=r"context to have the columns .*, got none named 'visitors'"):
        request_windows(shops, table.drop(columns="visitors"), known=plan)


def test_a_horizon_beyond_past_columns_is_refused_in_the_words_of_the_table(shops: LSTMForecaster) -> None:
    with pytest.raises(ValueError, match=r"at most 4 with columns of past=, which are not known beyond, got 6"):
        make_future(shops, 6)
