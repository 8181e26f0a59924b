"""The application: its paths, who may use them, and what happens when it starts and ends."""

from __future__ import annotations

import asyncio
import hmac
import timeit
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from lstmforecast import __version__
from lstmforecast.ab import ForecastLog
from lstmforecast.monitoring.drift import DriftMonitor
from lstmforecast.serve import operating, operating_schema, schema
from lstmforecast.serve.answering import Answer, answer
from lstmforecast.serve.batching import Batcher
from lstmforecast.serve.hosts import Hosts
from lstmforecast.serve.limits import Limits, Refused, too_large
from lstmforecast.serve.reading import PredictRequest, read_body
from lstmforecast.serve.recording import Actual, ForecastRecorder
from lstmforecast.serve.served_model import ServedModel
from lstmforecast.serve.splitting import ServedSplit
from lstmforecast.serve.telemetry import LOGGER, App, Message, Receive, Send, ServerMetrics, TelemetryMiddleware

# The page's files by the paths under which they are served: read at the start, none by a name from a request.
_PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
# Bytes of a body that is read beside the event loop, which would keep others waiting for a millisecond.
_LONG = 2**16
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class RecordingOptions:
    """What is kept of forecasts.

    Attributes
    ----------
    log : ForecastLog or None
    monitors : mapping of str to DriftMonitor
    shadow : bool
        Whether models of a split forecast what another one answers.
    is_ours : bool
        Whether the log is closed with the application.
    """

    log: ForecastLog | None
    monitors: Mapping[str, DriftMonitor]
    shadow: bool
    is_ours: bool


