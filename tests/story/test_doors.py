"""One table through every door: Python, command line, HTTP, dask give the same numbers (sktime: tests/sktime)."""

import io

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from tests.serve.client import Client

import lstmforecast.dask
from lstmforecast import LSTMForecaster, Sampling
from lstmforecast.cli import main
from lstmforecast.serve import create_app

SMALL = {"window_size": 12, "hidden_size": 4, "max_epochs": 2, "sampling": Sampling(steps_per_epoch=4), "n_threads": 1}
NAMES = {
    "target": "sales",
    "series": "shop",
    "time": "day",
    "known": ["promo", "weekday"],
    "past": ["visitors"],
    "static": ["area"],
}
N, HORIZON = 90, 4
KEYS = ["shop", "day"]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.date_range("2026-01-01", periods=N + HORIZON)
    parts = []
    for shop, area in (("007", "north"), ("8", "south"), ("9", "north")):
        promo = rng.random(N + HORIZON) < 0.3
        df = pd.DataFrame({"shop": shop, "day": days, "promo": promo, "weekday": days.day_name(), "area": area})
        df["visitors"] = rng.integers(50, 90, N + HORIZON)
        df["sales"] = (20 + 5 * promo + rng.normal(size=N + HORIZON)).round(3)
        parts.append(df)
    return pd.concat(parts, ignore_index=True)


TABLE = table()
BEFORE = TABLE[TABLE["day"] < TABLE["day"][N]]
AHEAD = TABLE[TABLE["day"] >= TABLE["day"][N]][[*KEYS, "promo", "weekday"]]


@pytest.fixture(scope="module")
def model() -> LSTMForecaster:
    return LSTMForecaster(HORIZON, random_state=0, **SMALL).fit(BEFORE, **NAMES)


@pytest.fixture(scope="module")
def expected(model) -> pd.DataFrame:
    """By Python, of one series at a time, as a request is: with more windows in a call sums may round otherwise."""
    parts = []
    for shop, part in BEFORE.groupby("shop", sort=False):
        given = {"context": part, "known": AHEAD[AHEAD["shop"] == shop]}
        parts.append(model.predict(**given).merge(model.predict_interval(0.8, **given)))
    found = pd.concat(parts, ignore_index=True)
    whole = model.predict(known=AHEAD).merge(model.predict_interval(0.8, known=AHEAD))
    pd.testing.assert_frame_equal(found, whole, rtol=1e-6)
    return found


def test_the_command_line(model, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    BEFORE.sample(frac=1, random_state=0).to_csv("shops.csv", sep=";", decimal=",", index=False)
    AHEAD.to_parquet("plan.parquet")
    model.save("model.safetensors")
    words = ["forecast", "shops.csv", "--horizon", str(HORIZON), "--load", "model.safetensors", "--coverage", "0.8"]
    assert main([*words, "--future", "plan.parquet"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out), parse_dates=["day"], dtype={"shop": str})
    found = expected[KEYS].merge(found)
    # three windows in a call or one
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)


def test_http(model, expected):
    windows = []
    for shop, part in BEFORE.groupby("shop", sort=False):
        both = pd.concat([part, AHEAD[AHEAD["shop"] == shop]])
        windows.append(
            {
                "series": shop,
                "times": part["day"].dt.strftime("%Y-%m-%d").tolist(),
                "values": part["sales"].tolist(),
                "known": {name: both[name].tolist() for name in NAMES["known"]},
                "past": {"visitors": part["visitors"].tolist()},
                "static": {"area": part["area"].iloc[0]},
            }
        )
    answer = Client(create_app({"sales": model})).predict({"windows": windows, "coverage": 0.8}).json()
    for part, (_, rows) in zip(answer["forecasts"], expected.groupby("shop", sort=False), strict=True):
        np.testing.assert_allclose(np.ravel(part["values"]), rows["forecast"], rtol=1e-6)
        [interval] = part["intervals"]
        np.testing.assert_allclose(np.ravel(interval["lower"]), rows["lo-80"], rtol=1e-6)
        np.testing.assert_allclose(np.ravel(interval["upper"]), rows["hi-80"], rtol=1e-6)


def test_dask(model, expected):
    parts = dd.from_pandas(BEFORE.set_index("shop"), npartitions=2, sort=True)
    found = lstmforecast.dask.forecast(parts, model, known=AHEAD).compute(scheduler="sync")
    found = expected[KEYS].merge(found)
    pd.testing.assert_frame_equal(found, expected[[*KEYS, "forecast"]], check_dtype=False, rtol=1e-6)


def test_files_of_the_model_and_tables_of_polars(model, expected, tmp_path):
    polars = pytest.importorskip("polars")
    model.save(tmp_path / "model.safetensors")
    loaded = LSTMForecaster.load(tmp_path / "model.safetensors")
    context, known = (polars.from_pandas(each) for each in (BEFORE, AHEAD))
    found = loaded.predict(context=context, known=known).to_pandas()
    pd.testing.assert_frame_equal(found, expected[[*KEYS, "forecast"]], check_dtype=False, rtol=1e-6)
