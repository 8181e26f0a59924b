"""The OpenAPI of /actuals, /compare and /drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lstmforecast.evaluation.losses import LOSSES
from lstmforecast.serve.limits import Limits
from lstmforecast.serve.operating import ACTUALS_FIELDS, ALTERNATIVES
from lstmforecast.serve.schema import KEY, Schema, schema_of_window
from lstmforecast.serve.served_model import ServedModel
from lstmforecast.serve.splitting import ServedSplit

_NUMBER: Schema = {"type": ["number", "null"]}
_WORDS: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer"}


def actuals_body(models: Sequence[ServedModel], limits: Limits, split: ServedSplit | None) -> Schema:
    """The body of a request to /actuals, with an example."""
    timed = [model for model in models if model.time_kind != "none"]
    each = [_request(model, limits, alone=len(models) == 1) for model in timed]
    if split is not None and split.time_kind != "none":
        each.append(_request(next(iter(split.models.values())), limits, alone=True))
        del each[-1]["properties"]["model"]
    if not each:
        return {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    window = timed[0].example(1)
    rows = [[None if value != value else value for value in row] for row in window.values[-2:].tolist()]
    assert window.times is not None
    given: dict[str, Any] = {"key": "shop 7", "times": window.times[-2:]}
    given["values"] = [row[0] for row in rows] if timed[0].is_flat else rows
    if window.series is not None:
        given["series"] = window.series
    examples = {timed[0].name: {"value": {"model": timed[0].name, "actuals": [given]}}}
    schema = each[0] if len(each) == 1 else {"oneOf": each}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}


def _request(model: ServedModel, limits: Limits, *, alone: bool) -> Schema:
    part = schema_of_window(model)
    part["properties"] = {"key": KEY, **part["properties"]}
    part["properties"] = {name: each for name, each in part["properties"].items() if name in ACTUALS_FIELDS}
    part["properties"]["values"] = {
        "type": "array",
        "items": part["properties"]["values"]["items"],
        "description": "Actual values; null is skipped.",
    }
    part["required"] = ["times", "values"]
    actuals = {"type": "array", "minItems": 1, "maxItems": limits.windows, "items": part}
    return {
        "title": f"Actuals of {model.name}",
        "type": "object",
        "properties": {"model": {"const": model.name}, "actuals": actuals},
        "required": ["actuals"] if alone else ["model", "actuals"],
        "additionalProperties": False,
    }


def answer_of_actuals() -> Schema:
    """The answer of /actuals."""
    return _object({"stored": {**_COUNT, "description": "Number of values stored, new or replaced."}})


def parameters_of_compare(names: Sequence[str]) -> list[Schema]:
    """The parameters of /compare."""
    level: Schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95}
    each = {
        "a": ({"enum": list(names)}, "A model; by default the first."),
        "b": ({"enum": list(names)}, "Another model; by default the second."),
        "loss": ({"enum": list(LOSSES), "default": "squared"}, "The loss of a forecast error."),
        "alternative": (
            {"enum": list(ALTERNATIVES), "default": "two-sided"},
            "For p values; less: a has a smaller loss.",
        ),
        "level": (level, "Confidence level of the interval and the verdict."),
    }
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": words}
        for name, (schema, words) in each.items()
    ]


def answer_of_compare() -> Schema:
    """The answer of /compare: the numbers of `lstmforecast.Comparison`."""
    pair = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
    return _object(
        {
            "names": {"type": "array", "items": _WORDS, "minItems": 2, "maxItems": 2},
            "mean_losses": pair,
            "mean_difference": _NUMBER,
            "dm_statistic": {**_NUMBER, "description": "Diebold-Mariano test, corrected for small samples."},
            "p_value": {**_NUMBER, "description": "Valid for one look at a time fixed in advance."},
            "robust_p_value": _NUMBER,
            "interval": {**pair, "description": "Of the mean difference, by a block bootstrap; for one look."},
            "block_length": _COUNT,
            "verdict": {**_WORDS, "description": 'The better model, or "undecided"; valid whenever you look.'},
            "decided_at": {"type": ["integer", "null"]},
            "n": {**_COUNT, "description": "Number of origins."},
            "horizon": _COUNT,
            "loss": _WORDS,
            "alternative": _WORDS,
            "level": _NUMBER,
            "unlogged": {**_COUNT, "description": "Windows since the start that could not be logged."},
        }
    )


def answer_of_drift() -> Schema:
    """The answer of /drift."""
    states: Schema = {"enum": ["ok", "warning", "drift"]}
    test = {"feature": _WORDS, "test": _WORDS, "statistic": _NUMBER, "threshold": _NUMBER, "state": states}
    monitor = {
        "model": _WORDS,
        "state": states,
        "reason": _WORDS,
        "rows": {**_COUNT, "description": "Rows since the server started."},
        "tests": {"type": "array", "items": _object(test)},
    }
    return _object({"models": {"type": "array", "items": _object(monitor)}})


def _object(properties: dict[str, Any]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}
