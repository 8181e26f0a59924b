"""The server's socket, its start and its stop: accepted connections are answered before it stops."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import uvicorn

from lstmforecast.ab import ForecastLog
from lstmforecast.serve.connection import TURNS, Connection
from lstmforecast.serve.limits import Limits
from lstmforecast.serve.telemetry import LOGGER

# Seconds to answer the requests received before the signal to stop.
GRACE = 30
# Seconds to accept connections that clients have started.
_ACCEPT = 0.2
_SO_ATTACH_FILTER = 26
# A packet filter of Linux: drop packets with the flag SYN in the 14th byte of the TCP header, keep all others.
_NO_SYN = struct.pack(
    "=" + "HBBI" * 4, *(0x30, 0, 0, 13), *(0x45, 0, 1, 0x02), *(0x06, 0, 0, 0), *(0x06, 0, 0, 0xFFFFFFFF)
)


class Server(uvicorn.Server):
    """uvicorn's server, which also answers connections not yet accepted when it stops; uvicorn resets them.

    Parameters
    ----------
    config : uvicorn.Config
    address : str
        Where it listens, for the log.
    log : ForecastLog or None
        Closed when the server stops, before the signal ends the process.
    """

    def __init__(self, config: uvicorn.Config, address: str, log: ForecastLog | None) -> None:
        super().__init__(config)
        self._address, self._log = address, log

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Log the address as soon as signals are handled."""
        with super().capture_signals():
            LOGGER.info("listening", extra={"fields": {"address": self._address}})
            yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new connections, accept those that clients have started, then answer all requests."""
        for each in sockets or []:
            _refuse_new(each)
        for _ in range(TURNS):
            await asyncio.sleep(_ACCEPT / TURNS)
        await super().shutdown(sockets)
        if self._log is not None:
            self._log.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; an OSError with one sentence if the address can't be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(f"can't listen at {host}:{port}: {error.strerror or error}") from error


def serve(app: Any, listening: socket.socket, limits: Limits, log: ForecastLog | None) -> None:
    """Answer requests until SIGTERM or Ctrl-C, then close the log."""
    options: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False, "ws": "none"}
    options |= {"http": partial(Connection, limits), "backlog": 2048, "timeout_graceful_shutdown": GRACE}
    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    Server(uvicorn.Config(app, **options), address, log).run([listening])


def _refuse_new(listening: socket.socket) -> None:
    """Drop packets that start a connection: the client tries again a second later, and is refused then."""
    if sys.platform != "linux":
        # elsewhere a connection that starts at this moment may be reset
        return
    program = ctypes.create_string_buffer(_NO_SYN)
    # some containers forbid filters
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 4, ctypes.addressof(program)))
