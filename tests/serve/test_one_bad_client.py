"""Whatever one client sends, the other requests of its batch are answered."""

import json

import numpy as np
import pytest
from tests.serve.client import Client, posted, sentence
from tests.serve.conftest import wave

from lstmforecast.ab import ForecastLog
from lstmforecast.serve import Limits, create_app
from lstmforecast.serve.answering import Answer
from lstmforecast.serve.served_model import ServedModel

HOURS = [f"2026-01-01T{hour:02d}:00" for hour in range(24)]
GOOD = {"model": "hourly", "windows": [{"values": wave(24).tolist(), "times": HOURS}], "horizon": 1000}


def ending(last: str, **more) -> dict:
    times = np.datetime64(last) - np.arange(24)[::-1] * np.timedelta64(1, "h")
    return GOOD | {"windows": [GOOD["windows"][0] | {"times": times.astype(str).tolist()}]} | more


BAD = {
    "the last hour that can be written": ending("9999-12-31T23:00"),
    "steps ahead after it": ending("9998-12-01T00:00"),
    "of years without four digits": ending("0000-06-01T00:00"),
    "no calendar's": GOOD | {"windows": [GOOD["windows"][0] | {"times": ["2026-02-31T00:00"] * 24}]},
    "a zone of two digits": GOOD | {"windows": [GOOD["windows"][0] | {"times": [f"{hour}+05" for hour in HOURS]}]},
    "words": GOOD | {"windows": [GOOD["windows"][0] | {"times": ["now"] * 24}]},
    "other values": GOOD | {"windows": [{"values": [1e15, -1e15] * 12}, {"values": ["x"] * 24}]},
}


def beside(app, bad: dict | bytes) -> tuple[set[int], int, dict]:
    """Statuses of 15 valid requests sent at once with an invalid one, their answers, and the invalid one's."""
    requests = [posted("/predict", GOOD) for _ in range(15)]
    requests.insert(7, posted("/predict", bad))
    answers = Client(app).together(*requests)
    refused = answers.pop(7)
    contents = {answer.content for answer in answers}
    return {answer.status_code for answer in answers}, len(contents), refused


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_422_for_its_client_alone(hourly, name):
    with ForecastLog("sqlite://") as log:
        statuses, n_contents, refused = beside(create_app({"hourly": hourly}, log=log), BAD[name])
    assert (statuses, n_contents) == ({200}, 1)
    words = sentence(refused)
    assert words.startswith(("expected ", "windows[0]: expected "))
    assert len(refused.content) < 1000


@pytest.mark.parametrize("place", [(Answer, "body"), (ServedModel, "prepare"), (ServedModel, "forecast")])
def test_an_unexpected_failure_affects_one_request(hourly, monkeypatch, place):
    """In writing, in reading, or within the call of the network that they share."""
    owner, name = place
    whole = getattr(owner, name)

    def failing(self, *arguments):
        windows = self.request.windows if owner is Answer else arguments[:1]
        values = [window.seen.windows if hasattr(window, "seen") else window.values for window in windows]
        if any((each == 13.0).any() for each in values):
            raise MemoryError("one too many")
        return whole(self, *arguments)

    monkeypatch.setattr(owner, name, failing)
    bad = GOOD | {"windows": [{"values": [13.0] * 24}]}
    statuses, n_contents, refused = beside(create_app({"hourly": hourly}), bad)
    assert (statuses, n_contents) == ({200}, 1)
    assert "the log of the server has the details" in sentence(refused, 500)


def test_one_forecast_that_cannot_be_logged_leaves_the_others_logged(hourly, monkeypatch):
    with ForecastLog("sqlite://") as log:
        app = create_app({"hourly": hourly, "same": hourly}, log=log)
        labels = ServedModel.series_labels

        def failing(self, key, series):
            if key == "bad":
                raise RuntimeError("no label")
            return labels(self, key, series)

        monkeypatch.setattr(ServedModel, "series_labels", failing)
        keyed = [GOOD | {"key": key, "horizon": 2} for key in ("a", "bad", "b")]
        client = Client(app)
        answers = client.together(*[posted("/predict", body) for body in keyed])
        assert [each.status_code for each in answers] == [200] * 3
        client.get("/compare")  # waits for what is to be written
        assert set(log.join()["key"]) == {"a", "b"}
        text = client.get("/metrics").text
    assert 'lstmforecast_unlogged_windows_total{model="hourly",reason="error"} 1.0' in text


def test_the_size_of_an_answer_is_limited(hourly):
    app = create_app({"hourly": hourly}, limits=Limits(numbers=1000))
    window = {"values": wave(24).tolist()}
    assert Client(app).predict({"windows": [window], "horizon": 1000}).status_code == 200
    assert "at most 1000 numbers" in sentence(Client(app).predict({"windows": [window] * 2, "horizon": 501}))
    words = sentence(Client(app).predict({"windows": [window] * 56, "horizon": 6, "coverage": 0.5}))
    assert words.endswith("at most 1000 numbers (windows, times steps, variables and bounds), got 1008")


LONG = "\u00e9" * 4000


@pytest.mark.parametrize(
    "body",
    [
        GOOD | {LONG: 1},
        GOOD | {"model": LONG},
        GOOD | {"key": LONG},
        GOOD | {"key": "\x00" * 100},
        GOOD | {"horizon": 1e300},
        GOOD | {"windows": [GOOD["windows"][0] | {"times": [LONG] * 24}]},
        GOOD | {"windows": [GOOD["windows"][0] | {LONG: 1}]},
        {"model": "panel", "windows": [{"values": [1.0], "times": ["2026-01-01"], "series": LONG}]},
        {"model": "panel", "windows": [{"values": [1.0], "times": ["2026-01-01"], "series": "a\x1b[2J"}]},
        b"\xff" * 4000,
    ],
)
def test_errors_repeat_only_a_part_of_what_a_client_sent(client, body):
    answer = client.predict(body if isinstance(body, bytes) else json.dumps(body).encode())
    words = sentence(answer)
    assert words.count("\u00e9") <= 100
    assert len(answer.content) < 1000
    assert words.isprintable()
