"""Reading the body of a request. It is checked by hand: pydantic would take longer than the forecast."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from lstmforecast.serve.json_values import check_object, kind_of
from lstmforecast.serve.limits import LARGEST_VALUE, Limits, Refused
from lstmforecast.serve.served_model import ServedModel, Window
from lstmforecast.serve.splitting import ServedSplit

FIELDS = ("model", "key", "windows", "horizon", "coverage")
# Most coverages in one request.
MOST_COVERAGES = 9
LONGEST_KEY = 100
# The characters of a key or of the name of a series, for OpenAPI.
NAME_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# The models that can answer a request.
Target = ServedModel | ServedSplit
_NUMBERS = {int, float, type(None)}


@dataclass(frozen=True)
class PredictRequest:
    """A request for forecasts, after its checks.

    Attributes
    ----------
    model : ServedModel
    windows : list of Window
    steps : int
    coverages : tuple of float
    key : str or None
        Names the series, such as a shop.
    """

    model: ServedModel
    windows: list[Window]
    steps: int
    coverages: tuple[float, ...]
    key: str | None = None

    @property
    def n_windows(self) -> int:
        """How many windows."""
        return len(self.windows)

    @property
    def seconds(self) -> float:
        """Expected duration of the forecast."""
        return len(self.windows) * self.model.seconds * max(1.0, self.steps / self.model.horizon)


def read_body(
    body: bytes, models: Mapping[str, ServedModel], limits: Limits, split: ServedSplit | None = None
) -> PredictRequest:
    """Read a request for forecasts; `Refused` with 422 and one sentence if something is wrong."""
    given = read_object(body, FIELDS, "windows")
    key = read_key(given, "key")
    target = choose(given, models, split)
    windows = given["windows"]
    if type(windows) is not list or not 1 <= len(windows) <= limits.windows:
        got = f"{len(windows)}" if type(windows) is list else kind_of(windows)
        raise Refused(422, f"expected windows to be an array of 1 to {limits.windows} objects, got {got}")
    steps = _steps(given, target, limits)
    coverages = _coverages(given["coverage"], target, steps) if "coverage" in given else ()
    _check_size(len(windows), steps, len(coverages), target.n_variables, limits.numbers)
    read = [_window(each, f"windows[{i}]", target, steps) for i, each in enumerate(windows)]
    return PredictRequest(
        target.model_of(key) if isinstance(target, ServedSplit) else target, read, steps, coverages, key
    )


def read_object(body: bytes, fields: tuple[str, ...], required: str) -> dict[str, Any]:
    """Read a JSON object with a required field."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(
            422, f"expected a body of valid JSON (null for a missing value), got an error: {error}"
        ) from error
    check_object(given, "the body", fields, required)
    found: dict[str, Any] = given
    return found


def read_key(given: dict[str, Any], where: str) -> str | None:
    """Read the key of a request; None if it has none."""
    return _name(given["key"], where) if "key" in given else None


def _name(name: Any, where: str) -> str:
    """A short string without control characters, which databases and terminals could interpret."""
    if type(name) is not str or len(name) > LONGEST_KEY:
        got = f"{len(name)}" if type(name) is str else kind_of(name)
        raise Refused(422, f"expected {where} to be a string of at most {LONGEST_KEY} characters, got {got}")
    if _CONTROL.search(name):
        raise Refused(422, f"expected {where} without control characters, got {name!r}")
    return name


def choose(
    given: dict[str, Any], models: Mapping[str, ServedModel], split: ServedSplit | None
) -> ServedModel | ServedSplit:
    """The model that the request names, else the split, else the only model."""
    if "model" not in given and split is not None:
        return split
    if "model" not in given and len(models) == 1:
        return next(iter(models.values()))
    name = given.get("model")
    if not isinstance(name, str) or name not in models:
        got = repr(name[:80]) if isinstance(name, str) else kind_of(name) if "model" in given else "none"
        raise Refused(422, f"expected model to be one of {', '.join(map(repr, models))}, got {got}")
    return models[name]


def _steps(given: dict[str, Any], model: Target, limits: Limits) -> int:
    if "horizon" not in given:
        return min(model.horizon, limits.horizon)
    steps = given["horizon"]
    if type(steps) is float and steps.is_integer():
        steps = int(steps)
    if type(steps) is not int or not 1 <= steps <= limits.horizon:
        got = f"{given['horizon']:.17g}" if type(steps) in (int, float) else kind_of(steps)
        raise Refused(422, f"expected horizon to be a whole number from 1 to {limits.horizon}, got {got}")
    return steps