class Server:
    """The state of an application, and the functions behind its paths."""

    def __init__(
        self,
        models: dict[str, ServedModel],
        api_key: str | None,
        limits: Limits,
        split: ServedSplit | None,
        kept: RecordingOptions | None,
        hosts: Hosts,
    ) -> None:
        self._models, self._limits, self._split, self._kept = models, limits, split, kept
        self._key = None if api_key is None else api_key.encode()
        self._batcher: Batcher[PredictRequest, bytes] = Batcher(self._answer, limits)
        self._metrics = ServerMetrics(lambda: len(self._batcher))
        self._recorder = None if kept is None else ForecastRecorder(kept.log, kept.monitors, self._metrics)
        self._comparing = asyncio.Lock()
        self._ready = False
        self._list = orjson.dumps({"models": [model.description() for model in models.values()]})
        self.app = FastAPI(
            title="lstmforecast",
            version=__version__,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            lifespan=self._lifespan,
        )
        self._add_routes()
        paths = {getattr(route, "path", "") for route in self.app.routes}
        shortcuts: dict[tuple[str, str], App] = {("POST", "/predict"): self._predict}
        self.app.add_middleware(
            TelemetryMiddleware, metrics=self._metrics, paths=paths, hosts=hosts, shortcuts=shortcuts
        )
        self.app.add_exception_handler(Refused, _refuse)
        self.app.openapi = self._openapi  # type: ignore[method-assign]

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        await self._batcher.in_turn(self._warm_up)
        self._ready = True
        LOGGER.info("ready", extra={"fields": {"models": list(self._models)}})
        yield
        self._ready = False
        await self._batcher.close()
        if self._recorder is not None and self._kept is not None:
            await self._recorder.close()
            if self._kept.is_ours and self._kept.log is not None:
                self._kept.log.close()
        LOGGER.info("stopped")

    def _warm_up(self) -> None:
        """Some forecasts of each model, so that the first request doesn't pay for what is made once."""
        for model in self._models.values():
            coverages = (0.9,) if model.greatest_coverage >= 0.9 else ()
            asked = PredictRequest(model, [model.example()], min(model.horizon, self._limits.horizon), coverages)
            answer([asked])
            model.seconds = min(timeit.repeat(partial(answer, [asked]), number=1, repeat=5))

    def _answer(self, asked: list[PredictRequest]) -> list[bytes | Exception]:
        shadows = self._shadows(asked)
        self._metrics.batches.observe(sum(each.n_windows for each in [*asked, *shadows]))
        found = answer([*asked, *shadows])
        if self._recorder is not None:
            self._recorder.note([each for each in found if isinstance(each, Answer)])
        return [_written(each) for each in found[: len(asked)]]

    def _shadows(self, asked: list[PredictRequest]) -> list[PredictRequest]:
        """What the other models of a split are asked too, so that all can be compared."""
        if self._split is None or self._kept is None or self._kept.log is None or not self._kept.shadow:
            return []
        models = self._split.models
        return [
            replace(each, model=model, coverages=())
            for each in asked
            if each.model.name in models
            for model in models.values()
            if model is not each.model
        ]

    def _add_routes(self) -> None:
        status: Any = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
        not_ready = schema.error("Not now.", ["Retry-After"])
        found = schema.success("A forecast for each window.", schema.answer_of_predict())
        refusals: dict[int | str, dict[str, Any]] = {
            413: schema.error(f"More than {self._limits.body_bytes} bytes."),
            415: schema.error("Another Content-Type than application/json."),
            422: schema.error("Something is wrong with the request."),
            503: schema.error("Too many requests wait, or the log can't be used.", ["Retry-After"]),
        }
        body = {"requestBody": schema.request_body(list(self._models.values()), self._limits, self._split)}
        self._add("POST", "/predict", self.predict, {200: found, **refusals}, locked=True, extra=body)
        listed = schema.success("All models.", schema.answer_of_models())
        self._add("GET", "/models", self.models, {200: listed}, locked=True)
        counted = schema.success("For Prometheus.", {"type": "string"}, "text/plain")
        self._add("GET", "/metrics", self.metrics, {200: counted}, locked=True)
        if self._kept is not None:
            self._add_record(self._kept, refusals)
        self._add("GET", "/health", self.health, {200: schema.success("It runs.", status)})
        self._add("GET", "/ready", self.ready, {200: schema.success("It takes requests.", status), 503: not_ready})
        folder = resources.files("lstmforecast.serve") / "page"
        for path, (name, kind) in _PAGE.items():
            page = _constant((folder / name).read_bytes(), kind)
            self.app.get(path, include_in_schema=False, response_class=Response)(page)

    def _add_record(self, kept: RecordingOptions, refusals: dict[int | str, dict[str, Any]]) -> None:
        if kept.log is not None:
            stored = schema.success("How many values are new or replaced.", operating_schema.answer_of_actuals())
            extra = {
                "requestBody": operating_schema.actuals_body(list(self._models.values()), self._limits, self._split)
            }
            self._add("POST", "/actuals", self.actuals, {200: stored, **refusals}, locked=True, extra=extra)
            compared = schema.success("Which of two models is better.", operating_schema.answer_of_compare())
            parameters = {"parameters": operating_schema.parameters_of_compare(list(self._models))}
            responses: dict[int | str, dict[str, Any]] = {200: compared, 422: refusals[422], 503: refusals[503]}
            self._add("GET", "/compare", self.compare, responses, locked=True, extra=parameters)
        if kept.monitors:
            states = schema.success("What each monitor says.", operating_schema.answer_of_drift())
            self._add("GET", "/drift", self.drift, {200: states, 503: refusals[503]}, locked=True)

    def _add(
        self,
        method: str,
        path: str,
        function: Callable[..., Any],
        responses: dict[int | str, dict[str, Any]],
        *,
        locked: bool = False,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """A path that the OpenAPI tells of; with ``locked``, of a key too where there is one."""
        extra = extra or {}
        if locked and self._key is not None:
            responses |= {401: schema.error("No key, or a wrong one.", ["WWW-Authenticate"])}
            extra |= {"security": [{"key": []}, {"bearer": []}]}
        options: Any = {"responses": responses, "openapi_extra": extra, "response_class": Response}
        self.app.add_api_route(path, function, methods=[method], **options)

    async def predict(self, request: Request) -> Response:
        """Forecast the steps after each window, with intervals where coverages are given."""
        self._check_key(request)
        self._batcher.check_room()
        body = await self._body(request)
        if len(body) < _LONG:
            asked = read_body(body, self._models, self._limits, self._split)
        else:
            asked = await asyncio.to_thread(read_body, body, self._models, self._limits, self._split)
        found = await self._batcher.submit(asked)
        self._metrics.windows.labels(asked.model.name).inc(asked.n_windows)
        return Response(found, media_type="application/json")

    async def _predict(self, scope: Message, receive: Receive, send: Send) -> None:
        response = await self.predict(Request(scope, receive))
        await response(scope, receive, send)

    async def actuals(self, request: Request) -> Response:
        """Post what came true, to be joined with what was forecast."""
        self._check_key(request)
        recorder = self._in_use()
        body = await self._body(request)
        actuals = await asyncio.to_thread(self._read_actuals, body)
        found = await recorder.in_turn(partial(operating.add_actuals, recorder, actuals))
        return Response(found, media_type="application/json")

    def _read_actuals(self, body: bytes) -> list[Actual]:
        return operating.labelled(*operating.read_actuals(body, self._models, self._limits, self._split))

    async def compare(self, request: Request) -> Response:
        """Compare two models by forecasts of both, from the same windows, that came true."""
        self._check_key(request)
        assert self._kept is not None
        assert self._kept.log is not None
        recorder = self._in_use()
        names = list(self._models if self._split is None else self._split.models)
        names += [name for name in self._models if name not in names]
        await recorder.in_turn(lambda: None)
        # one after the other, and beside the thread that writes
        async with self._comparing:
            query = dict(request.query_params)
            found = await asyncio.to_thread(operating.compare, self._kept.log, query, names, recorder.n_lost)
        return Response(found, media_type="application/json")

    async def drift(self, request: Request) -> Response:
        """Whether inputs and errors are still what they were."""
        self._check_key(request)
        recorder = self._in_use()
        found = await recorder.in_turn(partial(operating.drift, recorder))
        return Response(found, media_type="application/json")

    def _in_use(self) -> ForecastRecorder:
        assert self._recorder is not None
        return self._recorder

    async def models(self, request: Request) -> Response:
        """What each model needs, and what it forecasts."""
        self._check_key(request)
        return Response(self._list, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Counters and times in Prometheus' format."""
        self._check_key(request)
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def health(self) -> Response:
        """Whether the process runs."""
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def ready(self) -> Response:
        """Whether requests are taken: the models are warm, the queue has room, nobody has asked it to stop."""
        if not self._ready or self._batcher.full:
            raise Refused(503, "expected a server that has room for requests, got none", {"Retry-After": "1"})
        return Response(b'{"status":"ready"}', media_type="application/json")

    def _check_key(self, request: Request) -> None:
        if self._key is None:
            return
        given = request.headers.get("x-api-key")
        if given is None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            given = token if scheme.lower() == "bearer" else ""
        if not hmac.compare_digest(given.encode("latin-1"), self._key):
            sentence = "expected a key in X-API-Key or Authorization: Bearer, got none or a wrong one"
            raise Refused(401, sentence, {"WWW-Authenticate": "Bearer"})

    async def _body(self, request: Request) -> bytes:
        """All of the body, of which no more is kept than is allowed; that of a form is one that any page may post."""
        kind = request.headers.get("content-type", "")
        if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
            got = repr(kind[:100]) if kind else "none"
            raise Refused(415, f"expected Content-Type: application/json, got {got}; curl sends it with --json")
        most = self._limits.body_bytes
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:20]) > most:
            raise too_large(most)
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise too_large(most)
            parts.append(part)
        return b"".join(parts)

    def _openapi(self) -> dict[str, Any]:
        app = self.app
        if app.openapi_schema is None:
            words = "Forecasts of LSTM networks, with intervals. Errors hold one sentence, in `detail`."
            made = get_openapi(title=app.title, version=app.version, description=words, routes=app.routes)
            if self._key is not None:
                schemes = {
                    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                    "bearer": {"type": "http", "scheme": "bearer"},
                }
                made.setdefault("components", {})["securitySchemes"] = schemes
            app.openapi_schema = made
        return app.openapi_schema


def _written(found: Answer | Exception) -> bytes | Exception:
    """The body of an answer: that one can't be written is no error of the others in its batch."""
    try:
        return found if isinstance(found, Exception) else found.body()
    except Exception as error:
        return error


def _constant(content: bytes, kind: str) -> Any:
    async def page() -> Response:
        return Response(content, media_type=kind, headers=_PAGE_HEADERS)

    return page


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return Response(error.body, error.status, error.headers, "application/json")
