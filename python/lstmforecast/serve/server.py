"""The application: its paths, the check of the API key, start and stop."""

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
from lstmforecast.serve.docs_page import docs_page
from lstmforecast.serve.hosts import Hosts
from lstmforecast.serve.limits import Limits, Refused, too_large
from lstmforecast.serve.reading import PredictRequest, read_body
from lstmforecast.serve.recording import Actual, ForecastRecorder
from lstmforecast.serve.served_model import ServedModel
from lstmforecast.serve.splitting import ServedSplit
from lstmforecast.serve.telemetry import LOGGER, App, Message, Receive, Send, ServerMetrics, TelemetryMiddleware

# Files of the page by their paths: read at the start, so that no request chooses a file by its name.
_PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/table.js": ("table.js", "text/javascript; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
# Bytes. Longer bodies are read in a thread: in the event loop other requests would wait for a millisecond.
LONG_BODY = 2**16
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class RecordingOptions:
    """How forecasts are logged and monitored.

    Attributes
    ----------
    log : ForecastLog or None
    monitors : mapping of str to DriftMonitor
    shadow : bool
        Whether all models of a split forecast each request.
    closes_log : bool
        Whether the application closes the log when it stops.
    """

    log: ForecastLog | None
    monitors: Mapping[str, DriftMonitor]
    shadow: bool
    closes_log: bool


