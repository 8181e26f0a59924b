"""The application: its paths, who may use them, and what happens when it starts and ends."""

from __future__ import annotations

import asyncio
import hmac
import timeit
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from lstmforecast import __version__
from lstmforecast.serve import schema
from lstmforecast.serve.answering import answer
from lstmforecast.serve.batching import Batcher
from lstmforecast.serve.limits import Limits, Refused
from lstmforecast.serve.reading import Asked, read_body
from lstmforecast.serve.served_model import ServedModel
from lstmforecast.serve.watching import LOGGER, Message, Meters, Receive, Send, Watched

if TYPE_CHECKING:
    from lstmforecast.forecaster import LSTMForecaster

# The page's files by the paths under which they are served: read at the start, none by a name from a request.
_PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
# Bytes of a body that is read beside the event loop, which would keep others waiting for a millisecond.
_LONG = 2**16
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def create_app(
    models: Mapping[str, LSTMForecaster] | LSTMForecaster,
    *,
    api_key: str | None = None,
    limits: Limits | None = None,
    n_threads: int | None = 1,
) -> FastAPI:
    """Make an application that forecasts over HTTP.

    Parameters
    ----------
    models : LSTMForecaster or mapping of str to LSTMForecaster
        Fitted, without ``X`` and ``X_past``; by their names, ``"model"`` for one alone.
    api_key : str or None, default=None
        What ``X-API-Key``, or ``Authorization: Bearer``, must hold for everything but ``/health``, ``/ready``, the page
        and ``/openapi.json``; compared in constant time. None: everybody may.
    limits : Limits or None, default=None
        What the server takes at the most.
    n_threads : int or None, default=1
        Threads of the processor for the network, beside the one that reads and answers requests; None: as each model
        says.

    Returns
    -------
    fastapi.FastAPI
        With ``/predict``, ``/models``, ``/health``, ``/ready``, ``/metrics``, ``/openapi.json`` and a page at ``/``.

    Raises
    ------
    ImportError
        Without the extra ``serve``.
    TypeError, ValueError, sklearn.exceptions.NotFittedError
        If a model can't be served.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster
    >>> model = LSTMForecaster(horizon=2, window_size=8, hidden_size=4, max_epochs=1, random_state=0)
    >>> app = create_app({"load": model.fit([float(i % 5) for i in range(100)])})
    >>> sorted(app.openapi()["paths"])
    ['/health', '/metrics', '/models', '/predict', '/ready']
    """
    if api_key is not None and not api_key.strip():
        raise ValueError("expected an api_key of at least one character, got an empty one")
    named = dict(models) if isinstance(models, Mapping) else {"model": models}
    if not named:
        raise ValueError("expected at least one model, got none")
    served = {str(name): ServedModel(str(name), model, n_threads) for name, model in named.items()}
    return _Server(served, api_key, limits or Limits()).app


class _Server:
    """The state of an application, and the functions behind its paths."""

    def __init__(self, models: dict[str, ServedModel], api_key: str | None, limits: Limits) -> None:
        self._models, self._limits = models, limits
        self._key = None if api_key is None else api_key.encode()
        self._batcher: Batcher[Asked, bytes] = Batcher(self._answer, limits)
        self._meters = Meters(lambda: len(self._batcher))
        self._ready = False
        self._list = orjson.dumps({"models": [model.description() for model in models.values()]})
        self.app = FastAPI(
            title="lstmforecast", version=__version__, docs_url=None, redoc_url=None, lifespan=self._lifespan
        )
        self._add_routes()
        paths = {getattr(route, "path", "") for route in self.app.routes}
        self.app.add_middleware(Watched, meters=self._meters, paths=paths)
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
        LOGGER.info("stopped")

    def _warm_up(self) -> None:
        """Some forecasts of each model, so that the first request doesn't pay for what is made once."""
        for model in self._models.values():
            coverages = (0.9,) if model.greatest_coverage >= 0.9 else ()
            asked = Asked(model, [model.example()], min(model.horizon, self._limits.horizon), coverages)
            answer([asked])
            model.seconds = min(timeit.repeat(partial(answer, [asked]), number=1, repeat=5))

    def _answer(self, asked: list[Asked]) -> list[bytes | Exception]:
        self._meters.batches.observe(sum(each.n_windows for each in asked))
        return answer(asked)

    def _add_routes(self) -> None:
        status: Any = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
        not_ready = schema.error("Not now.", ["Retry-After"])
        found = schema.success("A forecast for each window.", schema.answer_of_predict())
        refusals: dict[int | str, dict[str, Any]] = {
            413: schema.error(f"More than {self._limits.body_bytes} bytes."),
            422: schema.error("Something is wrong with the request."),
            503: schema.error("Too many requests wait.", ["Retry-After"]),
        }
        body = {"requestBody": schema.request_body(list(self._models.values()), self._limits)}
        self._add("POST", "/predict", self.predict, {200: found, **refusals}, locked=True, extra=body)
        # without what FastAPI does between a route and a function that takes the request as it is: a tenth of the time
        self.app.routes[-1].app = self._predict  # type: ignore[attr-defined]
        listed = schema.success("All models.", schema.answer_of_models())
        self._add("GET", "/models", self.models, {200: listed}, locked=True)
        counted = schema.success("For Prometheus.", {"type": "string"}, "text/plain")
        self._add("GET", "/metrics", self.metrics, {200: counted}, locked=True)
        self._add("GET", "/health", self.health, {200: schema.success("It runs.", status)})
        self._add("GET", "/ready", self.ready, {200: schema.success("It takes requests.", status), 503: not_ready})
        folder = resources.files("lstmforecast.serve") / "page"
        for path, (name, kind) in _PAGE.items():
            page = _constant((folder / name).read_bytes(), kind)
            self.app.get(path, include_in_schema=False, response_class=Response)(page)

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
            asked = read_body(body, self._models, self._limits)
        else:
            asked = await asyncio.to_thread(read_body, body, self._models, self._limits)
        found = await self._batcher.submit(asked)
        self._meters.windows.labels(asked.model.name).inc(asked.n_windows)
        return Response(found, media_type="application/json")

    async def _predict(self, scope: Message, receive: Receive, send: Send) -> None:
        response = await self.predict(Request(scope, receive))
        await response(scope, receive, send)

    async def models(self, request: Request) -> Response:
        """What each model needs, and what it forecasts."""
        self._check_key(request)
        return Response(self._list, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Counters and times in Prometheus' format."""
        self._check_key(request)
        return Response(self._meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

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
        """All of the body, of which no more is kept than is allowed."""
        most = self._limits.body_bytes
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:20]) > most:
            raise _too_large(most)
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise _too_large(most)
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


def _constant(content: bytes, kind: str) -> Any:
    async def page() -> Response:
        return Response(content, media_type=kind, headers=_PAGE_HEADERS)

    return page


def _too_large(most: int) -> Refused:
    # what is left of the body would be read as the next request
    return Refused(413, f"expected a body of at most {most} bytes, got more", {"Connection": "close"})


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    content = orjson.dumps({"detail": error.sentence.encode("utf-8", "replace").decode()})
    return Response(content, error.status, error.headers, "application/json")
