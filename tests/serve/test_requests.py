"""Refused requests: their status and their sentence."""

import asyncio
import io
import json
import logging
import threading

import pytest
from tests.serve.client import Client, posted, sentence
from tests.serve.fuzz import malformed

from lstmforecast.serve import Limits, create_app
from lstmforecast.serve.batching import Batcher
from lstmforecast.serve.limits import Refused
from lstmforecast.serve.server import LONG_BODY
from lstmforecast.serve.telemetry import LOGGER, JSONFormatter

GOOD = {"model": "pair", "windows": [{"values": [[1, 2]] * 8}]}
ROWS = [[1, 2]] * 8
HOURS = [f"2026-01-01T{hour:02d}:00" for hour in range(24)]


def hourly(**window) -> dict:
    return {"model": "hourly", "windows": [{"values": [1.5] * 24} | window]}


WRONG = {
    "no JSON": (b"{", "expected a body of valid JSON"),
    "NaN": (b'{"windows": [NaN]}', "expected a body of valid JSON"),
    "nested": (b"[" * 100_000, "expected a body of valid JSON"),
    "no UTF-8": (b'{"model": "\xff"}', "expected a body of valid JSON"),
    "array": ([], "expected the body to be an object, got an array"),
    "unknown field": (
        GOOD | {"path": "/etc/passwd"},
        "no fields but model, key, windows, horizon, coverage, got 'path'",
    ),
    "no windows": ({"model": "pair"}, "expected the body with the field windows, got none"),
    "no model": ({"windows": GOOD["windows"]}, "expected model to be one of 'hourly', 'pair', 'panel', got none"),
    "unknown model": (GOOD | {"model": "../x"}, "one of 'hourly', 'pair', 'panel', got '../x'"),
    "model of numbers": (GOOD | {"model": 3}, "one of 'hourly', 'pair', 'panel', got a number"),
    "no window": (GOOD | {"windows": []}, "array of 1 to 1024 objects, got 0"),
    "window": (GOOD | {"windows": [3]}, "expected windows[0] to be an object, got a number"),
    "horizon": (GOOD | {"horizon": 0}, "expected horizon to be a whole number from 1 to 1000, got 0"),
    "half a step": (GOOD | {"horizon": 1.5}, "from 1 to 1000, got 1.5"),
    "true steps": (GOOD | {"horizon": True}, "from 1 to 1000, got a boolean"),
    "coverage": (GOOD | {"coverage": 1}, "expected coverage between 0 and 1, got 1"),
    "coverages": (GOOD | {"coverage": [0.9, 0.9]}, "expected each coverage once"),
    "no coverage": (GOOD | {"coverage": None}, "expected coverage to be a number or 1 to 9 of them, got null"),
    "too sure": (GOOD | {"coverage": 0.9999}, "windows held out for coverage=0.9999, got"),
    "too far": (GOOD | {"coverage": 0.9, "horizon": 4}, "expected a horizon of at most 3, as trained for, got 4"),
    "few rows": (GOOD | {"windows": [{"values": ROWS[1:]}]}, "windows[0].values with at least 8 rows, got 7"),
    "narrow": (GOOD | {"windows": [{"values": [*ROWS, [1]]}]}, "with 2 values in every row, got 1 values in row 8"),
    "flat": (GOOD | {"windows": [{"values": [1] * 16}]}, "2 values in every row, got a number in row 0"),
    "word": (
        GOOD | {"windows": [{"values": [*ROWS, [1, "2"]]}]},
        "expected numbers or null in windows[0].values, got a ",
    ),
    "boolean": (GOOD | {"windows": [{"values": [*ROWS, [1, True]]}]}, "got a boolean in row 8"),
    "too large": (GOOD | {"windows": [{"values": [*ROWS, [1, 1e300]]}]}, "values between -1e+15 and 1e+15"),
    "missing": (GOOD | {"windows": [{"values": [*ROWS, [1, None]]}]}, "windows[0]: expected no missing values"),
    "no times here": (GOOD | {"windows": [{"values": ROWS, "times": HOURS[:8]}]}, "fitted to rows without times"),
    "times": (hourly(times="now"), "windows[0].times to be an array of strings, got a string"),
    "few times": (hourly(times=HOURS[1:]), "with one time for each of 24 rows, got 23"),
    "no times": (hourly(times=["soon"] * 24), "windows[0]: "),
    "times twice": (hourly(times=[HOURS[0]] * 24), "every time of context once"),
    "times backwards": (hourly(times=HOURS[::-1]), "in ascending order"),
    "a gap": (hourly(times=[*HOURS[:-1], "2026-01-02T05:00"]), "without gaps"),
    "the end of time": (hourly(times=["9999-12-31T23:00:00"] * 24), "windows[0]: "),
    "no panel": (hourly(series="a"), "windows[0].series to be absent"),
    "panel": ({"model": "panel", "windows": [{"values": [1.0]}]}, "expected windows[0] with times"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_is_one_sentence(client, name):
    body, words = WRONG[name]
    said = sentence(client.predict(body))
    assert words in said
    assert "\n" not in said
    # what a client could do about it isn't said in Python
    assert not any(words in said for words in ("missing=", "freq=", "context."))


def test_too_large_a_body_is_refused_before_it_is_read(pair):
    client = Client(create_app({"pair": pair}, limits=Limits(body_bytes=300)))
    assert client.predict(GOOD).status_code == 200
    assert "at most 300 bytes" in sentence(client.predict(GOOD, headers={"content-length": "301"}), 413)

    async def parts():
        for _ in range(4):
            yield b" " * 100

    assert "at most 300 bytes" in sentence(client.together(posted("/predict", parts()))[0], 413)


def test_an_internal_error_is_logged_and_not_in_the_answer(pair, monkeypatch):
    def broken(*_):
        raise RuntimeError("a secret")

    monkeypatch.setattr("lstmforecast.serve.served_model.ServedModel.forecast", broken)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    LOGGER.addHandler(handler)
    try:
        client = Client(create_app(pair))
        assert "the log of the server" in sentence(client.predict(GOOD | {"model": "model"}), 500)
    finally:
        LOGGER.removeHandler(handler)
    line = json.loads(written.getvalue())
    assert line["level"] == "error"
    assert "RuntimeError: a secret" in line["traceback"]
    assert 'lstmforecast_requests_total{path="/predict",status="500"} 1.0' in client.get("/metrics").text


def test_a_long_body_is_read_in_a_thread_with_the_same_answer(client):
    few = client.predict({"model": "pair", "windows": [{"values": [[1.5, 2.5]] * 8}]}).json()["forecasts"]
    many = client.predict({"model": "pair", "windows": [{"values": [[1.5, 2.5]] * 8}] * 1000})
    assert len(many.request.content) > LONG_BODY
    assert many.json()["forecasts"] == few * 1000


def test_limits_are_whole_numbers():
    with pytest.raises(ValueError, match="waiting to be a whole number from 1, got 0"):
        Limits(waiting=0)


@pytest.mark.parametrize("path", ["/predict", "/models", "/metrics"])
def test_the_key_is_checked(pair, path):
    app = create_app({"pair": pair}, api_key="s3cret")
    method = "POST" if path == "/predict" else "GET"
    for headers in ({}, {"X_API_Key": "S3cret"}, {"Authorization": "Basic s3cret"}, {"X_API_Key": b"\xe9"}):
        refused = Client(app, **headers).together((method, path, {"json": GOOD}))[0]
        assert "expected a key" in sentence(refused, 401)
        assert refused.headers["www-authenticate"] == "Bearer"
    for headers in ({"X_API_Key": "s3cret"}, {"Authorization": "Bearer s3cret"}):
        assert Client(app, **headers).together((method, path, {"json": GOOD}))[0].status_code == 200


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/docs", "/", "/page.js"])
def test_some_paths_need_no_key(pair, path):
    assert Client(create_app(pair, api_key="s3cret")).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/page/../app.py", "/..%2fapp.py", "/app.py", "/page.html", "//etc/passwd"])
def test_no_other_file_is_served(client, path):
    assert client.get(path).status_code == 404


class Work:
    n_windows, seconds = 1, 1.0


def test_a_full_queue_refuses_and_is_then_finished():
    """The first work is in the thread, two wait, the fourth is refused; then the two are one batch."""
    go, batches = threading.Event(), []

    def run(works):
        go.wait(60)
        batches.append(len(works))
        return [i for i, _ in enumerate(works)]

    async def scene():
        batcher = Batcher(run, Limits(waiting=2))
        first = asyncio.ensure_future(batcher.submit(Work()))
        await asyncio.sleep(0.05)
        waiting = [asyncio.ensure_future(batcher.submit(Work())) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert batcher.full
        with pytest.raises(Refused) as refused:
            await batcher.submit(Work())
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        closing = asyncio.ensure_future(batcher.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        go.set()
        await closing
        return [each.result() for each in (first, *waiting)]

    assert asyncio.run(scene()) == [0, 0, 1]
    assert batches == [1, 2]


def test_cancelled_work_is_skipped_and_a_failed_batch_is_repeated_one_by_one(monkeypatch):
    def run(works):
        if len(works) == 2:
            raise MemoryError("too much")
        return [ValueError("bad") if work.bad else "good" for work in works]

    class Marked(Work):
        seconds = 0.0

        def __init__(self, bad):
            self.bad, self.seconds = bad, 1.0

    async def scene():
        batcher = Batcher(run, Limits())
        two = await asyncio.gather(*[batcher.submit(Marked(False)) for _ in range(2)], return_exceptions=True)
        cancelled = asyncio.ensure_future(batcher.submit(Marked(False)))
        one = asyncio.ensure_future(batcher.submit(Marked(True)))
        await asyncio.sleep(0)
        cancelled.cancel()
        return [*two, *await asyncio.gather(one, batcher.submit(Work()), return_exceptions=True)]

    monkeypatch.setattr(Work, "bad", False, raising=False)
    kinds = [type(each) for each in asyncio.run(scene())]
    assert kinds == [str, str, ValueError, str]


def test_malformed_bodies_are_never_a_server_error(client):
    """A number that takes a second; `make bench ARGS=serve` sends 10,000."""
    bodies = [GOOD, hourly(times=HOURS), GOOD | {"coverage": [0.5], "horizon": 2}]
    sent = malformed([json.dumps(body).encode() for body in bodies], 400)
    answers = client.together(*[posted("/predict", body) for body in sent])
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 422, 503}
    assert all(set(answer.json()) == {"detail"} for answer in answers if answer.status_code != 200)
