"""Times of requests: offsets from UTC mean instants, and aren't mixed with local times."""

import pandas as pd
import pytest
from tests.serve.client import Client, sentence
from tests.serve.conftest import SMALL, wave

from lstmforecast import LSTMForecaster
from lstmforecast.ab import ForecastLog
from lstmforecast.serve import create_app

HOURS = pd.date_range("2026-05-01", periods=120, freq="h")


def served(zone: str | None, **options) -> Client:
    y = pd.Series(wave(120), HOURS.tz_localize(zone), name="y")
    model = LSTMForecaster(horizon=3, window_size=12, **SMALL).fit(y)
    return Client(create_app({"m": model}, **options))


def window(times: list[str]) -> dict:
    return {"windows": [{"values": wave(120)[-len(times) :].tolist(), "times": times}]}


def written(zone: str | None) -> list[str]:
    return [time.isoformat() for time in HOURS[-30:].tz_localize(zone)]


def test_offsets_are_instants_and_answers_are_in_the_zone_of_the_model():
    client = served("Europe/Berlin")
    expected = client.predict(window(written("Europe/Berlin"))).json()
    instants = HOURS[-30:].tz_localize("Europe/Berlin")
    for zone, text in (("UTC", "Z"), ("Asia/Tokyo", "+09:00"), ("America/Phoenix", "-07")):
        times = [f"{time:%Y-%m-%dT%H:%M:%S}{text}" for time in instants.tz_convert(zone)]
        assert client.predict(window(times)).json() == expected
    # local times, as the model's zone has them
    assert client.predict(window(written(None))).json() == expected


@pytest.mark.parametrize("offset", ["Z", "+02:00", "+0200", "-07"])
def test_offsets_are_refused_for_a_model_without_a_zone(offset):
    client = served(None)
    times = [time + offset for time in written(None)]
    got = client.predict(window(times))
    assert got.status_code == 422
    assert sentence(got) == (
        "windows[0]: expected times without an offset from UTC, such as 2026-01-31T12:00:00, as the model has no time "
        f"zone, got {times[0]!r}"
    )


@pytest.mark.parametrize("zone", ["Europe/Berlin", None])
def test_offsets_in_some_times_only_are_refused(zone):
    times = written(None)
    got = served(zone).predict(window([*times[:-1], times[-1] + "Z"]))
    assert got.status_code == 422
    assert "offset from UTC" in sentence(got)


def test_actuals_with_offsets_are_refused_for_a_model_without_a_zone():
    with ForecastLog("sqlite://") as log:
        client = served(None, log=log)
        body = {"actuals": [{"key": "k", "values": [1.0], "times": ["2026-05-06T00:00:00Z"]}]}
        got = client.together(("POST", "/actuals", {"json": body}))[0]
    assert got.status_code == 422
    assert sentence(got).startswith("actuals[0]: expected times without an offset from UTC")


def test_days_without_midnight_are_written_like_others():
    days = pd.date_range("2024-03-20", periods=36, freq="D")
    y = pd.Series(wave(36), days.tz_localize("Africa/Cairo"), name="y")
    model = LSTMForecaster(horizon=3, window_size=12, **SMALL).fit(y)
    client = Client(create_app({"m": model}))
    later = pd.date_range("2024-04-10", periods=20, freq="D")
    values = wave(20).tolist()
    plain = client.predict({"windows": [{"values": values, "times": [f"{day:%Y-%m-%d}" for day in later]}]}).json()
    instants = later.tz_localize("Africa/Cairo", nonexistent="shift_forward")
    known = client.predict({"windows": [{"values": values, "times": [day.isoformat() for day in instants]}]}).json()
    assert plain == known
    assert plain["forecasts"][0]["times"][0] == "2024-04-30T00:00:00+03:00"


def test_local_hours_that_exist_twice_are_refused_without_their_offset():
    hours = pd.date_range("2026-10-24 10:00", periods=60, freq="h", tz="Europe/Berlin")
    y = pd.Series(wave(60), hours, name="y")
    client = Client(create_app({"m": LSTMForecaster(horizon=3, window_size=12, **SMALL).fit(y)}))
    times = [time.tz_localize(None).isoformat() for time in hours[3:17]]
    got = client.predict({"windows": [{"values": [1.0] * 14, "times": times}]})
    assert "expected times with their offset from UTC" in sentence(got)
