"""A server under load: by wrk where it is installed, else by some connections of our own."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# In a body, what is replaced by the request's number.
NUMBER = b"@NUMBER@"
# What wrk runs: the same body each time but for its number, and a line of JSON at the end.
_LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local body, n = io.open("%s"):read("*a"), 0
local before, after = body:match("^(.-)@NUMBER@(.*)$")
wrk.body = body
if before then
  request = function()
    n = n + 1
    return wrk.format(nil, nil, nil, before .. n .. after)
  end
end
function done(summary, latency)
  local e, line = summary.errors, '\\n{"requests": %%d, "us": %%d, "errors": %%d, "p50": %%f, "p99": %%f}\\n'
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  local p50, p99 = latency:percentile(50), latency:percentile(99)
  io.write(string.format(line, summary.requests, summary.duration, errors, p50, p99))
end
"""


def has_wrk() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def load(address: str, body: bytes, seconds: float, connections: int) -> dict[str, float]:
    """Requests a second, median and 99th percentile in ms, how many answers there were, and how many were errors."""
    return (_wrk if has_wrk() and seconds >= 1 else _own)(address, body, seconds, connections)


def _wrk(address: str, body: bytes, seconds: float, connections: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        content, script = Path(folder, "body"), Path(folder, "post.lua")
        content.write_bytes(body)
        script.write_text(_LUA % content)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout=20s", f"-s{script}", address]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    rate = told["requests"] / told["us"] * 1e6
    found = {"rate": rate, "p50": told["p50"] / 1000, "p99": told["p99"] / 1000}
    return found | {"answers": told["requests"], "errors": told["errors"]}


def _own(address: str, body: bytes, seconds: float, connections: int) -> dict[str, float]:
    times: list[float] = []
    statuses: Counter[int] = Counter()
    numbers = itertools.count(1)

    async def repeat() -> None:
        connection = Connection(address)
        await connection.open()
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            statuses[await connection.post(body.replace(NUMBER, str(next(numbers)).encode()))] += 1
            times.append(1000 * (time.perf_counter() - begin))
        connection.close()

    async def all_of_them() -> None:
        await asyncio.gather(*[repeat() for _ in range(connections)])

    asyncio.run(all_of_them())
    cuts = statistics.quantiles(times, n=100)
    found = {"rate": len(times) / seconds, "p50": cuts[49], "p99": cuts[98]}
    return found | {"answers": len(times), "errors": len(times) - statuses[200]}


def statuses_of(address: str, bodies: Sequence[bytes]) -> Counter[int]:
    """How often each status answers them, one after the other on one connection."""

    async def all_of_them() -> Counter[int]:
        connection = Connection(address)
        await connection.open()
        found = Counter([await connection.post(body) for body in bodies])
        connection.close()
        return found

    return asyncio.run(all_of_them())


class Connection:
    """A connection that stays open, over which bodies are sent one after the other."""

    def __init__(self, address: str) -> None:
        self._parts = urlsplit(address)
        self._streams: Any = None

    async def open(self) -> None:
        """Connect."""
        self._streams = await asyncio.open_connection(self._parts.hostname, self._parts.port)

    async def post(self, body: bytes) -> int:
        """The status of the answer to a body."""
        reader, writer = self._streams
        head = f"POST {self._parts.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:] if line)
        await reader.readexactly(int(fields[b"content-length"]))
        return int(answer.split(b" ", 2)[1])

    def close(self) -> None:
        """Hang up."""
        self._streams[1].close()


def memory_of(process: int) -> float:
    """Resident memory of a process in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def processor_seconds_of(process: int) -> float:
    """Time that a process has had of the processor."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
