import numpy as np
import pandas as pd
import pytest
from tests.serve.client import Client

from lstmforecast import LSTMForecaster
from lstmforecast.serve import create_app

SMALL = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "n_threads": 1}


def wave(n: int = 240) -> np.ndarray:
    return 10 + np.sin(np.arange(n) / 4) + np.random.default_rng(0).normal(0, 0.1, n)


@pytest.fixture(scope="session")
def hourly() -> LSTMForecaster:
    """Of a Series of hours."""
    times = pd.date_range("2026-01-01", periods=240, freq="h")
    return LSTMForecaster(horizon=6, window_size=24, **SMALL).fit(pd.Series(wave(), times, name="load"))


@pytest.fixture(scope="session")
def pair() -> LSTMForecaster:
    """Of an array of two variables; it refuses coverages that its errors can't promise."""
    return LSTMForecaster(horizon=3, window_size=8, calibration="exact", **SMALL).fit(
        np.column_stack([wave(), wave()[::-1]])
    )


@pytest.fixture(scope="session")
def panel() -> LSTMForecaster:
    """Of two series that differ a hundredfold."""
    days = pd.date_range("2026-01-01", periods=120, freq="D")
    index = pd.MultiIndex.from_product([["a", "b"], days], names=["store", "day"])
    sales = pd.Series(np.concatenate([wave(120), 100 * wave(120)]), index, name="sales")
    return LSTMForecaster(horizon=4, window_size=14, **SMALL).fit(sales)


def table_of_shops(n: int = 120) -> pd.DataFrame:
    """Two series with covariates of every kind."""
    table = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=n, freq="D"), "sales": wave(n)})
    table = table.assign(promo=np.arange(n) % 7 == 3, visitors=wave(n) * 9)
    table["kind"] = np.where(np.arange(n) % 7 < 5, "workday", "weekend")
    return pd.concat([table.assign(shop=name, region=name[0].upper(), area=len(name)) for name in ("north", "south")])


@pytest.fixture(scope="session")
def shops() -> LSTMForecaster:
    """Of a table of two series with covariates of every kind."""
    model = LSTMForecaster(horizon=4, window_size=14, calendar="auto", **SMALL)
    roles = {"target": "sales", "series": "shop", "time": "day", "static": ["region", "area"]}
    return model.fit(table_of_shops(), known=["promo", "kind"], past="visitors", **roles)


@pytest.fixture(scope="session")
def client(hourly: LSTMForecaster, pair: LSTMForecaster, panel: LSTMForecaster) -> Client:
    return Client(create_app({"hourly": hourly, "pair": pair, "panel": panel}))
