"""Requests a second beside an empty FastAPI endpoint, a minute of load, and ten thousand malformed bodies."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.bench.load import has_wrk, load, memory_of, processor_seconds_of, statuses_of
from tests.bench.report import Table
from tests.serve.client import running
from tests.serve.fuzz import malformed

from lstmforecast import LSTMForecaster

CONNECTIONS = 16


def hourly(n: int) -> pd.Series:
    """A daily rhythm with noise."""
    noise = np.random.default_rng(0).normal(0, 0.3, n)
    values = (20 + 5 * np.sin(2 * np.pi * np.arange(n) / 24) + noise).round(3)
    return pd.Series(values, pd.date_range("2026-01-01", periods=n, freq="h"), name="load")


def body_of(y: pd.Series, windows: int = 1) -> bytes:
    """A request with times, for intervals."""
    window = {"values": y.tolist(), "times": [time.isoformat() for time in y.index]}
    return json.dumps({"windows": [window] * windows, "coverage": 0.9}).encode()


@contextmanager
def echoing() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The empty endpoint in a process of its own, under the same uvicorn."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "tests.bench.echo:app", "--port", str(port), "--no-access-log"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield process, f"http://127.0.0.1:{port}/echo"
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(model: LSTMForecaster, *, keeping: bool = False) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command with its defaults; its log, a line for each request, goes to a file; forecasts to SQLite if asked."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w") as log:
        model.save(Path(folder, "load.safetensors"))
        options = ["--log", Path(folder, "forecasts.db")] if keeping else []
        with running(Path(folder, "load.safetensors"), *options, log=log) as (process, address):
            yield process, f"{address}/predict"


def rates(contestants: dict[str, tuple[Any, str]], body: bytes, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Each in turn, again and again; medians over the rounds."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (process, address) in contestants.items():
            before = processor_seconds_of(process.pid)
            each = load(address, body, seconds, CONNECTIONS)
            each["cpu"] = 1e6 * (processor_seconds_of(process.pid) - before) / max(1.0, each["rate"] * seconds)
            found[name].append(each)
    rows = []
    for name, turns in found.items():
        median = {key: float(np.median([turn[key] for turn in turns])) for key in turns[0]}
        rows.append(
            {"server": name, "requests/s": median["rate"], "p50 ms": median["p50"], "p99 ms": median["p99"]}
            | {"p99 / p50": median["p99"] / median["p50"], "CPU us a request": median["cpu"]}
            | {"errors": sum(turn["errors"] for turn in turns)}
        )
    return [row | {"of the echo's": row["requests/s"] / rows[0]["requests/s"]} for row in rows]


def endurance(process: Any, address: str, body: bytes, seconds: float) -> list[dict[str, Any]]:
    """Errors and memory over some time, in parts."""
    rows = []
    for part in range(6):
        each = load(address, body, seconds / 6, CONNECTIONS)
        row = {"seconds": seconds * (part + 1) / 6, "requests/s": each["rate"], "errors": each["errors"]}
        rows.append(row | {"memory MB": memory_of(process.pid)})
    return rows


def run(*, once: bool) -> list[Table]:
    """All three tables, from one server."""
    y = hourly(400 if once else 960)
    model = LSTMForecaster(horizon=24, max_epochs=1 if once else 20, random_state=0).fit(y)
    context = y[-model.window_size_ :]
    body = body_of(context)
    seconds, rounds = (0.2, 1) if once else (5.0, 5)
    with echoing() as echo, serving(model) as ours, serving(model, keeping=True) as keeping:
        contestants = {"echo": echo, "lstmforecast": ours, "the same, with --log": keeping}
        table = rates(contestants, body, seconds, rounds)
        minute = endurance(*ours, body, 1.2 if once else 60.0)
        many = load(ours[1], body_of(context, 16 if once else 256), seconds, 2)["rate"] * (16 if once else 256)
        bodies = [body, json.dumps({"windows": [{"values": y[-200:].tolist()}], "horizon": 3}).encode()]
        statuses = statuses_of(ours[1], list(malformed(bodies, 100 if once else 10_000)))
    by = "wrk" if has_wrk() and not once else "connections of our own"
    note = (
        f"{len(context)} rows with times in, 24 steps with times and intervals out, {CONNECTIONS} connections by {by}\n"
        f"on the same machine; the log is on. The echo gives the {len(body)} bytes back. Medians of {rounds} rounds.\n"
        f"256 windows in a request: {many:.0f} windows a second."
    )
    found = [{"status": status, "answers": n} for status, n in sorted(statuses.items())]
    return [
        Table("Requests for one forecast", note, table),
        Table("A minute of load", f"The same requests, by {by}.", minute),
        Table("Malformed bodies", "Good ones in which bytes, words or parts were changed.", found),
    ]
