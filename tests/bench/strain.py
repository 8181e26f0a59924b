"""What strain does to a server: bad clients beside good ones, and many connections with a log that keeps all."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.bench.load import NUMBER, Connection, has_wrk, load, memory_of
from tests.bench.report import Table
from tests.bench.serve import body_of, hourly
from tests.serve.client import running

from lstmforecast import LSTMForecaster

CONNECTIONS = 200
GOOD_CLIENTS = 16
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def bad_requests(y: pd.Series) -> dict[str, list[bytes]]:
    """What a bad client sends, part by part, again and again."""
    window = {"values": y.tolist(), "times": [time.isoformat() for time in y.index]}
    late = np.datetime64("9999-12-31T23:00") - np.arange(len(y))[::-1] * np.timedelta64(1, "h")
    bodies: dict[str, Any] = {
        "times at the end of time": {"windows": [window | {"times": late.astype(str).tolist()}], "horizon": 1000},
        "values near the end": {"windows": [window | {"values": [1e15, -1e15] * (len(y) // 2)}]},
        "a thousand windows": {"windows": [window] * 100, "horizon": 1000},
        "times in words": {"windows": [window | {"times": ["now"] * len(y)}]},
    }
    whole = {name: json.dumps(body).encode() for name, body in bodies.items()} | {"no JSON": b"[" * 100_000}
    found = {name: [HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body] for name, body in whole.items()}
    found["a header of 100 MB"] = [HEAD + b"x: ", *[b"a" * 2**20] * 100]
    found["a million headers"] = [HEAD, *[b"".join(b"x%d: y\r\n" % i for i in range(10_000))] * 100]
    return found


@asynccontextmanager
async def pestering(host: str, port: int, parts: list[bytes]) -> AsyncIterator[None]:
    """A bad client, on a new connection each time, until the others are content."""

    async def repeat() -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    for part in parts:
                        writer.write(part)
                        await writer.drain()
                    await reader.read(2**16)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0)

    task = asyncio.create_task(repeat())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    # transports that were given up are closed by the next turn of the loop
    await asyncio.sleep(0.01)


async def beside(address: str, parts: list[bytes], body: bytes, seconds: float) -> Counter[int]:
    """Statuses of the answers to good clients."""
    host, port = address.removeprefix("http://").split(":")
    statuses: Counter[int] = Counter()
    end = asyncio.get_running_loop().time() + seconds

    async def repeat() -> None:
        connection = Connection(f"{address}/predict")
        await connection.open()
        while asyncio.get_running_loop().time() < end:
            try:
                statuses[await connection.post(body)] += 1
            except (OSError, asyncio.IncompleteReadError):
                statuses[0] += 1
                connection.close()
                await connection.open()
        connection.close()

    async with pestering(host, int(port), parts):
        await asyncio.gather(*[repeat() for _ in range(GOOD_CLIENTS)])
    return statuses


def beside_bad_clients(file: Path, y: pd.Series, body: bytes, seconds: float) -> list[dict[str, Any]]:
    """A row for each kind of bad client."""
    rows = []
    with (file.parent / "bad_clients.log").open("w") as log, running(file, log=log) as (process, address):
        for name, parts in bad_requests(y).items():
            before = memory_of(process.pid)
            statuses = asyncio.run(beside(address, parts, body, seconds))
            row = {"bad client": name, "answers to others": statuses.total(), "good ones": statuses[200]}
            percent = 100 * statuses[200] / statuses.total()
            rows.append(row | {"good %": percent, "memory grew by MB": memory_of(process.pid) - before})
    return rows


def keeping(file: Path, body: bytes, seconds: float, parts: int) -> list[dict[str, Any]]:
    """A split of two models that logs both, in some parts: what is answered, and what of it lies in the log."""
    rows, answers = [], 0
    database = file.parent / "forecasts.db"
    options = [f"old={file}", f"new={file}", "--split", "old=9,new=1", "--log", database]
    with (file.parent / "keeping.log").open("w") as log, running(*options, log=log) as (process, address):
        before = memory_of(process.pid)
        for part in range(parts):
            numbered = body.replace(NUMBER, b"%d/%s" % (part, NUMBER))
            each = load(f"{address}/predict", numbered, seconds / parts, CONNECTIONS)
            answers += int(each["answers"])
            row = {"seconds": seconds * (part + 1) / parts, "requests/s": each["rate"], "p99 ms": each["p99"]}
            row |= {
                "answers": answers,
                "errors": each["errors"],
                "missing in the log": max(answers - logged(database), 0),
            }
            rows.append(row | {"memory grew by MB": memory_of(process.pid) - before})
    return rows


def logged(database: Path) -> int:
    """Requests of which the log has both models' forecasts."""
    pairs = "SELECT COUNT(*) FROM (SELECT series FROM lstmforecast_log GROUP BY series HAVING COUNT(*) = 2)"
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(pairs).fetchone()[0])


def run(*, once: bool) -> list[Table]:
    """Both tables."""
    y = hourly(400 if once else 960)
    model = LSTMForecaster(horizon=24, max_epochs=1 if once else 20, random_state=0).fit(y)
    context = y[-model.window_size_ :]
    keyed = json.dumps({"key": NUMBER.decode()} | json.loads(body_of(context))).encode()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "load.safetensors")
        model.save(file)
        beside_bad = beside_bad_clients(file, context, body_of(context), 0.2 if once else 5.0)
        kept = keeping(file, keyed, 0.4 if once else 60.0, 2 if once else 6)
    by = "wrk" if has_wrk() and not once else "connections of our own"
    return [
        Table("Bad clients", f"{GOOD_CLIENTS} clients that ask for one forecast each, beside one bad one.", beside_bad),
        Table(
            "A log under load",
            f"{CONNECTIONS} connections by {by}, a split of two models, both logged, a key of its own for each.\n"
            "Requests are missing that were answered, and not yet written when the log was looked at, or not at all.",
            kept,
        ),
    ]
