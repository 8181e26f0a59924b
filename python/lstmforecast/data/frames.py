"""Converts frames of polars and pyarrow to pandas, and results back, with narwhals."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

SERIES, TIME = "unique_id", "ds"
_TEXT, _WHOLE = r"string|large_string|string_view", r"u?int(?:8|16|32|64)"
_DICTIONARY = re.compile(
    rf"dictionary<values=(?P<values>{_TEXT}|{_WHOLE}), indices=(?P<indices>{_WHOLE}), ordered=(?P<ordered>[01])>"
)
# Types for which narwhals need not be imported.
_KNOWN = (np.ndarray, pd.DataFrame, pd.Series, list, tuple, float, int, np.generic, type(None))


@dataclass(frozen=True)
class Origin:
    """The library and the types of the user's data, for the conversion of results.

    Attributes
    ----------
    library : str
        Its name in narwhals: ``"polars"``, ``"pyarrow"``.
    is_series : bool
        Whether the data were a Series, not a frame.
    time : str or None
        The column of times.
    is_date : bool
        Whether the times are dates.
    series_type, time_type : str or None
        The library's type of the names of series and of times, where it doesn't follow from the values.
    series : str
        The column of the names of series.
    """

    library: str
    is_series: bool = False
    time: str | None = None
    is_date: bool = False
    series_type: str | None = None
    time_type: str | None = None
    series: str = SERIES

    def __post_init__(self) -> None:
        # a file may hold anything
        known = (None, "Date", "Categorical", "large_string", "string_view")
        told = (
            self.series_type in known or _DICTIONARY.fullmatch(str(self.series_type)) or self._categories() is not None
        )
        if not told or self.time_type not in (None, "date64[ms]"):
            raise ValueError(f"types of columns that are known, got {self.series_type!r} and {self.time_type!r}")

    def pack(self) -> dict[str, Any]:
        """Write as plain values for model files; the usual name of series goes without saying."""
        values = asdict(self)
        if self.series == SERIES:
            del values["series"]
        return values

    def _categories(self) -> list[str] | None:
        """The categories of a polars Enum; None for other types."""
        try:
            categories = json.loads(str(self.series_type))
        except ValueError:
            return None
        return (
            categories if isinstance(categories, list) and all(isinstance(each, str) for each in categories) else None
        )

    def give_back(self, result: pd.DataFrame | pd.Series) -> Any:
        """Convert a result to a frame of the library, with series and times as first columns, or to a Series.

        Columns of several levels are joined by ``_``: ``load_0.9_lower``.
        """
        import narwhals as nw

        alone = self.is_series and isinstance(result, pd.Series)
        frame = result.to_frame() if isinstance(result, pd.Series) else result
        frame = frame.set_axis([self._flat(label) for label in frame.columns], axis=1)
        if isinstance(frame.index, pd.MultiIndex) or (self.time is not None and self.time not in frame):
            frame = frame.reset_index()
        columns = {name: self._column(name, frame[name]) for name in frame.columns}
        return nw.to_native(columns[frame.columns[0]] if alone else nw.from_dict(columns))

    def _flat(self, label: Any) -> str:
        parts = label if isinstance(label, tuple) else (label,)
        # a series without a name is called 0 where columns have several levels
        parts = parts[1:] if self.is_series and parts[0] == 0 else parts
        return "_".join("" if part is None else str(part) for part in parts)

    def _column(self, name: str, column: pd.Series) -> Any:
        import narwhals as nw

        library: Any = self.library
        wanted = self.series_type if name == self.series else self.time_type if name == self.time else None
        days = wanted == "Date" or (self.is_date and name == self.time)
        if wanted is not None and wanted != "Date":
            return nw.from_native(_typed(name, column.tolist(), library, wanted), series_only=True)
        if not pd.api.types.is_datetime64_any_dtype(column.dtype):
            values = column.to_numpy() if pd.api.types.is_numeric_dtype(column.dtype) else column.tolist()
            return nw.new_series(name, values, backend=library)
        times = pd.DatetimeIndex(column)
        if times.tz is not None:
            instants = nw.new_series(name, times.tz_convert(None).to_numpy(), backend=library)
            return instants.dt.replace_time_zone("UTC").dt.convert_time_zone(_zone_name(times.tz))
        values = times.to_numpy()
        return nw.new_series(name, values.astype("datetime64[D]") if days else values, backend=library)


def _typed(name: str, values: list[Any], library: str, wanted: str) -> Any:
    """Values as a column of polars or pyarrow, of a type that `_type_of` named."""
    if library == "polars":
        import polars as pl

        if wanted == "Categorical":
            return pl.Series(name, values, pl.Categorical)
        categories = json.loads(wanted)
        # new series become categories too
        return pl.Series(name, values, pl.Enum([*categories, *sorted(set(values) - set(categories))]))
    import pyarrow as pa

    if dictionary := _DICTIONARY.fullmatch(wanted):
        kinds = [pa.type_for_alias(dictionary[part]) for part in ("indices", "values")]
        return pa.chunked_array([pa.array(values, pa.dictionary(*kinds, ordered=dictionary["ordered"] == "1"))])
    return pa.chunked_array([pa.array(values, pa.date64() if wanted == "date64[ms]" else pa.type_for_alias(wanted))])


def _type_of(native: Any, name: str) -> str | None:
    """The library's name for the type of a column, where the values alone would give another type."""
    import narwhals as nw

    dtype = native.schema[name]
    if dtype == nw.Date:
        return "Date"
    if native.implementation.is_polars():
        if dtype == nw.Enum:
            return json.dumps(list(dtype.categories))
        return "Categorical" if dtype == nw.Categorical else None
    if native.implementation.is_pyarrow():
        kind = str(nw.to_native(native).schema.field(name).type)
        return kind if kind in ("large_string", "string_view") or _DICTIONARY.fullmatch(kind) else None
    return None


