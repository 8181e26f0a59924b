"""Connections with limits on their number, on time, and on the bytes of headers and bodies."""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from itertools import chain
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lstmforecast.serve.limits import Limits, Refused, too_large
from lstmforecast.serve.telemetry import LOGGER

# Headers of one request.
MOST_HEADERS = 100
# Seconds between two checks of how long the server has waited for a client.
_CHECK = 1.0
# Seconds for which a refused client may go on sending: if the connection closed at once, it could lose the answer.
_LINGER = 2.0
# Seconds for which a connection stays open at the end for a request that may be on its way.
_IDLE = 0.5
# The parts in which such a time passes: on a busy machine a single timer could end before arrived bytes are read.
TURNS = 10


class Connection(HttpToolsProtocol):
    """A connection to a client: uvicorn's protocol with limits.

    A request that exceeds a limit is answered with one sentence, and the connection is closed. Bytes are counted as
    they arrive, so that no more than the limit is ever stored.

    Parameters
    ----------
    limits : Limits
    **options
        Arguments that uvicorn passes to a protocol.
    """

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        # the part of a request that is arriving: "", "head" or "body"
        self._arriving = ""
        self._body_bytes = 0
        # bytes since the last call of the parser, and an upper bound of the size of a head that ends in them
        self._unparsed = self._most_head_bytes = 0
        # since when the server waits for the client; None while it prepares an answer
        self.awaited_since: float | None = None
        self._refused_at: float | None = None
        self._refusal: Refused | None = None
        self._stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, and make room if there are too many connections."""
        super().connection_made(transport)
        self.awaited_since = self._written = self.loop.time()
        self._timer = self.loop.call_later(_CHECK, self._check_time)
        if len(self.connections) > self._limits.connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, unless the client was refused already."""
        if self._refused_at is not None:
            return
        self._unparsed += len(data)
        self._most_head_bytes = self._unparsed
        super().data_received(data)
        if self._unparsed > self._limits.header_bytes:
            self._refuse(self._long_head())

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that the parser can't read or that a method below has stopped."""
        self._refuse(self._refusal or Refused(400, "expected a request of HTTP/1.1, got what can't be read as one"))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._arriving, self.awaited_since, self._body_bytes = "head", self.loop.time(), 0

    def on_headers_complete(self) -> None:
        """Check the headers, then start to answer."""
        if len(self.headers) > MOST_HEADERS or (
            self._most_head_bytes > self._limits.header_bytes < len(self.url) + sum(map(len, chain(*self.headers)))
        ):
            self._stop(self._long_head())
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self._limits.body_bytes:
                self._stop(too_large(self._limits.body_bytes))
        super().on_headers_complete()
        # headers after the body are not part of the request
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
        self.awaited_since = None if self.is_answering else self.loop.time()

    def on_response_complete(self) -> None:
        """The end of an answer."""
        super().on_response_complete()
        if not self._arriving and not self.is_answering:
            self.awaited_since = self.loop.time()

    def shutdown(self) -> None:
        """Answer requests that have arrived or are on their way, then close."""
        self._stopping = True
        if self.is_answering:
            self.cycle.keep_alive = False
        else:
            self._close_if_idle(TURNS)

    @property
    def is_answering(self) -> bool:
        """Whether the answer to a request is under way, or requests wait for theirs."""
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _close_if_idle(self, turns: int) -> None:
        if self._arriving or self.is_answering:
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
        """Close the connection whose client the server has waited for the longest, or refuse this one."""
        others = [
            (each.awaited_since, each)
            for each in self.connections
            if isinstance(each, Connection) and each is not self and each.awaited_since is not None
        ]
        if others:
            min(others, key=lambda pair: pair[0])[1].transport.abort()
        else:
            most = self._limits.connections
            words = f"expected at most {most} connections, got one more; try again in a second"
            self._refuse(Refused(503, words, {"retry-after": "1"}))

    def _check_time(self) -> None:
        """Close the connection if a request, or the reading of an answer, takes the client too long."""
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
        """Answer with an error, and close once the client has had time to read it."""
        if self._refused_at is not None or self.transport.is_closing():
            return
        self._refused_at, self.awaited_since = self.loop.time(), None
        fields = {"status": refusal.status, "client": self.client[0] if self.client else None}
        LOGGER.info("refused", extra={"fields": fields})
        if self.is_answering and self._arriving == "head":
            # earlier requests are answered first; the end of their answers closes the connection
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
