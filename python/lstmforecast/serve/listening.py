"""A server at a socket, which answers everybody whom it has accepted before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from functools import partial
from typing import Any

import uvicorn

from lstmforecast.ab import ForecastLog
from lstmforecast.serve.connection import Connection
from lstmforecast.serve.limits import Limits

# Seconds for requests in flight once the server is told to stop.
GRACE = 30
# Seconds in which connections that are being made are complete, and accepted.
_ACCEPT = 0.2
_SO_ATTACH_FILTER = 26
# A packet filter of Linux: drop what has the flag SYN in the 14th byte of TCP's header, keep the rest.
_NO_SYN = struct.pack(
    "=" + "HBBI" * 4, *(0x30, 0, 0, 13), *(0x45, 0, 1, 0x02), *(0x06, 0, 0, 0), *(0x06, 0, 0, 0xFFFFFFFF)
)


class Server(uvicorn.Server):
    """uvicorn's, which closes the socket while connections wait there to be accepted, and so resets them.

    Parameters
    ----------
    config : uvicorn.Config
    log : ForecastLog or None
        Closed at the end, before the signal that ended the server ends the process.
    """

    def __init__(self, config: uvicorn.Config, log: ForecastLog | None) -> None:
        super().__init__(config)
        self._log = log

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, accept those who are in, then answer all."""
        for each in sockets or []:
            _let_nobody_in(each)
        await asyncio.sleep(_ACCEPT)
        await super().shutdown(sockets)
        if self._log is not None:
            self._log.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; an OSError with one sentence if that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(f"can't listen at {host}:{port}: {error.strerror or error}") from error


def serve(app: Any, listening: socket.socket, limits: Limits, log: ForecastLog | None) -> None:
    """Answer until SIGTERM or Ctrl-C, and close the log."""
    options: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False, "ws": "none"}
    options |= {"http": partial(Connection, limits), "backlog": 2048, "timeout_graceful_shutdown": GRACE}
    Server(uvicorn.Config(app, **options), log).run([listening])


def _let_nobody_in(listening: socket.socket) -> None:
    """Drop packets that ask for a new connection: the client asks again a second later, and is refused then."""
    if sys.platform != "linux":
        # a client who connects at this moment may be reset
        return
    program = ctypes.create_string_buffer(_NO_SYN)
    # some containers forbid filters
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 4, ctypes.addressof(program)))