class ForecastApp:
    """The state of an application, and the functions behind its paths."""

    def __init__(
        self,
        models: dict[str, ServedModel],
        api_key: str | None,
        limits: Limits,
        split: ServedSplit | None,
        recording: RecordingOptions | None,
        hosts: Hosts,
    ) -> None:
        self._models, self._limits, self._split, self._recording = models, limits, split, recording
        self._key = None if api_key is None else api_key.encode()
        self._batcher: Batcher[PredictRequest, bytes] = Batcher(self._answer, limits)
        self._metrics = ServerMetrics(lambda: len(self._batcher))
        self._recorder = (
            None if recording is None else ForecastRecorder(recording.log, recording.monitors, self._metrics)
        )
        self._comparing = asyncio.Lock()
        self._ready = False
        self._listed_models = orjson.dumps({"models": [model.description() for model in models.values()]})
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
        if self._recorder is not None and self._recording is not None:
            await self._recorder.close()
            if self._recording.closes_log and self._recording.log is not None:
                self._recording.log.close()
        LOGGER.info("stopped")

    def _warm_up(self) -> None:
        """Forecast with each model, so that the first request is as fast as others, and measure the time."""
        for model in self._models.values():
            coverages = (0.9,) if model.greatest_coverage >= 0.9 else ()
            steps = min(model.horizon, self._limits.horizon)
            request = PredictRequest(model, [model.example(steps)], steps, coverages)
            answer([request])
            model.seconds = min(timeit.repeat(partial(answer, [request]), number=1, repeat=5))

    def _answer(self, requests: list[PredictRequest]) -> list[bytes | Exception]:
        shadows = self._shadows(requests)
        self._metrics.batches.observe(sum(each.n_windows for each in [*requests, *shadows]))
        found = answer([*requests, *shadows])
        if self._recorder is not None:
            self._recorder.note([each for each in found if isinstance(each, Answer)])
        return [_written(each) for each in found[: len(requests)]]

    def _shadows(self, requests: list[PredictRequest]) -> list[PredictRequest]:
        """The same requests for the other models of a split, so that all can be compared."""
        if self._split is None or self._recording is None or self._recording.log is None or not self._recording.shadow:
            return []
        models = self._split.models
        return [
            replace(each, model=model, coverages=())
            for each in requests
            if each.model.name in models
            for model in models.values()
            if model is not each.model
        ]

    def _add_routes(self) -> None:
        status: Any = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
        not_ready = schema.error("The server is not ready.", ["Retry-After"])
        found = schema.success("A forecast for each window.", schema.answer_of_predict())
        refusals: dict[int | str, dict[str, Any]] = {
            413: schema.error(f"The body has more than {self._limits.body_bytes} bytes."),
            415: schema.error("The Content-Type is not application/json."),
            422: schema.error("The request is not valid."),
            503: schema.error("The queue is full, or the log can't be used.", ["Retry-After"]),
        }
        body = {"requestBody": schema.request_body(list(self._models.values()), self._limits, self._split)}
        self._add("POST", "/predict", self.predict, {200: found, **refusals}, locked=True, extra=body)
        listed = schema.success("The models.", schema.answer_of_models())
        self._add("GET", "/models", self.models, {200: listed}, locked=True)
        counted = schema.success("Metrics in Prometheus' format.", {"type": "string"}, "text/plain")
        self._add("GET", "/metrics", self.metrics, {200: counted}, locked=True)
        if self._recording is not None:
            self._add_recording(self._recording, refusals)
        self._add("GET", "/health", self.health, {200: schema.success("The server runs.", status)})
        self._add("GET", "/ready", self.ready, {200: schema.success("The server is ready.", status), 503: not_ready})
        folder = resources.files("lstmforecast.serve") / "page"
        for path, (name, kind) in _PAGE.items():
            page = _constant((folder / name).read_bytes(), kind)
            self.app.get(path, include_in_schema=False, response_class=Response)(page)
        self.app.get("/docs", include_in_schema=False, response_class=Response)(self.docs)

    def _add_recording(self, recording: RecordingOptions, refusals: dict[int | str, dict[str, Any]]) -> None:
        if recording.log is not None:
            stored = schema.success("The number of values stored.", operating_schema.answer_of_actuals())
            extra = {
                "requestBody": operating_schema.actuals_body(list(self._models.values()), self._limits, self._split)
            }
            self._add("POST", "/actuals", self.actuals, {200: stored, **refusals}, locked=True, extra=extra)
            compared = schema.success("The comparison.", operating_schema.answer_of_compare())
            parameters = {"parameters": operating_schema.parameters_of_compare(list(self._models))}
            responses: dict[int | str, dict[str, Any]] = {200: compared, 422: refusals[422], 503: refusals[503]}
            self._add("GET", "/compare", self.compare, responses, locked=True, extra=parameters)
        if recording.monitors:
            states = schema.success("The state and the tests of each monitor.", operating_schema.answer_of_drift())
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
        """Add a path with its OpenAPI; ``locked``: a key is needed if the server has one."""
        extra = extra or {}
        if locked and self._key is not None:
            responses |= {401: schema.error("The API key is missing or wrong.", ["WWW-Authenticate"])}
            extra |= {"security": [{"key": []}, {"bearer": []}]}
        options: Any = {"responses": responses, "openapi_extra": extra, "response_class": Response}
        self.app.add_api_route(path, function, methods=[method], **options)

    async def predict(self, request: Request) -> Response:
        """Forecast the steps after each window, with prediction intervals if coverages are given."""
        self._check_key(request)
        self._batcher.check_room()
        body = await self._body(request)
        if len(body) < LONG_BODY:
            forecast_request = read_body(body, self._models, self._limits, self._split)
        else:
            forecast_request = await asyncio.to_thread(read_body, body, self._models, self._limits, self._split)
        found = await self._batcher.submit(forecast_request)
        self._metrics.windows.labels(forecast_request.model.name).inc(forecast_request.n_windows)
        return Response(found, media_type="application/json")

    async def _predict(self, scope: Message, receive: Receive, send: Send) -> None:
        response = await self.predict(Request(scope, receive))
        await response(scope, receive, send)

    async def actuals(self, request: Request) -> Response:
        """Post actual values, to be compared with forecasts."""
        self._check_key(request)
        recorder = self._started_recorder()
        body = await self._body(request)
        actuals = await asyncio.to_thread(self._read_actuals, body)
        found = await recorder.in_turn(partial(operating.add_actuals, recorder, actuals))
        return Response(found, media_type="application/json")

    def _read_actuals(self, body: bytes) -> list[Actual]:
        return operating.labelled(*operating.read_actuals(body, self._models, self._limits, self._split))

    async def compare(self, request: Request) -> Response:
        """Compare two models by their forecasts from the same windows, where actual values are known."""
        self._check_key(request)
        assert self._recording is not None
        assert self._recording.log is not None
        recorder = self._started_recorder()
        names = list(self._models if self._split is None else self._split.models)
        names += [name for name in self._models if name not in names]
        await recorder.in_turn(lambda: None)
        # one comparison at a time, in another thread than that of the log
        async with self._comparing:
            query = dict(request.query_params)
            found = await asyncio.to_thread(operating.compare, self._recording.log, query, names, recorder.n_lost)
        return Response(found, media_type="application/json")

    async def drift(self, request: Request) -> Response:
        """Say whether inputs and errors have drifted."""
        self._check_key(request)
        recorder = self._started_recorder()
        found = await recorder.in_turn(partial(operating.drift, recorder))
        return Response(found, media_type="application/json")

    def _started_recorder(self) -> ForecastRecorder:
        assert self._recorder is not None
        return self._recorder

    async def models(self, request: Request) -> Response:
        """List the models: what each needs, and what it forecasts."""
        self._check_key(request)
        return Response(self._listed_models, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Get counters and durations in Prometheus' format."""
        self._check_key(request)
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def docs(self) -> Response:
        """Show all paths, with their examples."""
        content = docs_page(self._openapi())
        return Response(content, media_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)

    async def health(self) -> Response:
        """Say whether the process runs."""
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def ready(self) -> Response:
        """Say whether the server is ready: it has started, isn't stopping, and its queue has room."""
        if not self._ready or self._batcher.full:
            raise Refused(
                503,
                "expected a server that is ready, got one that starts, stops or has a full queue",
                {"Retry-After": "1"},
            )
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
        """The whole body, never more than the limit; only JSON, as any page could post a form."""
        kind = request.headers.get("content-type", "")
        if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
            got = repr(kind[:100]) if kind else "none"
            raise Refused(415, f"expected Content-Type: application/json, got {got}; curl sends it with --json")
        most = self._limits.body_bytes
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > most:
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
            words = "Forecasts by LSTM networks, with prediction intervals. Errors have one sentence, in `detail`."
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
    """The body of an answer, or its error, so that an error doesn't affect other answers of the batch."""
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
