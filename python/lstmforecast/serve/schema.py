"""The OpenAPI of a server, made for its models: it describes the windows that they read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lstmforecast.serve.covariates import ROLES
from lstmforecast.serve.limits import LARGEST_VALUE, Limits
from lstmforecast.serve.reading import LONGEST_KEY, MOST_COVERAGES, NAME_PATTERN, Target
from lstmforecast.serve.served_model import ServedModel
from lstmforecast.serve.splitting import ServedSplit
from lstmforecast.uncertainty.calibration import NEAREST

Schema = dict[str, Any]
ERROR: Schema = {
    "type": "object",
    "properties": {"detail": {"type": "string", "description": "What was expected, and what the request had."}},
    "required": ["detail"],
}
_TIME: dict[str, Schema] = {
    "datetime": {"type": "string", "description": "ISO 8601, such as 2026-01-31T12:00:00."},
    "period": {"type": "string", "description": "A period, such as 2026-01 or 2026Q1."},
    "integer": {"type": "integer", "minimum": -(2**53), "maximum": 2**53},
}
KEY: Schema = {
    "type": "string",
    "maxLength": LONGEST_KEY,
    "pattern": NAME_PATTERN,
    "description": "Names the series, such as a shop: in a split each key has its model, and the log keeps it.",
}
_TIMES_OUT: Schema = {
    "type": ["array", "null"],
    "items": {"type": ["string", "integer"]},
    "description": "Times of the steps ahead; null for a window without times.",
}


def error(words: str, headers: Sequence[str] = ()) -> Schema:
    """The description of an error."""
    answer: Schema = {"description": words, "content": {"application/json": {"schema": ERROR}}}
    if headers:
        answer["headers"] = {name: {"schema": {"type": "string"}, "required": True} for name in headers}
    return answer


def success(words: str, schema: Schema, kind: str = "application/json") -> Schema:
    """The description of a successful answer."""
    return {"description": words, "content": {kind: {"schema": schema}}}


def request_body(models: Sequence[ServedModel], limits: Limits, split: ServedSplit | None = None) -> Schema:
    """The body of a request to /predict, with a working example for each model and for the split."""
    alone = len(models) == 1 and split is None
    each = [_request(model, limits, alone=alone) for model in models]
    examples = {model.name: {"value": example(model, limits)} for model in models}
    if split is not None:
        each.append(_request(split, limits, alone=True))
        del each[-1]["properties"]["model"]
        given = example(max(split.models.values(), key=lambda model: model.least_rows), limits)
        examples["split"] = {"value": {"key": "shop 7", **{k: v for k, v in given.items() if k == "windows"}}}
    schema = each[0] if len(each) == 1 else {"oneOf": each}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}


def example(model: ServedModel, limits: Limits) -> Schema:
    """A request for the steps after the data that the model was fitted to."""
    window = model.example(min(model.horizon, limits.horizon))
    rows: list[Any] = [[None if value != value else value for value in row] for row in window.values.tolist()]
    given: Schema = {"values": [row[0] for row in rows] if model.is_flat else rows}
    if window.times is not None:
        given["times"] = window.times
    if window.series is not None:
        given["series"] = window.series
    if window.covariates is not None:
        given |= model.covariates.written(window.covariates)
    request: Schema = {"model": model.name, "windows": [given]}
    if model.greatest_coverage >= 0.9 and model.horizon <= limits.horizon:
        request["coverage"] = 0.9
    return request


def _request(model: Target, limits: Limits, *, alone: bool) -> Schema:
    most = min(limits.horizon, model.covariates.at_once) if model.covariates.past else limits.horizon
    properties: Schema = {
        "model": {"const": model.name},
        "key": KEY,
        "windows": {"type": "array", "minItems": 1, "maxItems": limits.windows, "items": schema_of_window(model)},
        "horizon": {
            "type": "integer",
            "minimum": 1,
            "maximum": most,
            "description": f"Steps ahead, by default {min(model.horizon, limits.horizon)}; beyond {model.horizon}, "
            "forecasts are appended to the window.",
        },
    }
    schema: Schema = {
        "title": f"Request to {model.name}",
        "type": "object",
        "properties": properties,
        "required": ["windows"] if alone else ["model", "windows"],
        "additionalProperties": False,
    }
    if model.greatest_coverage > 0:
        properties["coverage"] = _coverage(model.greatest_coverage if model.is_exact else None)
        most = min(model.horizon, limits.horizon)
        schema["dependentSchemas"] = {"coverage": {"properties": {"horizon": {"maximum": most}}}}
    return schema


def _coverage(greatest: float | None) -> Schema:
    # slightly less, so that rounding never makes it too large
    most = 1 - NEAREST if greatest is None else round(greatest - 5e-7, 6)
    one: Schema = {"type": "number", "minimum": NEAREST, "maximum": most}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_COVERAGES, "uniqueItems": True}
    return {"anyOf": [one, many], "description": "Probabilities with which the intervals contain the truth."}


def schema_of_window(model: Target) -> Schema:
    """The schema of a window."""
    kinds = ["number"] if model.forecaster.missing == "error" else ["number", "null"]
    number: Schema = {"type": kinds, "minimum": -LARGEST_VALUE, "maximum": LARGEST_VALUE}
    if model.forecaster.transform_ == "log":
        number |= {"minimum": -0.999999}
    row: Schema = {"type": "array", "minItems": model.n_variables, "maxItems": model.n_variables, "items": number}
    items = number if model.is_flat else row
    values: Schema = {"type": "array", "minItems": model.least_rows, "items": items}
    values["description"] = f"Rows in time order, the newest last; the last {model.forecaster.window_size_} are used."
    properties: Schema = {"values": values}
    if model.time_kind != "none":
        words = "One time for each row, at the constant step of the model."
        properties["times"] = {"type": "array", "items": _TIME[model.time_kind], "description": words}
    if model.is_panel:
        properties["series"] = {**KEY, "description": "A series of the fit, or a new one."}
    properties |= {role: _schema_of_covariates(model, role) for role in model.covariates.roles}
    required = ["values", *["times"] * model.needs_times]
    required += [role for role in model.covariates.roles if role != "static"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema_of_covariates(model: Target, role: str) -> Schema:
    columns = {column.name: column.schema() for column in getattr(model.covariates, role)}
    if role != "static":
        least = model.least_rows + (model.covariates.at_once if role == "known" else 0)
        columns = {name: {"type": "array", "minItems": least, "items": each} for name, each in columns.items()}
    return {
        "type": "object",
        "properties": columns,
        "required": list(columns),
        "additionalProperties": False,
        "description": {
            "known": "For each column an array of its values for the rows of the window and then for the steps ahead, "
            f"whose number is horizon, rounded up to a multiple of {model.covariates.at_once}.",
            "past": "For each column an array of its values for the rows of the window.",
            "static": "The values of the series; may be left out for a series of the fit.",
        }[role],
    }


def answer_of_predict() -> Schema:
    """The answer of /predict."""
    rows: Schema = {"type": "array", "items": {"type": ["number", "array"], "items": {"type": "number"}}}
    interval: Schema = {
        "type": "object",
        "properties": {"coverage": {"type": "number"}, "lower": rows, "upper": rows},
        "required": ["coverage", "lower", "upper"],
    }
    forecast: Schema = {
        "type": "object",
        "properties": {"times": _TIMES_OUT, "values": rows, "intervals": {"type": "array", "items": interval}},
        "required": ["times", "values", "intervals"],
    }
    return {
        "type": "object",
        "properties": {"model": {"type": "string"}, "forecasts": {"type": "array", "items": forecast}},
        "required": ["model", "forecasts"],
    }


def answer_of_models() -> Schema:
    """The answer of /models."""
    words, number = {"type": "string"}, {"type": "number"}
    count, truth = {"type": "integer"}, {"type": "boolean"}
    name: Schema = {"type": ["string", "null"]}
    categories: Schema = {"type": ["array", "null"], "items": words}
    column: Schema = {
        "type": "object",
        "properties": {"name": words, "kind": {"enum": ["number", "category"]}, "categories": categories},
        "required": ["name", "kind", "categories"],
    }
    properties: Schema = {
        "name": words,
        "window_size": count,
        "least_rows": count,
        "horizon": count,
        "variables": {"type": "array", "items": words},
        "times": {"enum": ["datetime", "period", "integer", "none"]},
        "time_name": {**name, "description": "The column of times of the table of fit."},
        "series_name": {**name, "description": "The column of series of the table of fit."},
        "needs_times": truth,
        "freq": {"type": ["string", "null"]},
        "missing": words,
        "greatest_coverage": number,
        "is_panel": truth,
        "covariates": {
            "type": "object",
            "properties": {role: {"type": "array", "items": column} for role in ROLES},
            "required": list(ROLES),
        },
        "known_steps": {
            "type": ["integer", "null"],
            "description": "Arrays of known have values for the steps ahead too, whose number is horizon, rounded up "
            "to a multiple of this; null without known covariates.",
        },
        "architecture": words,
    }
    model = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "object",
        "properties": {"models": {"type": "array", "items": model}},
        "required": ["models"],
    }
