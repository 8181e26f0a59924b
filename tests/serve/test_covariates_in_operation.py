"""Models with covariates in a split, in the log, with a drift monitor."""

import numpy as np
import pandas as pd
import pytest
from tests.serve.client import Client, posted, sentence
from tests.serve.conftest import SMALL, wave

from lstmforecast import DriftMonitor, LSTMForecaster
from lstmforecast.ab import ForecastLog
from lstmforecast.serve import create_app

N = 240
TABLE = pd.DataFrame({"hour": pd.date_range("2026-01-01", periods=N + 60, freq="h"), "load": wave(N + 60)})
TABLE["price"] = np.arange(N + 60) % 5 * 1.5
TABLE["day"] = np.where(np.arange(N + 60) % 48 < 24, "workday", "holiday")
ROLES = {"target": "load", "time": "hour", "known": ["price", "day"]}


def fitted(table: pd.DataFrame = TABLE, window_size: int = 24, **roles) -> LSTMForecaster:
    return LSTMForecaster(horizon=3, window_size=window_size, **SMALL).fit(table[:N], **ROLES | roles)


@pytest.fixture(scope="module")
def models() -> dict[str, LSTMForecaster]:
    return {"old": fitted(), "new": fitted(window_size=30)}


def request(end: int, key: str = "shop") -> dict:
    rows, known = TABLE[end - 30 : end], TABLE[end - 30 : end + 3]
    window = {"values": rows["load"].tolist(), "times": [time.isoformat() for time in rows["hour"]]}
    return {"key": key, "windows": [window | {"known": {name: known[name].tolist() for name in ("price", "day")}}]}


def test_forecasts_of_a_split_are_logged_compared_and_monitored(models):
    monitors = {"old": DriftMonitor.from_forecaster(models["old"], TABLE[["load"]][:N])}
    with ForecastLog("sqlite://") as log:
        client = Client(create_app(models, split={"old": 1, "new": 1}, log=log, monitors=monitors))
        for end in range(N, N + 30):
            assert client.predict(request(end)).status_code == 200
        rows = TABLE[N : N + 40]
        part = {"key": "shop", "values": rows["load"].tolist(), "times": [time.isoformat() for time in rows["hour"]]}
        assert client.together(posted("/actuals", {"actuals": [part]}))[0].json() == {"stored": 40}
        assert client.get("/compare").json()["n"] == 30
        # 30 rows of the first window, then one each
        assert client.get("/drift").json()["models"][0]["rows"] == 30 + 29
        logged = log.join()
    for name, model in models.items():
        expected = model.predict(context=TABLE[N - 30 : N], known=TABLE.loc[N : N + 2, ["hour", "price", "day"]])
        found = logged[(logged["model"] == name) & (logged["origin"] == logged["origin"].min())]
        np.testing.assert_array_equal(found["forecast"], expected["forecast"])


def test_the_example_of_a_split_works(models):
    client = Client(create_app(models, split={"old": 1, "new": 1}))
    content = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        assert client.predict(example["value"]).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {"known": ["price"], "past": ["day"]},
        {"known": ["day", "price"]},
        {"table": TABLE.assign(day=TABLE["day"].str.upper())},
    ],
)
def test_models_with_other_covariates_are_refused_in_a_split(models, other):
    each = {"old": models["old"], "other": fitted(**other)}
    with pytest.raises(ValueError, match="models of a split with the same covariates"):
        create_app(each, split={"old": 1, "other": 1})


def test_actual_values_have_no_covariates(models):
    with ForecastLog("sqlite://") as log:
        client = Client(create_app(models, log=log))
        part = {"values": [1.0], "times": ["2026-02-01T00:00"], "known": {"price": [1.0], "day": ["workday"]}}
        refused = client.together(posted("/actuals", {"model": "old", "actuals": [part]}))[0]
    assert sentence(refused) == "expected actuals[0] with no fields but key, series, times, values, got 'known'"
    schema = client.get("/openapi.json").json()["paths"]["/actuals"]["post"]["requestBody"]
    for each in schema["content"]["application/json"]["schema"]["oneOf"]:
        assert "known" not in each["properties"]["actuals"]["items"]["properties"]
