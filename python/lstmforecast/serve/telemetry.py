"""Metrics for Prometheus, and the log: a line of JSON for each request."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.requests import ClientDisconnect

from lstmforecast.serve.hosts import Hosts
from lstmforecast.serve.limits import Refused

LOGGER = logging.getLogger("lstmforecast.serve")
LOGGER.addHandler(logging.NullHandler())
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_INTERNAL = Refused(500, "internal error: the log of the server has the details")
# nginx's status for a request whose client has closed the connection.
_GONE = 499

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class ServerMetrics:
    """The metrics of one application, for ``/metrics``.

    Parameters
    ----------
    waiting : callable
        Returns the number of requests in the queue.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        options: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("lstmforecast_requests", "Requests answered.", ["path", "status"], **options)
        self.seconds = Histogram(
            "lstmforecast_request_seconds",
            "Seconds from a request to its answer.",
            ["path"],
            buckets=_SECONDS,
            **options,
        )
        self.windows = Counter("lstmforecast_windows", "Windows forecast.", ["model"], **options)
        self.batches = Histogram("lstmforecast_batch_windows", "Windows in a batch.", buckets=_SIZES, **options)
        Gauge("lstmforecast_waiting_requests", "Requests in the queue.", **options).set_function(waiting)

    def text(self) -> bytes:
        """The metrics in Prometheus' format."""
        return generate_latest(self.registry)


class TelemetryMiddleware:
    """ASGI middleware that checks hosts, counts and logs requests, and answers 500 if the application fails.

    Parameters
    ----------
    app : callable
        The application.
    metrics : ServerMetrics
    paths : set of str
        Paths that are counted by their names. All other paths count as one, so that clients can't add names.
    hosts : Hosts
        The host names that are accepted.
    shortcuts : dict of (str, str) to callable
        Applications by method and path that are called directly: the router's search for a path takes a third of the
        time of a request.
    """

    def __init__(
        self, app: App, metrics: ServerMetrics, paths: set[str], hosts: Hosts, shortcuts: dict[tuple[str, str], App]
    ) -> None:
        self._app, self._metrics, self._paths, self._hosts, self._shortcuts = app, metrics, paths, hosts, shortcuts
        self._numbers = itertools.count(1)
        self._labelled: dict[tuple[str, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, number, status = time.perf_counter(), next(self._numbers), 0

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            self._hosts.check(scope)
            await self._shortcuts.get((scope["method"], scope["path"]), self._app)(scope, receive, send_noting_status)
        except Refused as refusal:
            await _send(send_noting_status, refusal)
        except ClientDisconnect:
            status = status or _GONE
        except Exception:
            LOGGER.exception("request failed", extra={"fields": {"request": number}})
            if status:
                raise
            await _send(send_noting_status, _INTERNAL)
        finally:
            self._note(scope, number, status, time.perf_counter() - begin)

    def _note(self, scope: Message, number: int, status: int, seconds: float) -> None:
        path = scope["path"] if scope["path"] in self._paths else "other"
        if (path, status) not in self._labelled:
            pair = (self._metrics.requests.labels(path, status), self._metrics.seconds.labels(path))
            self._labelled[path, status] = pair
        requests, histogram = self._labelled[path, status]
        requests.inc()
        histogram.observe(seconds)
        if LOGGER.isEnabledFor(logging.INFO):
            client = scope.get("client")
            fields = {"request": number, "method": scope["method"][:20], "path": path, "status": status}
            fields |= {"ms": round(1000 * seconds, 3), "client": client[0] if client else None}
            # as LOGGER.info does, without its search for the line of code
            record = LOGGER.makeRecord(LOGGER.name, logging.INFO, "", 0, "request", (), None, extra={"fields": fields})
            LOGGER.handle(record)


async def _send(send: Send, refusal: Refused) -> None:
    headers = {"content-type": "application/json", "content-length": str(len(refusal.body))} | refusal.headers
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": fields})
    await send({"type": "http.response.body", "body": refusal.body})


class JSONFormatter(logging.Formatter):
    """Log records as lines of JSON: time, level, message, fields of the request, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {"time": f"{stamp}.{int(record.msecs):03d}Z", "level": record.levelname.lower()}
        line |= {"message": record.getMessage()} | getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()
