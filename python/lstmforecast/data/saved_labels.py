"""Writes labels, indexes and frequencies to model files, as integers and values for JSON, and reads them.

Labels that can't be written without a loss raise a ValueError; `fit` checks them before it trains, so that every fitted
estimator can be saved.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
import zoneinfo
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries import offsets

from lstmforecast.contract.plain import plain
from lstmforecast.data.index import Frequency, alias, parse_frequency, stamps_of

# Such as 'Europe/Berlin', 'UTC+01:00' or 'dateutil/America/Argentina/Buenos_Aires': no part begins with a dot or slash.
# Parts are shorter than the longest name of a file, which the system would refuse in words of its own.
_ZONE = re.compile(r"tzlocal\(\)|\w[\w+:-]{0,60}(/\w[\w+:-]{0,60}){0,3}")


def pack_index(index: pd.Index | None) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Write an index as integers and plain values."""
    if index is None:
        return np.zeros(0, np.int64), {"kind": "none"}
    values: dict[str, Any] = {"kind": "integer", "name": pack_label(index.name), "dtype": str(index.dtype)}
    if isinstance(index, pd.DatetimeIndex):
        values.update(kind="datetime", unit=index.unit, tz=_zone_name(index.tz))
    elif isinstance(index, pd.PeriodIndex):
        values.update(kind="period", freq=index.freqstr)
    elif isinstance(index, pd.RangeIndex):
        values.update(kind="range", step=index.step)
    return stamps_of(index).copy(), values


def _zone_name(zone: dt.tzinfo | None) -> str | None:
    """The name by which pandas finds a time zone on every machine; a ValueError if there is none."""
    if zone is None:
        return None
    names = [getattr(zone, name, None) for name in ("key", "zone")]  # of zoneinfo and pytz
    name = next((name for name in names if isinstance(name, str)), None) or _offset_name(zone) or _file_name(zone)
    if name is None:
        raise ValueError(
            f"expected a time zone with a name, got {zone}, which cannot be saved: convert the times, as in "
            "y.tz_convert('Europe/Berlin')"
        )
    return name


def _check_zone(name: Any) -> None:
    """Raise a ValueError for a name that is no time zone; pandas would read a file of that path."""
    if name is not None and not (isinstance(name, str) and _ZONE.fullmatch(name)):
        raise ValueError("a time zone without a name")


def _offset_name(zone: dt.tzinfo) -> str | None:
    """The name of a constant offset, such as "UTC+01:00"; None for the zone of this machine."""
    if type(zone).__name__ == "tzlocal":
        return None
    offset = zone.utcoffset(None)
    if offset is None or offset % dt.timedelta(minutes=1):
        return None
    sign, minutes = "-" if offset < dt.timedelta(0) else "+", abs(offset) // dt.timedelta(minutes=1)
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}" if minutes else "UTC"


def _file_name(zone: dt.tzinfo) -> str | None:
    """The name of a zone of dateutil, which reads files of the system; it is saved as one of zoneinfo."""
    name = str(getattr(zone, "_filename", None)).partition("/zoneinfo/")[2]
    return name if name in zoneinfo.available_timezones() else None


def unpack_index(stamps: NDArray[np.int64], values: dict[str, Any]) -> pd.Index | None:
    """Read what `pack_index` wrote."""
    kind = values["kind"]
    if kind == "none":
        return None
    name = unpack_label(values["name"])
    if kind == "datetime":
        _check_zone(values["tz"])
        utc = pd.DatetimeIndex(stamps.view(f"datetime64[{values['unit']}]"), name=name)
        local: pd.Index = utc if values["tz"] is None else utc.tz_localize("UTC").tz_convert(values["tz"])
        return local
    if kind == "period":
        return pd.PeriodIndex(pd.arrays.PeriodArray(stamps, pd.PeriodDtype(values["freq"])), name=name)
    if kind == "range":
        return pd.RangeIndex(stamps[0], stamps[-1] + values["step"], values["step"], name=name)
    integers: pd.Index = pd.Index(stamps, dtype=values["dtype"], name=name)
    return integers


# Types of labels besides strings, numbers, booleans and None, with functions that write and read them.
_LABELS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Hashable]]] = {
    "tuple": (tuple, lambda label: [pack_label(part) for part in label], lambda saved: tuple(map(unpack_label, saved))),
    "timestamp": (
        pd.Timestamp,
        lambda label: [label.tz_localize(None).isoformat(), label.unit, _zone_name(label.tz), label.fold],
        lambda saved: _timestamp(*saved),
    ),
    "datetime": (
        dt.datetime,
        lambda label: [label.replace(tzinfo=None).isoformat(), "us", _zone_name(label.tzinfo), label.fold],
        lambda saved: _timestamp(*saved).to_pydatetime(),
    ),
    "date": (dt.date, dt.date.isoformat, dt.date.fromisoformat),
    "time": (dt.time, dt.time.isoformat, dt.time.fromisoformat),
    "timedelta": (
        pd.Timedelta,
        lambda label: [label.isoformat(), label.unit],
        lambda saved: pd.Timedelta(saved[0]).as_unit(saved[1]),
    ),
    "duration": (
        dt.timedelta,
        lambda label: [label.days, label.seconds, label.microseconds],
        lambda saved: dt.timedelta(*saved),
    ),
    "datetime64": (
        np.datetime64,
        lambda label: [str(label), np.datetime_data(label)[0]],
        lambda saved: np.datetime64(*saved),
    ),
    "period": (pd.Period, lambda label: [str(label), label.freqstr], lambda saved: pd.Period(*saved)),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
    "decimal": (Decimal, str, Decimal),
    "uuid": (uuid.UUID, str, uuid.UUID),
    "float": (float, str, float),
}

