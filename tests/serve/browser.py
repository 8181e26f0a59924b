"""Headless Chromium through chromedriver's own protocol, which is HTTP and JSON."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,900"]
MISSING = next((name for name in ("chromium", "chromedriver") if shutil.which(name) is None), None)


class Browser:
    """One window."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=60, trust_env=False)
        options = {"binary": shutil.which("chromium"), "args": OPTIONS}
        wanted = {
            "capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        }
        self._session = f"/session/{self._send('/session', wanted)['sessionId']}"

    def _send(self, path: str, content: Any) -> Any:
        answer = self._client.post(path, json=content).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def open(self, address: str) -> None:
        self._send(f"{self._session}/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function's body of JavaScript returns."""
        return self._send(f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, *arguments: Any) -> Any:
        """What it returns once that is true."""
        for _ in range(200):
            found = self.run(f"return {script}", *arguments)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{script} is never true; the page says: {self.run('return document.body.innerText')}")

    def complaints(self) -> list[str]:
        """What stands in the console."""
        return [each["message"] for each in self._send(f"{self._session}/se/log", {"type": "browser"})]

    def picture(self, path: Path) -> None:
        answer = self._client.get(f"{self._session}/screenshot").json()["value"]
        path.write_bytes(base64.b64decode(answer))

    def close(self) -> None:
        self._client.delete(self._session)
        self._client.close()


@contextmanager
def browser() -> Iterator[Browser]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], **quiet)
    try:
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", port)):
                    break
            except ConnectionRefusedError:
                time.sleep(0.05)
        window = Browser(f"http://127.0.0.1:{port}")
        yield window
        window.close()
    finally:
        driver.terminate()
        driver.wait()
