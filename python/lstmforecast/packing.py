"""How labels and indexes are written to model files: as integers and as plain values that JSON can hold."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.index import stamps_of

# Such as 'Europe/Berlin', 'UTC+01:00' or 'dateutil/America/Argentina/Buenos_Aires': no part begins with a dot or slash.
_ZONE = re.compile(r"tzlocal\(\)|\w[\w+:-]*(/\w[\w+:-]*)*")


def pack_index(index: pd.Index | None) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Write an index as integers and plain values, for `unpack_index`."""
    if index is None:
        return np.zeros(0, np.int64), {"kind": "none"}
    values: dict[str, Any] = {"kind": "integer", "name": index.name, "dtype": str(index.dtype)}
    if isinstance(index, pd.DatetimeIndex):
        values.update(kind="datetime", unit=index.unit, tz=_zone_name(index))
    elif isinstance(index, pd.PeriodIndex):
        values.update(kind="period", freq=index.freqstr)
    elif isinstance(index, pd.RangeIndex):
        values.update(kind="range", step=index.step)
    return stamps_of(index).copy(), values


def _zone_name(index: pd.DatetimeIndex) -> str | None:
    """What the time zone is found by again; a ValueError if it has no name that does."""
    if index.tz is None:
        return None
    name = str(index.tz)
    try:
        same = index[:1].tz_convert(name).tz_localize(None).equals(index[:1].tz_localize(None))
    except (KeyError, ValueError):
        same = False
    if not same:
        raise ValueError(f"expected a time zone with a name such as 'Europe/Berlin', got {name}, which cannot be saved")
    return name


def _check_zone(name: Any) -> None:
    """Raise a ValueError for what names no time zone but, for pandas, a file somewhere."""
    if name is not None and not (isinstance(name, str) and _ZONE.fullmatch(name)):
        raise ValueError("a time zone without a name")


def unpack_index(stamps: NDArray[np.int64], values: dict[str, Any]) -> pd.Index | None:
    """Read what `pack_index` wrote."""
    kind = values["kind"]
    if kind == "none":
        return None
    name = values["name"]
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


def pack_label(label: Hashable) -> Any:
    """Write the name of a column or series as a plain value, for `unpack_label`."""
    if isinstance(label, tuple):
        return {"tuple": [pack_label(part) for part in label]}
    if label is None or isinstance(label, str | int | float):
        return label
    if isinstance(label, np.integer | np.floating):
        return label.item()
    raise ValueError(f"expected strings or numbers to name columns and series, got {label!r}, which cannot be saved")


def unpack_label(saved: Any) -> Hashable:
    """Read what `pack_label` wrote."""
    return tuple(unpack_label(part) for part in saved["tuple"]) if isinstance(saved, dict) else saved


def pack_keys(keys: pd.Index) -> dict[str, Any]:
    """Write the names of series as plain values, for `unpack_keys`; a ``ValueError`` if one is no plain value."""
    saved: dict[str, Any] = {"labels": [pack_label(key) for key in keys], "dtype": str(keys.dtype)}
    if isinstance(keys, pd.CategoricalIndex):
        saved |= {"categories": [pack_label(key) for key in keys.categories], "ordered": keys.ordered}
    return saved


def unpack_keys(saved: dict[str, Any]) -> pd.Index:
    """Read what `pack_keys` wrote."""
    labels = [unpack_label(label) for label in saved["labels"]]
    if "categories" in saved:
        return pd.CategoricalIndex(labels, [unpack_label(key) for key in saved["categories"]], saved["ordered"])
    keys: pd.Index = pd.Index(labels, dtype=saved["dtype"], tupleize_cols=False)
    return keys