_OFFSETS: dict[str, Any] = {
    name: kind
    for name, kind in vars(offsets).items()
    if isinstance(kind, type) and issubclass(kind, offsets.BaseOffset)
}


def _timestamp(text: str, unit: Any, zone: str | None, fold: int) -> pd.Timestamp:
    _check_zone(zone)
    label = pd.Timestamp(text).as_unit(unit)
    # of an hour that is repeated, the first is in daylight saving time
    return label if zone is None else label.tz_localize(zone, ambiguous=not fold)


def pack_label(label: Hashable) -> Any:
    """Write the name of a column or series as a plain value."""
    label = plain(label)
    if label is None or isinstance(label, str | int) or (isinstance(label, float) and math.isfinite(label)):
        return label
    for name, (kind, write, _) in _LABELS.items():
        # a time of day with a zone has no constant offset
        if isinstance(label, kind) and label is not pd.NaT and not (isinstance(label, dt.time) and label.tzinfo):
            return {name: write(label)}
    raise ValueError(
        f"expected strings, numbers, dates or tuples of them to name columns and series, got {label!r} "
        f"({type(label).__name__}), which cannot be saved: name it by a string, such as str(name)"
    )


def unpack_label(saved: Any) -> Hashable:
    """Read what `pack_label` wrote."""
    if not isinstance(saved, dict):
        label: Hashable = saved
        return label
    ((name, value),) = saved.items()
    return _LABELS[name][2](value)


def pack_frequency(freq: Any) -> str | int | dict[str, Any] | None:
    """Write a frequency as its alias; an offset without alias, such as one with holidays, by its parts."""
    freq = plain(freq)
    if freq is None or isinstance(freq, str | int):
        return freq
    found = alias(parse_frequency(freq))
    if isinstance(found, str | int | None):
        return found
    parts = {name: [_part(each) for each in value] if isinstance(value, tuple | list) else _part(value)
             for name, value in found.kwds.items() if name != "calendar"}  # fmt: skip
    saved = {
        "offset": type(found).__name__,
        "n": found.n,
        "normalize": bool(getattr(found, "normalize", False)),
        "parts": parts,
    }
    if type(found).__name__ not in _OFFSETS or unpack_frequency(saved) != found:
        raise ValueError(f"expected a frequency that can be saved, got {found!r}")
    return saved


def _part(value: Any) -> Any:
    try:
        return pack_label(value)
    except ValueError:
        return None


def unpack_frequency(saved: Any) -> Frequency:
    """Read what `pack_frequency` wrote."""
    if not isinstance(saved, dict):
        freq: Frequency = saved
        return freq
    parts = {name: [unpack_label(each) for each in value] if isinstance(value, list) else unpack_label(value)
             for name, value in saved["parts"].items()}  # fmt: skip
    offset: Frequency = _OFFSETS[saved["offset"]](saved["n"], saved["normalize"], **parts)
    return offset


def pack_keys(keys: pd.Index) -> dict[str, Any]:
    """Write the names of series as plain values; raise a ``ValueError`` for one that can't be saved."""
    dtype = _dtype_name(keys)
    if isinstance(keys, pd.DatetimeIndex) and keys.tz is not None:
        dtype = f"datetime64[{keys.unit}, {_zone_name(keys.tz)}]"
    saved: dict[str, Any] = {"labels": [pack_label(key) for key in keys], "dtype": dtype}
    if isinstance(keys, pd.CategoricalIndex):
        saved |= {"categories": [pack_label(key) for key in keys.categories], "ordered": keys.ordered}
    return saved


def _dtype_name(keys: pd.Index) -> str:
    """The name by which pandas finds a dtype; "object" for types of Arrow whose names pandas can't read."""
    try:
        pd.api.types.pandas_dtype(str(keys.dtype))
    except (TypeError, NotImplementedError):
        return "object"
    return str(keys.dtype)


def unpack_keys(saved: dict[str, Any]) -> pd.Index:
    """Read what `pack_keys` wrote."""
    labels = [unpack_label(label) for label in saved["labels"]]
    if "categories" in saved:
        return pd.CategoricalIndex(labels, [unpack_label(key) for key in saved["categories"]], saved["ordered"])
    keys: pd.Index = pd.Index(labels, dtype=saved["dtype"], tupleize_cols=False)
    return keys
