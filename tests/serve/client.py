"""Requests to an application in this process, and to the command in one of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import httpx


class Client:
    """Sends requests to an application, each time in an event loop of its own, its start and end included."""

    def __init__(self, app: Any, **headers: str | bytes) -> None:
        self.app, self.headers = app, {name.replace("_", "-"): value for name, value in headers.items()}

    def together(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        """The answers to several requests that are sent at once."""
        return asyncio.run(self.gather(requests))

    async def gather(self, requests: tuple[tuple[str, str, dict[str, Any]], ...]) -> list[httpx.Response]:
        """As `together`, in an event loop that runs already."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=self.headers) as client:
            sent = [client.request(method, path, **options) for method, path, options in requests]
            return list(await asyncio.gather(*sent))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.together(("GET", path, options))[0]

    def predict(self, body: Any, **options: Any) -> httpx.Response:
        """The answer of /predict; a body of bytes is sent as it is."""
        return self.together(posted("/predict", body, **options))[0]


def posted(path: str, body: Any, **options: Any) -> tuple[str, str, dict[str, Any]]:
    """A request of JSON; bytes are sent as they are."""
    content = json.dumps(body).encode() if isinstance(body, dict | list) else body
    headers = {"Content-Type": "application/json"} | options.pop("headers", {})
    return "POST", path, {"content": content, "headers": headers, **options}


def sentence(response: httpx.Response, status: int = 422) -> str:
    """The one sentence of a refusal."""
    assert response.status_code == status, response.text
    assert set(response.json()) == {"detail"}
    return str(response.json()["detail"])


@contextmanager
def running(
    *arguments: str | Path, log: TextIO | None = None, **options: Any
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command `lstmforecast serve` at a free port: the process, and its address.

    Its log is to be read from the process, unless there is a file for it.
    """
    code = "import sys; from lstmforecast.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stderr=log or subprocess.PIPE, text=True, **options)
    try:
        line = json.loads(process.stderr.readline() if process.stderr else _first_line(log))
        assert line["message"] == "listening"
        yield process, line["address"]
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def _first_line(log: TextIO) -> str:
    for _ in range(1200):
        lines = Path(log.name).read_text().splitlines(keepends=True)
        if lines and lines[0].endswith("\n"):
            return lines[0]
        time.sleep(0.05)
    raise AssertionError("the server said nothing for a minute")
