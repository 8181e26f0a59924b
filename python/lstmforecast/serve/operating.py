"""Requests about models in use: posting actual values, comparing two models, and the state of drift monitors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import orjson

from lstmforecast.ab import ForecastLog
from lstmforecast.evaluation.losses import LOSSES
from lstmforecast.serve.answering import sentence_of
from lstmforecast.serve.json_values import check_object, kind_of
from lstmforecast.serve.limits import Limits, Refused
from lstmforecast.serve.reading import check_times, choose, read_key, read_object, read_series, read_values
from lstmforecast.serve.recording import Actual, ForecastRecorder
from lstmforecast.serve.served_model import ServedModel, Window
from lstmforecast.serve.splitting import ServedSplit

ACTUALS_FIELDS = ("key", "series", "times", "values")
ALTERNATIVES = ("two-sided", "less", "greater")
_QUERY = ("a", "b", "loss", "alternative", "level")
# Fields of a comparison that are tables.
_TABLES = ("sequence", "differences")

Actuals = list[tuple[str | None, Window]]


def read_actuals(
    body: bytes, models: Mapping[str, ServedModel], limits: Limits, split: ServedSplit | None
) -> tuple[ServedModel, Actuals]:
    """Read actual values, and the model whose times and variables they have; `Refused` with 422 and one sentence."""
    given = read_object(body, ("model", "actuals"), "actuals")
    chosen = choose(given, models, split)
    model = chosen.model_of("") if isinstance(chosen, ServedSplit) else chosen
    if model.time_kind == "none":
        raise Refused(422, f"expected actuals of a model that was fitted to rows with times, got {model.name!r}")
    parts = given["actuals"]
    if type(parts) is not list or not 1 <= len(parts) <= limits.windows:
        got = f"{len(parts)}" if type(parts) is list else kind_of(parts)
        raise Refused(422, f"expected actuals to be an array of 1 to {limits.windows} objects, got {got}")
    return model, [_read_part(part, f"actuals[{i}]", model) for i, part in enumerate(parts)]


def _read_part(given: Any, where: str, model: ServedModel) -> tuple[str | None, Window]:
    for field in ("values", "times"):
        check_object(given, where, ACTUALS_FIELDS, field)
    values = read_values(given["values"], f"{where}.values", model.n_variables)
    check_times(given["times"], f"{where}.times", len(values), model)
    return read_key(given, f"{where}.key"), Window(values, given["times"], read_series(given, where, model))


def labelled(model: ServedModel, actuals: Actuals) -> list[Actual]:
    """Actual values with the labels of the log; `Refused` with 422 if a time can't be read."""
    found: list[Actual] = []
    for i, (key, window) in enumerate(actuals):
        assert window.times is not None
        try:
            times = model.labels(window.times) if window.times else []
        except (ValueError, TypeError, OverflowError) as error:
            raise Refused(422, f"actuals[{i}]: {sentence_of(error)}") from error
        found.append((model.series_labels(key, window.series), times, window.values))
    return found


def add_actuals(recorder: ForecastRecorder, actuals: list[Actual]) -> bytes:
    """Store actual values in the log."""
    return orjson.dumps({"stored": recorder.add_actuals([each for each in actuals if each[1]])})


def compare(log: ForecastLog, query: Mapping[str, str], names: list[str], n_lost: int) -> bytes:
    """Compare two models by their forecasts with known actual values; `Refused` with 422 if there are too few."""
    unknown = [name for name in query if name not in _QUERY]
    if unknown:
        raise Refused(422, f"expected parameters of {', '.join(_QUERY)}, got {unknown[0][:80]!r}")
    pair = tuple(_one_of(query, name, names, default) for name, default in zip("ab", names, strict=False))
    if len(pair) < 2 or pair[0] == pair[1]:
        raise Refused(422, f"expected a and b to be two models of {names}, got {list(pair)}")
    options: dict[str, Any] = {
        "loss": _one_of(query, "loss", list(LOSSES), "squared"),
        "alternative": _one_of(query, "alternative", list(ALTERNATIVES), "two-sided"),
        "level": _level(query.get("level", "0.95")),
    }
    try:
        found = log.compare(*pair, random_state=0, **options)
    except ValueError as error:
        raise Refused(422, str(error)) from error
    except OSError as error:
        raise Refused(503, "expected a log that can be read, got a database error", {"Retry-After": "5"}) from error
    each = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    plain = {name: value for name, value in each.items() if name not in _TABLES}
    return orjson.dumps(plain | {"unlogged": n_lost})


def _one_of(query: Mapping[str, str], name: str, known: list[str], default: str) -> str:
    value = query.get(name, default)
    if value not in known:
        raise Refused(422, f"expected {name} to be one of {', '.join(map(repr, known))}, got {value[:80]!r}")
    return value


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not 0 < level < 1:
        raise Refused(422, f"expected level between 0 and 1, got {text[:80]!r}")
    return level


def drift(recorder: ForecastRecorder) -> bytes:
    """The state and the tests of each monitor."""
    return orjson.dumps({"models": [_state(name, monitor) for name, monitor in recorder.monitors.items()]})


def _state(name: str, monitor: Any) -> dict[str, Any]:
    tests = monitor.report().reset_index().to_dict("records")
    state = {"model": name, "state": monitor.state_, "reason": monitor.reason_, "rows": monitor.n_seen_}
    return state | {"tests": tests}