def _zone_name(zone: Any) -> str:
    """The name of a time zone in other libraries: +01:00 for the constant offset that pandas calls UTC+01:00."""
    return (str(zone).removeprefix("UTC") or "UTC") if isinstance(zone, datetime.timezone) else str(zone)


def to_pandas(data: Any, name: str = "y") -> tuple[Any, Origin | None]:
    """Convert a frame or Series of another library to pandas; other objects are returned unchanged.

    Parameters
    ----------
    data : object
        The only column of dates or times of a frame becomes the index; a panel keeps ``unique_id`` and ``ds``.
    name : str
        The name of the data in messages.

    Returns
    -------
    data : DataFrame or Series, or the object
    origin : Origin or None
        None for an object that was not converted.

    Raises
    ------
    TypeError
        For a lazy frame.
    ValueError
        If there are several columns of times.
    """
    native = _native(data, name)
    if native is None:
        return data, None
    import narwhals as nw

    if isinstance(native, nw.Series):
        return _pandas(native).rename(native.name or None), Origin(native.implementation.value, is_series=True)
    native, wide_days = _narrow_days(native)
    frame = pd.DataFrame({column: _pandas(native[column]) for column in native.columns})
    times = [column for column, dtype in native.schema.items() if isinstance(dtype, nw.Date | nw.Datetime)]
    is_panel = {SERIES, TIME} <= set(native.columns)
    if is_panel:
        times = [TIME] if TIME in times else []
    if len(times) > 1:
        raise ValueError(f"expected one column of times in {name}, got {times}; drop or cast the others")
    if not times:
        return frame, Origin(native.implementation.value)
    origin = Origin(
        native.implementation.value,
        time=times[0],
        is_date=native.schema[times[0]] == nw.Date,
        series_type=_type_of(native, SERIES) if is_panel else None,
        time_type="date64[ms]" if times[0] in wide_days else None,
    )
    return (frame if is_panel else frame.set_index(times[0])), origin


def table_to_pandas(data: Any) -> tuple[Any, Callable[[Any, Any], Origin | None]]:
    """Convert a frame of another library to pandas, with all its columns; other objects are returned unchanged.

    Also returns a function of the columns of series and of times, which gives the `Origin` of results.
    """
    native = _native(data, "the table")
    if native is None:
        return data, lambda series, time: None
    import narwhals as nw

    if isinstance(native, nw.Series):
        return _pandas(native), lambda series, time: Origin(native.implementation.value, is_series=True)
    native, wide_days = _narrow_days(native)

    def origin(series: Any, time: Any) -> Origin | None:
        return Origin(
            native.implementation.value,
            time=time,
            is_date=native.schema[time] == nw.Date,
            series_type=None if series is None else _type_of(native, series),
            time_type="date64[ms]" if time in wide_days else None,
            series=SERIES if series is None else series,
        )

    return pd.DataFrame({column: _pandas(native[column]) for column in native.columns}), origin