def _coverages(given: Any, model: Target, steps: int) -> tuple[float, ...]:
    each = given if type(given) is list else [given]
    if not 1 <= len(each) <= MOST_COVERAGES or not set(map(type, each)) <= {int, float}:
        got = kind_of(given) if type(given) is not list else f"{len(given)} in an array"
        raise Refused(422, f"expected coverage to be a number or 1 to {MOST_COVERAGES} of them, got {got}")
    try:
        return model.checked_coverages(tuple(each), steps)
    except (TypeError, ValueError) as error:
        raise Refused(422, str(error)) from error


def _check_size(n_windows: int, steps: int, n_coverages: int, n_variables: int, most: int) -> None:
    size = n_windows * steps * n_variables * (1 + 2 * n_coverages)
    if size > most:
        words = f"an answer of at most {most} numbers (windows, times steps, variables and bounds)"
        raise Refused(422, f"expected a request for {words}, got {size}")


def _window(given: Any, where: str, model: Target, steps: int) -> Window:
    check_object(given, where, model.window_fields, "values")
    values = read_values(given["values"], f"{where}.values", model.n_variables)
    if len(values) < model.least_rows:
        raise Refused(422, f"expected {where}.values with at least {model.least_rows} rows, got {len(values)}")
    times = given.get("times")
    if "times" in given:
        check_times(times, f"{where}.times", len(values), model)
    elif model.needs_times:
        raise Refused(422, f"expected {where} with times, which the model {model.name!r} reads, got none")
    series = read_series(given, where, model)
    return Window(values, times, series, model.covariates.read(given, where, len(values), steps, series))


def read_series(given: dict[str, Any], where: str, model: Target) -> str | None:
    """The name of a series of a panel, if one is given."""
    if "series" not in given:
        return None
    series = given["series"]
    if not model.is_panel:
        words = f"absent, as the model {model.name!r} has one series"
        raise Refused(422, f"expected {where}.series to be {words}, got {kind_of(series)}")
    return series if type(series) is str and model.has_series(series) else _name(series, f"{where}.series")


def read_values(given: Any, where: str, n_variables: int) -> NDArray[np.float64]:
    """Numbers of shape (n, n_variables), null as NaN; for one variable also given without inner arrays."""
    if type(given) is not list:
        raise Refused(422, f"expected {where} to be an array, got {kind_of(given)}")
    flat, kinds = given, set(map(type, given))
    if list in kinds or n_variables > 1:
        if not kinds <= {list} or not set(map(len, given)) <= {n_variables}:
            wrong = next(i for i, row in enumerate(given) if type(row) is not list or len(row) != n_variables)
            got = f"{len(given[wrong])} values" if type(given[wrong]) is list else kind_of(given[wrong])
            raise Refused(422, f"expected {where} with {n_variables} values in every row, got {got} in row {wrong}")
        flat = list(chain.from_iterable(given))
        kinds = set(map(type, flat))
    if not kinds <= _NUMBERS:
        wrong = next(i for i, value in enumerate(flat) if type(value) not in _NUMBERS)
        row = wrong // n_variables
        raise Refused(422, f"expected numbers or null in {where}, got {kind_of(flat[wrong])} in row {row}")
    values = np.array(flat, np.float64).reshape(-1, n_variables)
    # a missing value compares as false
    if len(flat) and (np.abs(values) > LARGEST_VALUE).any():
        raise Refused(422, f"expected values between -{LARGEST_VALUE:g} and {LARGEST_VALUE:g} in {where}, got others")
    return values


def check_times(times: Any, where: str, n_rows: int, model: Target) -> None:
    """Refuse times of the wrong kind or number."""
    if model.time_kind == "none":
        raise Refused(
            422, f"expected no {where}, as the model {model.name!r} was fitted to rows without times, got some"
        )
    kind = int if model.time_kind == "integer" else str
    if type(times) is not list or not set(map(type, times)) <= {kind}:
        got = "others" if type(times) is list else kind_of(times)
        words = "whole numbers" if kind is int else "strings"
        raise Refused(422, f"expected {where} to be an array of {words}, got {got}")
    if len(times) != n_rows:
        raise Refused(422, f"expected {where} with one time for each of {n_rows} rows, got {len(times)}")
