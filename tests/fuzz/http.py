"""Bytes to a server: bodies to the application in this process, and whole requests to the parser of its connections.

Whatever comes, the answer is a forecast or one sentence of less than a kilobyte, with a status that the documentation
tells of; never an error of the server's own.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from lstmforecast import LSTMForecaster

PATHS = ("/predict", "/actuals")
# What a client may be told: a forecast, that something is wrong with its request, or to come back later.
STATUSES = {200, 400, 403, 404, 405, 408, 413, 415, 421, 422, 431, 503}
LONGEST_SENTENCE = 1000


@cache
def _app() -> Any:
    """With a log and a split, so that all that reads bodies is there."""
    from lstmforecast.ab import ForecastLog
    from lstmforecast.serve import Limits, create_app

    times = pd.date_range("2026-01-01", periods=60, freq="h")
    options: dict[str, Any] = {"hidden_size": 2, "max_epochs": 1, "random_state": 0, "n_threads": 1}
    y = pd.Series(np.sin(np.arange(60.0)), times, name="load")
    series = pd.concat({"a": y, "b": y}, names=["store", "hour"])
    models = {
        "load": LSTMForecaster(horizon=2, window_size=6, **options).fit(y),
        "again": LSTMForecaster(horizon=2, window_size=6, **options).fit(y),
        "panel": LSTMForecaster(horizon=2, window_size=6, **options).fit(series),
        "rows": LSTMForecaster(horizon=2, window_size=6, missing="interpolate", **options).fit(np.c_[y, y]),
    }
    limits = Limits(body_bytes=2**16, windows=8, horizon=50, numbers=10_000, header_bytes=2**12)
    log = ForecastLog("sqlite://", max_rows=1000)
    return create_app(models, split={"load": 1, "again": 1}, log=log, limits=limits)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all: making it takes longer than an answer."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def seeds() -> list[bytes]:
    """Good bodies of all kinds."""
    times = [f"2026-02-01T{hour:02d}:00" for hour in range(8)]
    values = [0.5, 1, -2, 3e5, 0, 1e-9, 7, 8.25]
    bodies: list[dict[str, Any]] = [
        {"key": "shop 7", "windows": [{"values": values, "times": times}]},
        {"model": "load", "windows": [{"values": values}] * 3, "horizon": 5},
        {"model": "load", "windows": [{"values": values, "times": [time + ":00" for time in times]}], "coverage": 0.5},
        {"model": "panel", "windows": [{"values": values, "times": times, "series": "b"}], "coverage": [0.1, 0.5]},
        {"model": "rows", "windows": [{"values": [[value, None] for value in values[:1]] + [[1, 2]] * 6}]},
        {"actuals": [{"key": "shop 7", "values": values, "times": times}]},
        {
            "model": "panel",
            "actuals": [{"series": "new", "values": [1.5, None], "times": times[:2]}],
        },
    ]
    return [json.dumps(body).encode() for body in bodies]


def run_one(data: bytes) -> str:
    """Post bytes to each path; an AssertionError if an answer is none that may be."""
    return _word([_loop().run_until_complete(_post(path, data)) for path in PATHS])


def _word(statuses: list[int]) -> str:
    return "answered" if 200 in statuses else "refused"


async def _post(path: str, data: bytes) -> int:
    sent: list[dict[str, Any]] = []
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": headers, "server": ("127.0.0.1", 80), "http_version": "1.1", "scheme": "http", "root_path": ""}
    parts = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    await _app()(scope, receive, send)
    check(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), data)
    return int(sent[0]["status"])


def check(status: int, body: bytes, data: bytes) -> None:
    """An AssertionError unless an answer is one that may be."""
    assert status in STATUSES, f"status {status} for {data[:200]!r}"
    if status != 200:
        assert len(body) < LONGEST_SENTENCE, f"an error of {len(body)} bytes for {data[:200]!r}"
        words = json.loads(body)["detail"]
        assert isinstance(words, str), f"no sentence for {data[:200]!r}"
        assert "\n" not in words, f"no sentence for {data[:200]!r}"


def raw_seeds() -> list[bytes]:
    """Whole requests: with a length, in chunks, several in a row, of other methods and versions."""
    body = seeds()[1]
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunks = head + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n" % len(body) + body + b"\r\n0\r\nx: y\r\n\r\n"
    get = b"GET /compare?a=load&level=0.5 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nOrigin: http://127.0.0.1:8000\r\n\r\n"
    upgrade = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    return [whole, chunks, get + get, upgrade, b"HEAD /health HTTP/1.0\r\nHost: localhost\r\n\r\n", whole + get]


def run_one_raw(data: bytes) -> str:
    """Send bytes to a connection; an AssertionError if one of its answers is none that may be."""
    answers = _loop().run_until_complete(_exchange(data))
    for status, body in answers:
        check(status, body, data)
    return _word([status for status, _ in answers]) if answers else "unanswered"


class _Wire(asyncio.Transport):
    """Keeps what a connection writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = write_eof = close  # type: ignore[assignment]

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


async def _exchange(data: bytes) -> list[tuple[int, bytes]]:
    import uvicorn
    from uvicorn.server import ServerState

    from lstmforecast.serve import Limits
    from lstmforecast.serve.connection import Connection

    options: dict[str, Any] = {"log_config": None, "access_log": False, "ws": "none", "lifespan": "off"}
    limits = Limits(body_bytes=2**16, header_bytes=2**12)
    config = uvicorn.Config(_app(), http=partial(Connection, limits), **options)
    config.load()
    state, wire = ServerState(), _Wire()
    connection = Connection(limits, config=config, server_state=state, app_state={})
    # uvicorn warns of each request that it can't read
    connection.logger = logging.Logger("quiet", logging.CRITICAL)
    connection.connection_made(wire)
    for start in range(0, len(data), 1000):
        if not wire.closed:
            connection.data_received(data[start : start + 1000])
    # until all that has arrived whole is answered
    while connection.pipeline or (connection.is_answering and not connection.cycle.more_body):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=10)
    return list(_answers(wire.written, data))


def _answers(written: bytes, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Statuses and bodies of answers one after the other."""
    while written:
        head, found, rest = written.partition(b"\r\n\r\n")
        assert found, f"no answer to {data[:200]!r}: {written[:200]!r}"
        lines = head.split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
        length = int(fields.get(b"content-length", b"0"))
        if length and (not rest or rest.startswith(b"HTTP/1.")):
            # of HEAD, which is asked for headers alone
            written = rest
            continue
        assert len(rest) >= length, f"an answer that ends early to {data[:200]!r}: {written[:200]!r}"
        yield int(lines[0].split()[1]), rest[:length]
        written = rest[length:]