def with_types_of(data: Any, result: Any) -> Any:
    """A frame of polars or pyarrow whose columns have the types of those of ``data``; what was text stays times."""
    import narwhals as nw

    wanted, made = nw.from_native(data).schema, nw.from_native(result)
    casts = [
        nw.col(name).cast(wanted[name])
        for name, kind in made.schema.items()
        if name in wanted
        and wanted[name] not in (kind, nw.Unknown)
        and not (kind == nw.Datetime and wanted[name] == nw.String)
    ]
    return nw.to_native(made.with_columns(casts)) if casts else result


def _narrow_days(native: Any) -> tuple[Any, list[str]]:
    """Convert Arrow's dates of 64 bits, which narwhals doesn't know, to 32 bits; also returns their columns."""
    import narwhals as nw

    if not native.implementation.is_pyarrow():
        return native, []
    import pyarrow as pa

    table = nw.to_native(native)
    wide = [field.name for field in table.schema if pa.types.is_date64(field.type)]
    for name in wide:
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.date32()))
    return nw.from_native(table, eager_only=True), wide


def localising(origin: Origin | None, is_panel: bool = False, in_columns: bool = False) -> str:
    """Code that gives the times of a container a time zone, for messages, with places for the names of both.

    Parameters
    ----------
    origin : Origin or None
        As of `to_pandas`.
    is_panel, in_columns : bool
        Whether the container is a panel, and whether its times are a column.
    """
    if origin is not None and origin.library == "polars":
        return f"{{}}.with_columns(pl.col({origin.time!r}).dt.replace_time_zone({{!r}}))"
    if origin is not None:
        return "{}.to_pandas(), whose times take .dt.tz_localize({!r})"
    if in_columns:
        return f"{{0}}.assign({TIME}={{0}}[{TIME!r}].dt.tz_localize({{1!r}}))"
    return "{}.tz_localize({!r}, level=1)" if is_panel else "{}.tz_localize({!r})"


def column_names(data: Any, name: str = "y") -> list[Any]:
    """The column names of a frame of any library; an empty list for other objects."""
    frame = data if isinstance(data, pd.DataFrame) else _native(data, name)
    return list(getattr(frame, "columns", []))


def refuse_labels(values: Any, name: str, way: str | None = None) -> None:
    """Raise a TypeError for a table with columns of times or names, such as a forecast under the user's names.

    ``way`` is a way out besides those that are always named.
    """
    if not isinstance(values, pd.DataFrame):
        return
    types = pd.api.types
    for label, kind in zip(values.columns, values.dtypes, strict=True):
        if types.is_datetime64_any_dtype(kind) or isinstance(
            kind, pd.PeriodDtype | pd.StringDtype | pd.CategoricalDtype
        ):
            first = "" if way is None else f"{way}, "
            raise TypeError(
                f"expected numbers in every column of {name}, got {label!r} ({kind}); {first}make series and times the "
                f"index with set_index, or choose columns, such as {name}['forecast']"
            )


def _native(data: Any, name: str) -> Any:
    """Wrap a frame or Series of another library in narwhals; None for other objects."""
    if isinstance(data, _KNOWN):
        return None
    import narwhals as nw

    native = nw.from_native(data, pass_through=True, allow_series=True)
    if isinstance(native, nw.LazyFrame):
        raise TypeError(f"expected {name} as an eager frame, got a {type(data).__name__}; compute it with .collect()")
    return native if isinstance(native, nw.DataFrame | nw.Series) else None


def _pandas(column: Any) -> pd.Series:
    import narwhals as nw

    values = pd.Series(column.to_numpy(), name=column.name)
    zone = column.dtype.time_zone if isinstance(column.dtype, nw.Datetime) else None
    return values if zone is None else values.dt.tz_localize("UTC").dt.tz_convert(zone)
