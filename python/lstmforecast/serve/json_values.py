"""Checks of values of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lstmforecast.serve.limits import Refused

_WORDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def check_object(given: Any, where: str, fields: Sequence[str], required: str | None = None) -> None:
    """Refuse all but objects with fields among these, the required one included."""
    if type(given) is not dict:
        raise Refused(422, f"expected {where} to be an object, got {kind_of(given)}")
    unknown = [name for name in given if name not in fields]
    if unknown:
        raise Refused(422, f"expected {where} with no fields but {', '.join(fields)}, got {unknown[0][:80]!r}")
    if required is not None and required not in given:
        raise Refused(422, f"expected {where} with the field {required}, got none")


def kind_of(value: Any) -> str:
    """JSON's name for the type of a value."""
    return _WORDS.get(type(value), "a number")
