"""Connections with limits: on headers, bodies, time, and how many there are; before any work, and before the key."""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from itertools import chain
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lstmforecast.serve.limits import Limits, Refused, too_large
from lstmforecast.serve.telemetry import LOGGER

# In one request.
MOST_HEADERS = 100
# Seconds between two looks at how long a client has kept the server waiting.
_CHECK = 1.0
# Seconds for which a refused client may go on sending: hanging up at once would take the answer away from it.
_LINGER = 2.0
# Seconds for which a connection stays open for a request that may be on its way when the server is told to stop.
_IDLE = 0.5
# In so many parts: on a busy machine all of a time may pass before the event loop looks at what has arrived.
TURNS = 10


class Connection(HttpToolsProtocol):
    """One connection of a client; uvicorn's, which has no limits of these kinds.

    What breaks a limit is answered with one sentence, and the connection is closed. No more is kept of a request than
    is allowed: what is counted are bytes as they come, not headers once they are complete.

    Parameters
    ----------
    limits : Limits
    **options
        As uvicorn gives them to a protocol.
    """

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        # what of a request is arriving: "", "head" or "body"
        self._arriving = ""
        self._body_bytes = 0
        # bytes since the parser last told of something, and what no head that ends in them can exceed
        self._unparsed = self._most_head_bytes = 0
        # since when the client has to send something; None while the server has to
        self.awaited_since: float | None = None
        self._refused_at: float | None = None
        self._refusal: Refused | None = None
        self._stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count, and make room if there are too many."""
        super().connection_made(transport)
        self.awaited_since = self._written = self.loop.time()
        self._timer = self.loop.call_later(_CHECK, self._check_time)
        if len(self.connections) > self._limits.connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, unless the client was refused already."""
        if self._refused_at is not None:
            return
        self._unparsed += len(data)
        self._most_head_bytes = self._unparsed
        super().data_received(data)
        if self._unparsed > self._limits.header_bytes:
            self._refuse(self._long_head())

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser can't read, or what one of the methods below has stopped it at."""
        self._refuse(self._refusal or Refused(400, "expected a request of HTTP/1.1, got what can't be read as one"))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._arriving, self.awaited_since, self._body_bytes = "head", self.loop.time(), 0

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if len(self.headers) > MOST_HEADERS or (
            self._most_head_bytes > self._limits.header_bytes < len(self.url) + sum(map(len, chain(*self.headers)))
        ):
            self._stop(self._long_head())
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self._limits.body_bytes:
                self._stop(too_large(self._limits.body_bytes))
        super().on_headers_complete()
        # headers after a body are none of the request's
        self.headers = []
        self._arriving, self._unparsed = "body", 0
        if self._stopping or self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._unparsed = 0
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes:
            self._stop(too_large(self._limits.body_bytes))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        super().on_message_complete()
        self._arriving, self._unparsed = "", 0
        self.awaited_since = None if self._is_answering else self.loop.time()

    def on_response_complete(self) -> None:
        """An answer has been written."""
        super().on_response_complete()
        if not self._arriving and not self._is_answering:
            self.awaited_since = self.loop.time()

    def shutdown(self) -> None:
        """Answer what has arrived, or is about to, and close."""
        self._stopping = True
        if self._is_answering:
            self.cycle.keep_alive = False
        else:
            self._close_if_idle(TURNS)

    @property
    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _close_if_idle(self, turns: int) -> None:
        if self._arriving or self._is_answering:
            return
        if turns:
            self.loop.call_later(_IDLE / TURNS, self._close_if_idle, turns - 1)
        else:
            self.transport.close()

    def _long_head(self) -> Refused:
        most = f"{self._limits.header_bytes} bytes and {MOST_HEADERS} headers"
        return Refused(431, f"expected a request with at most {most} before its body, got more")

    def _stop(self, refusal: Refused) -> None:
        """Stop the parser, which then calls `send_400_response`."""
        self._refusal = refusal
        raise refusal

    def _make_room(self) -> None:
        """Close the connection that has been waited for the longest, or refuse this one."""
        others = [
            (each.awaited_since, each)
            for each in self.connections
            if isinstance(each, Connection) and each is not self and each.awaited_since is not None
        ]
        if others:
            min(others, key=lambda pair: pair[0])[1].transport.abort()
        else:
            most = self._limits.connections
            words = f"expected at most {most} connections, got one more; come back in a second"
            self._refuse(Refused(503, words, {"retry-after": "1"}))

    def _check_time(self) -> None:
        """Close what has kept the server waiting for too long: for a request, or for room to write an answer."""
        now, most = self.loop.time(), self._limits.seconds
        self._timer = self.loop.call_later(_CHECK, self._check_time)
        if not self.transport.get_write_buffer_size():
            self._written = now
        if now - self._written > most or (self._refused_at is not None and now - self._refused_at > _LINGER):
            self.transport.abort()
        elif self.awaited_since is not None and now - self.awaited_since > most and not self.flow.read_paused:
            if self._arriving:
                self._refuse(Refused(408, f"expected a request that arrives within {most} seconds, got a part of one"))
            else:
                self.transport.close()

    def _refuse(self, refusal: Refused) -> None:
        """Answer, and close once the client has had time to read it."""
        if self._refused_at is not None or self.transport.is_closing():
            return
        self._refused_at, self.awaited_since = self.loop.time(), None
        fields = {"status": refusal.status, "client": self.client[0] if self.client else None}
        LOGGER.info("refused", extra={"fields": fields})
        if self._is_answering and self._arriving == "head":
            # those who asked before have their answers first, and that closes the connection
            self.cycle.keep_alive, self._refused_at = False, math.inf
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.cycle is None or self._arriving == "head" or not self.cycle.response_started:
            self._write(refusal)
        self.flow.resume_reading()
        self.transport.write_eof()

    def _write(self, refusal: Refused) -> None:
        headers = {"content-type": "application/json", "content-length": str(len(refusal.body)), "connection": "close"}
        first = f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}"
        lines = [first, *(f"{name}: {value}" for name, value in (headers | refusal.headers).items()), "", ""]
        self.transport.write("\r\n".join(lines).encode() + refusal.body)
